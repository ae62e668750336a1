//! What it costs that nothing is lost: acknowledged messages for each level of durability, what is written to the disk for them,
//! how long a start takes that has everything to do again, and a sink that is away.

use super::broker::{Broker, Subscriber, publishes};
use super::messages::{payload, topic};
use super::process::{Rulemill, megabytes, pause};
use super::ratio::median;
use super::table::Row;
use rulemill::clock;
use std::time::Duration;

pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let mut rows = levels()?;
    rows.push(recovery()?);
    rows.extend(away()?);
    Ok(rows)
}

/// A rulemill at one level, with its broker.
struct Level {
    name: &'static str,
    rulemill: Rulemill,
    subscriber: Subscriber,
    took: Vec<Duration>,
    written: u64,
}

impl Level {
    fn start(name: &'static str) -> anyhow::Result<Self> {
        let broker = Broker::start()?;
        let configuration = format!(
            "[source.default]\nserver = \"tcp://127.0.0.1:{}\"\nqos = 1\ndurability = \"{name}\"\n",
            broker.port()?
        );
        let rulemill = Rulemill::start(&configuration, &["text", "device_temperature"])?;
        let subscriber = broker.subscriber()?;
        rulemill.wait_for("the rule runs", |rulemill| Ok(rulemill.running_guests()? == 2))?;
        Ok(Level {
            name,
            rulemill,
            subscriber,
            took: Vec::new(),
            written: 0,
        })
    }

