//! `rulemill run`: the pipeline, until a signal says stop.

use super::signals::StopSignals;
use super::{ConfigArgs, Failure};
use crate::config::Config;
use crate::pipeline::{Pipeline, Stop};
use anyhow::{Context as _, anyhow};
use clap::Args;
use std::io::Write as _;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs until SIGTERM or SIGINT, of which a second one stops at once; SIGHUP reads the configuration again, and a wrong one changes nothing.
///
/// # Errors
/// What kept the pipeline from starting.
pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    with(args, |_| {})
}

/// The same, with the line that Kuiper's server begins with.
///
/// # Errors
/// The same, or there is no `[http]` to serve at.
pub(super) fn serve(args: &RunArgs) -> Result<(), Failure> {
    if args.config.load()?.http.is_none() {
        return Err(Failure::Other(anyhow!(
            "{} has no section [http], so nobody could ask for anything; add it, or use `rulemill run`",
            args.config.config.display()
        )));
    }
    with(args, |pipeline| {
        if let Some(address) = pipeline.http_address() {
            let line = format!("Serving Kuiper server on port {}\n", address.port());
            // Who reads it may have gone away.
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        }
    })
}

fn with(args: &RunArgs, started: impl FnOnce(&Pipeline)) -> Result<(), Failure> {
    let config = args.config.load()?;
    let runtime = runtime()?;
    let ended = runtime.block_on(until_stopped(args, config, started));
    // A file system that hangs must not keep the process.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    ended
}

async fn until_stopped(args: &RunArgs, config: Config, tell: impl FnOnce(&Pipeline)) -> Result<(), Failure> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut stop = StopSignals::listen()?;
    let mut pipeline = tokio::select! {
        started = Pipeline::start(config, None) => started.context("cannot start")?,
        () = stop.next() => return Ok(()),
    };
    tracing::info!("rulemill runs");
    tell(&pipeline);
    let mut failed = false;
    loop {
        tokio::select! {
            () = pipeline.failed() => {
                tracing::error!("a thread that everything depends on has ended; stopping");
                failed = true;
                break;
            }
            _ = hang_up.recv() => match args.config.load() {
                Ok(config) => pipeline.reload(config).await,
                Err(failure) => tracing::error!(%failure, "the configuration stays as it was"),
            },
            () = stop.next() => break,
        }
    }
    tracing::info!("stopping; a second signal stops at once");
    match pipeline.stop(stop.next()).await {
        _ if failed => Err(Failure::Other(anyhow!(
            "a thread ended with a panic; what was accepted is in the journal, and the next start goes on with it"
        ))),
        Stop::Waited => {
            tracing::info!("stopped");
            Ok(())
        }
        Stop::Hurried => Err(Failure::Other(anyhow!(
            "stopped at once by a second signal; what was not done before is lost, unless it is on disk"
        ))),
    }
}

/// The runtime for sources, sinks and the API. Guests never run on it.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
}

/// Sockets need few threads; the cores belong to the mills.
const WORKERS: usize = 2;
/// How long tasks that block may take to end when everything else has.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
