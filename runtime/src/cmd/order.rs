//! `rulemill retry` and `rulemill promote`: something that the running process is to do with one guest.

use super::Failure;
use super::run::runtime;
use super::server::{Answer, ServerArgs};
use super::sheet::printable;
use anyhow::anyhow;
use clap::Args;
use std::io::{self, Write as _};

/// What `retry` and `promote` take.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// The guest: its file's name without .wasm
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Lifts the quarantine of a guest, and has its file loaded again.
///
/// # Errors
/// Nobody answers, or it cannot be done; with the reason.
pub(super) fn retry(args: &OrderArgs) -> Result<(), Failure> {
    order(args, "retry")
}

/// Has the version that runs in the shadow take over.
///
/// # Errors
/// Nobody answers, or it cannot be done; with the reason.
pub(super) fn promote(args: &OrderArgs) -> Result<(), Failure> {
    order(args, "promote")
}

fn order(args: &OrderArgs, what: &str) -> Result<(), Failure> {
    let server = args.server.client()?;
    match runtime()?.block_on(server.post(&["rules", &args.name, what]))? {
        Answer::Done(answer) => {
            let message = answer["message"].as_str().unwrap_or("done");
            writeln!(io::stdout().lock(), "{}", printable(message))?;
            Ok(())
        }
        Answer::NotFound(message) => Err(Failure::Other(anyhow!("{}", printable(&message)))),
    }
}
