//! `rulemill simulate`: simulated devices, or the messages of a file, published to any MQTT broker.
//!
//! [`Simulation`] is what the devices publish, without a clock and without I/O, so that others can use it too.

mod pace;
mod publisher;
mod replay;
mod simulation;
mod template;

pub use simulation::{Sample, Simulation};
pub use template::{Template, TemplateError};

use crate::clock;
use crate::config::{ServerAddress, TlsFiles};
use crate::tls::{TlsPurpose, client_config};
use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use publisher::{Outcome, Plan};
use replay::Replay;
use rumqttc::{MqttOptions, QoS, TlsConfiguration, Transport};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What `simulate` takes.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// The broker: tcp://HOST:PORT or ssl://HOST:PORT
    #[arg(long, default_value = "tcp://127.0.0.1:1883", value_parser = ServerAddress::parse)]
    server: ServerAddress,
    /// How many devices publish
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Messages a second, of all devices together; 0 is as fast as possible
    #[arg(long, default_value_t = 10.0, value_parser = parse_rate)]
    rate: f64,
    /// The topic of each message; {id} is the device
    #[arg(long, default_value = "devices/{id}/messages", value_parser = parse_topic)]
    topic: Template,
    /// The payload: text with {id} {seq} {time} {time_us} {float:MIN:MAX} {int:MIN:MAX} {choice:a|b}
    #[arg(long, default_value = DEFAULT_PAYLOAD, conflicts_with = "file")]
    payload: Template,
    /// 0, or 1 to wait for acknowledgements
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1))]
    qos: u8,
    /// Stop after so many messages (with QoS 1: acknowledged ones)
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop after so long, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Publish the rows of a CSV file or the lines of a JSONL file instead, once
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The authority to trust, PEM; without it the system's are trusted
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The client's certificate, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The user name
    #[arg(long)]
    username: Option<String>,
    /// The password
    #[arg(long, requires = "username")]
    password: Option<String>,
    /// The MQTT client id; without it one is made up
    #[arg(long)]
    client_id: Option<String>,
    /// The same seed gives the same values
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// The payload of simulated devices that are not told otherwise.
pub const DEFAULT_PAYLOAD: &str = r#"{"temperature": {float:15:35}, "humidity": {int:30:90}}"#;

/// Publishes until done, or interrupted.
///
/// # Errors
/// When the arguments do not work together, the broker cannot be reached at first, the file has a bad row, or messages
/// were not acknowledged in time.
pub async fn run(args: SimulateArgs) -> anyhow::Result<()> {
    let plan = args.plan()?;
    let mut messages = Messages::new(&args)?;
    // What was read before a bad row still goes out.
    let mut bad_row = None;
    let mut next = || {
        let sample = messages.next().map_err(|error| bad_row = Some(error));
        sample.ok().flatten()
    };
    let bar = progress_bar(args.count);
    let start = clock::monotonic();
    let outcome = publisher::publish(&plan, &mut next, interrupted(), |arrived| bar.set_position(arrived)).await;
    bar.finish_and_clear();
    let outcome = outcome?;
    let took = clock::monotonic().saturating_duration_since(start);
    writeln!(std::io::stdout().lock(), "{}", summary(&outcome, plan.qos, took))?;
    if let Some(error) = bad_row {
        return Err(error.context("cannot replay the rest"));
    }
    if outcome.unacknowledged > 0 {
        bail!("{} messages were not acknowledged in time", outcome.unacknowledged);
    }
    Ok(())
}

/// Publishes as simulated devices to a broker of this process, with QoS 1, until `stop` is ready: how many messages were
/// acknowledged.
///
/// # Errors
/// When the broker cannot be reached.
pub(super) async fn publish_to(
    address: SocketAddr,
    devices: u32,
    rate: f64,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<u64> {
    let mut options = MqttOptions::new("rulemill-devices", address.ip().to_string(), address.port());
    options.set_keep_alive(Duration::from_secs(30)).set_inflight(1000);
    let plan = Plan {
        options,
        qos: QoS::AtLeastOnce,
        rate,
        count: None,
        duration: None,
        retry: Duration::from_secs(1),
    };
    let topic = Template::parse("devices/{id}/messages")?;
    let payload = Template::parse(DEFAULT_PAYLOAD)?;
    let mut simulation = Simulation::new(devices, topic, payload, fastrand::u64(..));
    let mut next = || Some(simulation.next(clock::wall()));
    let outcome = publisher::publish(&plan, &mut next, stop, |_| {}).await?;
    Ok(outcome.arrived)
}

/// Publishes messages with QoS 1, as fast as they are acknowledged: how many were.
///
/// # Errors
/// When the server cannot be reached.
pub(super) async fn publish_all(server: &ServerAddress, samples: Vec<Sample>) -> anyhow::Result<u64> {
    if server.tls {
        bail!("only tcp:// can be published to, got {server}; `rulemill simulate --file` knows TLS");
    }
    let client_id = format!("rulemill-replay-{:08x}", fastrand::u32(..));
    let mut options = MqttOptions::new(client_id, server.client_host(), server.port);
    options
        .set_keep_alive(Duration::from_secs(30))
        .set_inflight(1000)
        .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    let plan = Plan {
        options,
        qos: QoS::AtLeastOnce,
        rate: 0.0,
        count: None,
        duration: None,
        retry: Duration::from_secs(1),
    };
    let mut samples = samples.into_iter();
    let mut next = || samples.next();
    let outcome = publisher::publish(&plan, &mut next, interrupted(), |_| {}).await?;
    Ok(outcome.arrived)
}

/// Ready when the user wants the end.
async fn interrupted() {
    // Without a signal handler the process simply ends.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl SimulateArgs {
    fn plan(&self) -> anyhow::Result<Plan> {
        let client_id = match &self.client_id {
            Some(client_id) => client_id.clone(),
            // A fixed one would make two simulations throw each other out.
            None => format!("rulemill-simulate-{:08x}", fastrand::u32(..)),
        };
        let mut options = MqttOptions::new(client_id, self.server.client_host(), self.server.port);
        options
            .set_keep_alive(Duration::from_secs(30))
            // Packet ids are a ring of this size; brokers need not acknowledge in order.
            .set_inflight(1000)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        if let Some(username) = &self.username {
            options.set_credentials(username, self.password.as_deref().unwrap_or_default());
        }
        if let Some(config) = self.tls()? {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
        }
        Ok(Plan {
            options,
            qos: if self.qos == 0 {
                QoS::AtMostOnce
            } else {
                QoS::AtLeastOnce
            },
            rate: self.rate,
            count: self.count,
            duration: self.duration,
            retry: Duration::from_secs(1),
        })
    }

    fn tls(&self) -> anyhow::Result<Option<std::sync::Arc<rustls::ClientConfig>>> {
        let files = TlsFiles {
            ca: self.ca.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
        };
        if !self.server.tls {
            if files != TlsFiles::default() {
                bail!(
                    "--ca, --cert and --key need a server that starts with ssl://, got {}",
                    self.server
                );
            }
            return Ok(None);
        }
        let purpose = TlsPurpose::Mqtt { port: self.server.port };
        match client_config(&files, purpose, clock::wall()) {
            Ok(config) => Ok(Some(config)),
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                bail!("{}", problems.join("\n"))
            }
        }
    }
}

