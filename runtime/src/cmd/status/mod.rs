//! `rulemill status`: what runs in the running process, and how it does.

mod one;
mod table;

use super::Failure;
use super::run::runtime;
use super::server::{Answer, Server, ServerArgs};
use super::sheet::printable;
use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::Value;
use std::io::{self, Write as _};

/// What `status` takes.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// One rule or library: its file's name without .wasm. Without it, all of them in a table
    name: Option<String>,
    /// Print the answer as it is
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Asks, and prints the answer.
///
/// # Errors
/// Nobody answers, the token is wrong, or there is no such guest.
pub(super) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let server = args.server.client()?;
    let text = runtime()?.block_on(ask(args, &server))?;
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

async fn ask(args: &StatusArgs, server: &Server) -> anyhow::Result<String> {
    match &args.name {
        None if args.json => Ok(format!("{:#}\n", found(server.get(&["guests"]).await?)?)),
        None => all(server).await,
        Some(name) => {
            let status = found(server.get(&["guests", name, "status"]).await?)?;
            if args.json {
                return Ok(format!("{status:#}\n"));
            }
            let rule = found(server.get(&["guests", name]).await?)?;
            let functions = found(server.get(&["functions"]).await?)?;
            Ok(one::sheet(&rule, &status, &functions))
        }
    }
}

/// Every guest. One that goes while the others are asked about is left out.
async fn all(server: &Server) -> anyhow::Result<String> {
    let list = found(server.get(&["guests"]).await?)?;
    let Some(list) = list.as_array() else {
        bail!("the list of rules is no list");
    };
    let mut rows = Vec::new();
    for listed in list {
        let id = listed["id"].as_str().unwrap_or_default();
        if let Answer::Done(status) = server.get(&["guests", id, "status"]).await? {
            rows.push((listed, status));
        }
    }
    Ok(table::table(&rows))
}

fn found(answer: Answer) -> anyhow::Result<Value> {
    match answer {
        Answer::Done(value) => Ok(value),
        Answer::NotFound(message) => Err(anyhow!("{}", printable(&message))),
    }
}
