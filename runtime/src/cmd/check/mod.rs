//! `rulemill check`: what rulemill would make of `.wasm` files, without running them for anybody.

mod json;
mod text;

use super::Failure;
use crate::config::{self, Config, Environment};
use crate::emit::DeadLetters;
use crate::pipeline::{Examined, Examiner, Verdict};
use crate::rule::GuestEngine;
use crate::telemetry::dead_letter::DeadLetterMetrics;
use anyhow::{Context as _, anyhow};
use clap::Args;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What `check` takes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Rules and libraries, as they would lie in the rules directory; the .toml file beside each is checked too
    #[arg(required = true, value_name = "FILE.wasm")]
    files: Vec<PathBuf>,
    /// A library that the rules may call. Without it, they find those among the files and in the files' folders
    #[arg(long, value_name = "FILE.wasm")]
    with: Vec<PathBuf>,
    /// The configuration that they would run under, for its limits, sources and sinks; without it, the defaults, and any name
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Takes the files as the rules directory would, and prints what is known of each.
///
/// # Errors
/// Not every file would run.
pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let mut examiner = examiner(args.config.as_deref())?;
    examiner
        .offer(&args.with)
        .map_err(|reason| anyhow!("--with {reason}"))?;
    let examined = examiner.examine(&args.files);
    let refused = examined.iter().filter(|file| file.verdict != Verdict::Loads).count();
    print(args, &examined)?;
    if refused == 0 {
        return Ok(());
    }
    let count = examined.len();
    if let [file] = examined.as_slice() {
        return Err(Failure::Other(anyhow!("{} would not run", file.file.display())));
    }
    Err(Failure::Other(anyhow!("{refused} of {count} files would not run")))
}

fn examiner(file: Option<&Path>) -> Result<Examiner, Failure> {
    let config = match file {
        Some(file) => config::load(file, &Environment::of_process())?,
        None => Config::default(),
    };
    let engine = GuestEngine::with(config.limits.stack_bytes_max, None).map_err(|error| anyhow!("{error:#}"))?;
    let dead_letters =
        DeadLetters::start(&config.dead_letter, DeadLetterMetrics::default()).context("a thread cannot be started")?;
    Ok(match file {
        Some(_) => Examiner::for_deployment(&config, engine, dead_letters),
        None => Examiner::for_any_deployment(&config, engine, dead_letters),
    })
}

fn print(args: &CheckArgs, examined: &[Examined]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if args.json {
        return writeln!(out, "{:#}", json::report(examined));
    }
    for (position, file) in examined.iter().enumerate() {
        if position > 0 {
            writeln!(out)?;
        }
        out.write_all(text::sheet(file).as_bytes())?;
    }
    Ok(())
}