/// Where the messages come from.
enum Messages {
    Simulated(Box<Simulation>),
    Replayed(Box<Replay>),
}

impl Messages {
    fn new(args: &SimulateArgs) -> anyhow::Result<Self> {
        let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
        let simulation = Simulation::new(args.devices, args.topic.clone(), args.payload.clone(), seed);
        Ok(match &args.file {
            None => Messages::Simulated(Box::new(simulation)),
            Some(file) => Messages::Replayed(Box::new(Replay::open(file, simulation).context("cannot replay")?)),
        })
    }

    fn next(&mut self) -> anyhow::Result<Option<Sample>> {
        match self {
            Messages::Simulated(simulation) => Ok(Some(simulation.next(clock::wall()))),
            Messages::Replayed(replay) => replay.next(clock::wall()),
        }
    }
}

fn parse_topic(text: &str) -> Result<Template, String> {
    check_topic(text)?;
    Template::parse(text).map_err(|error| error.to_string())
}

/// Whether somebody can publish to `topic`.
pub(super) fn check_topic(topic: &str) -> Result<(), String> {
    let reason = if topic.is_empty() {
        "at least one character"
    } else if topic.len() > TOPIC_BYTES_MAX {
        "at most 65535 bytes"
    } else if topic.contains(['+', '#']) {
        "+ and # are for subscriptions"
    } else if topic.contains('\0') {
        "no NUL"
    } else {
        return Ok(());
    };
    let start: String = topic.chars().take(TOPIC_CHARS_SHOWN).collect();
    Err(format!("must be a topic to publish to: {reason}, got {start:?}"))
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=1e6).contains(&rate) => Ok(rate),
        _ => Err(format!("the rate must be a number from 0 to 1000000, got {text}")),
    }
}

fn summary(outcome: &Outcome, qos: QoS, took: Duration) -> String {
    let what = if qos == QoS::AtMostOnce { "sent" } else { "acknowledged" };
    let seconds = took.as_secs_f64();
    let arrived = outcome.arrived;
    format!(
        "{arrived} messages {what} in {seconds:.1} s, {}",
        reached_rate(arrived, took)
    )
}

/// Messages a second since the start.
fn reached_rate(arrived: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let rate = if seconds > 0.0 { arrived as f64 / seconds } else { 0.0 };
    format!("{rate:.1}/s")
}

/// A bar with the reached rate, on a terminal; otherwise nothing.
fn progress_bar(count: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match count {
        Some(count) => (ProgressBar::new(count), "{wide_bar} {pos}/{len} {rate} {eta}"),
        None => (ProgressBar::no_length(), "{spinner} {pos} messages {rate} {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => {
            // The bar's own rate is smoothed from the start, and takes as long as a short simulation to be right.
            let rate = |state: &ProgressState, to: &mut dyn std::fmt::Write| {
                // A bar that cannot be written is not seen.
                let _ = to.write_str(&reached_rate(state.pos(), state.elapsed()));
            };
            bar.with_style(style.with_key("rate", rate))
        }
        Err(_) => bar,
    }
}

/// What MQTT can carry as a topic.
const TOPIC_BYTES_MAX: usize = 65_535;

/// How much of a wrong topic a message repeats.
const TOPIC_CHARS_SHOWN: usize = 80;

/// The largest packet sent: what a listener takes unless it is told otherwise, a payload of 1 MiB and its topic.
const PACKET_BYTES_MAX: usize = 1100 << 10;

#[cfg(test)]
mod tests;
