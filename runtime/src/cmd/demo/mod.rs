//! `rulemill demo`: the whole pipeline in one process, with simulated devices, and each window printed as it closes.

mod setup;
mod table;

use super::run::runtime;
use super::signals::StopSignals;
use super::{Failure, simulate};
use crate::clock;
use crate::emit::EncodedEmission;
use crate::pipeline::Pipeline;
use anyhow::Context as _;
use clap::Args;
use setup::{Stage, find_rules};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use tokio::sync::watch;

/// What `demo` takes.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after so long, such as 25s; without it, at Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Print the emissions as they are, one JSON array a line, instead of tables
    #[arg(long)]
    json: bool,
    /// The size of the windows, instead of 10s
    #[arg(long, value_name = "DURATION", value_parser = parse_window)]
    window: Option<Duration>,
    /// How many devices publish
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Messages a second, of all devices together
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// The folder with the shipped rules
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

/// Runs until the time is over or a signal comes.
///
/// # Errors
/// What kept the pipeline from starting, or the devices from publishing.
pub(super) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let stage = Stage::set(&find_rules(args.rules.as_deref())?, args.window)?;
    let config = stage.config(args.json)?;
    let done = runtime()?.block_on(show(args, &stage, config));
    done.map_err(Failure::Other)
}

async fn show(args: &DemoArgs, stage: &Stage, config: crate::config::Config) -> anyhow::Result<()> {
    let (tap, tapped) = sync_channel(TAP_EMISSIONS_MAX);
    let printer = std::thread::spawn(move || print(&tapped));
    let pipeline = Pipeline::start(config, (!args.json).then_some(tap))
        .await
        .context("cannot start")?;
    let address = pipeline.listener_address().context("the listener has no address")?;
    if !args.json {
        introduce(args, stage, &pipeline)?;
    }
    let (stop, mut stopped) = watch::channel(false);
    let devices = tokio::spawn(simulate::publish_to(address, args.devices, args.rate, async move {
        // An error means that nobody is left to stop it: stop as well.
        let _ = stopped.wait_for(|stop| *stop).await;
    }));
    let mut signals = StopSignals::listen()?;
    wait(args.duration, &mut signals).await;
    stop.send_replace(true);
    let published = devices.await.context("the simulated devices failed")??;
    pipeline.stop(signals.next()).await;
    printer.join().map_err(|_| anyhow::anyhow!("the printer failed"))?;
    if !args.json {
        writeln!(
            io::stdout().lock(),
            "{published} messages were published; the windows that were still open are above."
        )?;
    }
    Ok(())
}

fn introduce(args: &DemoArgs, stage: &Stage, pipeline: &Pipeline) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let window = args.window.unwrap_or(SHIPPED_WINDOW);
    let window = humantime::format_duration(window);
    writeln!(
        out,
        "{} simulated devices publish {} messages a second to devices/N/messages.",
        args.devices, args.rate
    )?;
    writeln!(
        out,
        "Each rule is a .wasm file in {}: drop others in.",
        stage.rules_dir().display()
    )?;
    if let Some(address) = pipeline.listener_address() {
        writeln!(
            out,
            "Publish to it yourself: mosquitto_pub -h {} -p {} ...",
            address.ip(),
            address.port()
        )?;
    }
    if let Some(address) = pipeline.http_address() {
        writeln!(out, "Look inside: http://{address}/rules and http://{address}/metrics")?;
    }
    writeln!(out, "The first windows close within {window}. Ctrl-C ends it.\n")
}

/// Prints emissions until the last mill has let go of the tap.
fn print(emissions: &Receiver<EncodedEmission>) {
    for emission in emissions {
        let text = match emission.window {
            Some((start, end)) => table::window(&emission, start, end),
            None => table::lines(&emission).join("\n"),
        };
        // Where nobody reads any more, there is nothing to print for; the demonstration goes on to its end.
        let _ = writeln!(io::stdout().lock(), "{text}");
    }
}

async fn wait(duration: Option<Duration>, signals: &mut StopSignals) {
    let over = async {
        match duration {
            Some(duration) => clock::pass(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {}
        () = signals.next() => {}
    }
}

fn parse_window(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(window) if window >= Duration::from_millis(1) => Ok(window),
        Ok(_) => Err("a window must be at least 1ms".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Emissions that may wait for the printer; further ones are not shown.
const TAP_EMISSIONS_MAX: usize = 256;
/// The size of the shipped rules' windows.
const SHIPPED_WINDOW: Duration = Duration::from_secs(10);