    /// Feeds a round, and waits until all of it is acknowledged.
    fn round(&mut self, packets: &[u8], total: usize) -> anyhow::Result<()> {
        let before = self.rulemill.written_bytes()?;
        let began = clock::monotonic();
        self.subscriber.feed(packets)?;
        let subscriber = &self.subscriber;
        self.rulemill
            .wait_briefly("everything is acknowledged", |_| Ok(subscriber.acknowledged() >= total))?;
        self.took.push(clock::monotonic().duration_since(began));
        self.rulemill.wait_for("the mills have everything", |rulemill| {
            Ok(rulemill.metric("rulemill_mill_messages_total")? >= total as u64)
        })?;
        // The sync that follows within a second belongs to it.
        pause(Duration::from_millis(1200));
        self.written += self.rulemill.written_bytes()? - before;
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is shown with two digits")]
fn levels() -> anyhow::Result<Vec<Row>> {
    let packets = publishes(MESSAGES, 1);
    let bytes: usize = (0..MESSAGES)
        .map(|number| number * 617 % super::messages::DEVICES)
        .map(|device| topic(device).len() + payload(device).len())
        .sum();
    let mut levels = [
        Level::start("none")?,
        Level::start("process-crash")?,
        Level::start("power-loss")?,
    ];
    for round in 0..ROUNDS {
        for at in 0..levels.len() {
            // Who comes first changes.
            let level = &mut levels[(at + round) % 3];
            level.round(&packets, (round + 1) * MESSAGES)?;
        }
    }
    let none = median(levels[0].took.iter().copied());
    let mut rows = Vec::new();
    for level in &levels {
        let took = median(level.took.iter().copied());
        let speed = MESSAGES as f64 / took.as_secs_f64();
        let relative = 100.0 * none.as_secs_f64() / took.as_secs_f64();
        let amplification = level.written as f64 / (bytes * ROUNDS) as f64;
        let measured = format!(
            "{relative:.0} % ({speed:.0} messages/s acknowledged), {amplification:.2} bytes written for each of topic and payload"
        );
        let what = format!(
            "acknowledged QoS 1 messages, durability {}, by the speed of none",
            level.name
        );
        rows.push(match level.name {
            "process-crash" => Row::judged(
                what,
                measured,
                "85 %, 1.5 bytes",
                relative >= 85.0 && amplification <= 1.5,
            ),
            _ => Row::information(what, measured),
        });
    }
    Ok(rows)
}

/// A crash with a journal that no checkpoint has made shorter.
#[expect(clippy::cast_precision_loss, reason = "seconds are shown with one digit")]
fn recovery() -> anyhow::Result<Row> {
    let broker = Broker::start()?;
    let configuration = format!(
        "[data]\ncheckpoint_interval = \"10m\"\n[source.default]\nserver = \"tcp://127.0.0.1:{}\"\nqos = 1\n",
        broker.port()?
    );
    let mut rulemill = Rulemill::start(&configuration, &["text", "device_temperature"])?;
    let mut subscriber = broker.subscriber()?;
    rulemill.wait_for("the rule runs", |rulemill| Ok(rulemill.running_guests()? == 2))?;
    let packets = publishes(MESSAGES, 1);
    // Below what lets a checkpoint come early.
    for round in 1..=2 {
        subscriber.feed(&packets)?;
        rulemill.wait_for("the mills have everything", |rulemill| {
            Ok(rulemill.metric("rulemill_mill_messages_total")? >= (round * MESSAGES) as u64)
        })?;
    }
    let bytes = rulemill.metric("rulemill_journal_bytes")?;
    let took = rulemill.crash()?;
    let replayed = rulemill.metric("rulemill_journal_replayed_messages_total")?;
    let per_gigabyte = took.as_secs_f64() * 1e9 / bytes as f64;
    Ok(Row::information(
        "start after a crash, everything to be done again",
        format!(
            "{:.2} s for {replayed} messages in {} ({per_gigabyte:.0} s a GB)",
            took.as_secs_f64(),
            megabytes(bytes)
        ),
    ))
}

/// A sink that is away for a million emissions, and comes back.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown without digits")]
fn away() -> anyhow::Result<Vec<Row>> {
    let (source, cloud) = (Broker::start()?, Broker::start()?);
    let configuration = format!(
        "[source.default]\nserver = \"tcp://127.0.0.1:{}\"\nqos = 1\n[sink.cloud]\ntype = \"mqtt\"\nserver = \"tcp://127.0.0.1:{}\"\n\
         topic = \"out\"\nqueue_bytes_max = \"1GiB\"\nformat = \"single\"\n",
        source.port()?,
        cloud.port()?
    );
    let rulemill = Rulemill::start(&configuration, &["text", "high_temperature"])?;
    std::fs::write(
        rulemill.rules().join("high_temperature.toml"),
        "sinks = [\"cloud\"]\n[settings]\nthreshold = -1000.0\n",
    )?;
    let mut subscriber = source.subscriber()?;
    rulemill.wait_for("the rule runs", |rulemill| Ok(rulemill.running_guests()? == 2))?;
    pause(Duration::from_secs(1));
    let before = rulemill.resident_bytes()?;
    // Messages one by one give an emission each; fed at once they would be batches.
    let packets = publishes(BACKLOG_PACE, 1);
    let mut sent = 0;
    while sent < BACKLOG {
        subscriber.feed(&packets)?;
        sent += BACKLOG_PACE;
        let subscriber = &subscriber;
        rulemill.wait_briefly("everything is acknowledged", |_| Ok(subscriber.acknowledged() >= sent))?;
    }
    rulemill.wait_for("the mills have everything", |rulemill| {
        Ok(rulemill.metric("rulemill_mill_messages_total")? >= BACKLOG as u64)
    })?;
    let waiting = rulemill.metric("rulemill_sink_queue_bytes")?;
    let emissions = rulemill.metric("rulemill_sink_queue_emissions")?;
    let grown = rulemill.resident_bytes()?.saturating_sub(before);
    let came = cloud.acknowledge(DRAINED, Duration::ZERO)?;
    let (first, last) = (came[DRAINED / 10], came[DRAINED - 1]);
    let rate = (DRAINED - 1 - DRAINED / 10) as f64 / last.duration_since(first).as_secs_f64();
    Ok(vec![
        Row::information(
            "a sink that is away: memory that its queue takes",
            format!(
                "{} more for {BACKLOG} rows in {emissions} emissions, {} on disk",
                megabytes(grown),
                megabytes(waiting)
            ),
        ),
        Row::information(
            "the backlog drains, to a broker on this machine",
            format!("{rate:.0} messages/s"),
        ),
    ])
}

const MESSAGES: usize = 200_000;
const ROUNDS: usize = 5;
/// Rows that wait for the sink.
const BACKLOG: usize = 1_000_000;
/// So many messages at a time.
const BACKLOG_PACE: usize = 5_000;
/// Messages of the backlog whose delivery is timed.
const DRAINED: usize = 100_000;
