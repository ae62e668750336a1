//! `rulemill run`: the pipeline, until a signal says stop.

use super::{ConfigArgs, Failure};
use crate::pipeline::Pipeline;
use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs until SIGTERM or SIGINT; SIGHUP reads the configuration again, and a wrong one changes nothing.
///
/// # Errors
/// What kept the pipeline from starting.
pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let config = args.config.load()?;
    runtime()?.block_on(async {
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut pipeline = Pipeline::start(config, None).await.context("cannot start")?;
        tracing::info!("rulemill runs");
        loop {
            tokio::select! {
                _ = hang_up.recv() => match args.config.load() {
                    Ok(config) => pipeline.reload(config).await,
                    Err(failure) => tracing::error!(%failure, "the configuration stays as it was"),
                },
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        tracing::info!("stopping");
        pipeline.stop().await;
        tracing::info!("stopped");
        Ok(())
    })
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
