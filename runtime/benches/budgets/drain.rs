//! Reading from a broker: the real binary with the rule, against a bare rumqttc event loop that drops what it reads.
//!
//! Compared by the processor time of all their threads, which is what counts on one core; the feeder's is not counted.

use super::broker::{Broker, publishes};
use super::process::{Rulemill, cpu_of_this_thread};
use super::ratio::compare;
use super::table::Row;
use anyhow::Context as _;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use std::collections::VecDeque;
use std::time::Duration;

/// How the bare client acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acks {
    /// By itself, before anybody has the message, many with one write.
    Automatic,
    /// When it is told to, as a source must that loses nothing; the client writes each by itself.
    Manual,
}

pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    Ok(vec![
        row(0, Acks::Automatic)?,
        row(1, Acks::Automatic)?,
        row(1, Acks::Manual)?,
    ])
}

fn row(qos: u8, acks: Acks) -> anyhow::Result<Row> {
    let packets = publishes(MESSAGES, qos);
    let broker = Broker::start()?;
    let configuration = format!(
        "[source.default]\nserver = \"tcp://127.0.0.1:{}\"\nqos = {qos}\n",
        broker.port()?
    );
    let rulemill = Rulemill::start(&configuration, &["text", "device_temperature"])?;
    let mut subscriber = broker.subscriber()?;
    rulemill.wait_for("the rule runs", |rulemill| Ok(rulemill.running_guests()? == 2))?;
    let mut failure = None;
    let found = compare(
        ROUNDS,
        |round| {
            let took = drain(&rulemill, &mut subscriber, &packets, (round + 1) * MESSAGES, qos);
            took.unwrap_or_else(|error| {
                failure = Some(error);
                Duration::MAX
            })
        },
        |_| drain_bare(&packets, acks).unwrap_or(Duration::ZERO),
    );
    if let Some(error) = failure {
        return Err(error);
    }
    let dropped = rulemill.metric("rulemill_source_qos0_dropped")?;
    let speed = 100.0 / found.ratio;
    let nanos = |took: Duration| took.as_nanos() / MESSAGES as u128;
    let mut measured = format!(
        "{speed:.0} % ({} ns of processor time a message, bare {} ns)",
        nanos(found.ours),
        nanos(found.reference)
    );
    if dropped > 0 {
        measured.push_str(&format!("; {dropped} dropped"));
    }
    let what = format!("rumqttc drain and the whole rule, QoS {qos}, by the speed of a bare drain on one core");
    Ok(match acks {
        Acks::Automatic => Row::judged(what, measured, "40 %", speed >= 40.0),
        Acks::Manual => Row::information(format!("{what} that acknowledges itself"), measured),
    })
}

/// Feeds a round, and waits until it has gone through the mills.
fn drain(
    rulemill: &Rulemill,
    subscriber: &mut super::broker::Subscriber,
    packets: &[u8],
    total: usize,
    qos: u8,
) -> anyhow::Result<Duration> {
    let before = rulemill.cpu()?;
    subscriber.feed(packets)?;
    rulemill.wait_for("the mills have processed every message", |rulemill| {
        let done =
            rulemill.metric("rulemill_mill_messages_total")? + rulemill.metric("rulemill_source_qos0_dropped")?;
        Ok(done >= total as u64 && (qos == 0 || subscriber.acknowledged() >= total))
    })?;
    Ok(rulemill.cpu()? - before)
}

/// The processor time in which a bare event loop reads a round.
fn drain_bare(packets: &[u8], acks: Acks) -> anyhow::Result<Duration> {
    let broker = Broker::start()?;
    let port = broker.port()?;
    std::thread::scope(|scope| {
        let drain = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(bare(port, acks))
        });
        let mut subscriber = broker.subscriber()?;
        subscriber.feed(packets)?;
        drain.join().ok().context("the bare drain panicked")?
    })
}

async fn bare(port: u16, acks: Acks) -> anyhow::Result<Duration> {
    let mut options = MqttOptions::new("bare", "127.0.0.1", port);
    options.set_clean_session(true).set_manual_acks(acks == Acks::Manual);
    let (client, mut events) = AsyncClient::new(options, 1024);
    client.subscribe("devices/+/messages", QoS::AtLeastOnce).await?;
    let (mut before, mut left) = (None, MESSAGES);
    let mut unacknowledged = VecDeque::new();
    while left > 0 || !unacknowledged.is_empty() {
        if let Event::Incoming(Packet::Publish(publish)) = events.poll().await? {
            if before.is_none() {
                before = Some(cpu_of_this_thread()?);
            }
            left -= 1;
            if acks == Acks::Manual {
                unacknowledged.push_back(publish);
            }
        }
        while let Some(publish) = unacknowledged.front()
            && client.try_ack(publish).is_ok()
        {
            unacknowledged.pop_front();
        }
    }
    Ok(cpu_of_this_thread()? - before.context("no message came")?)
}

const MESSAGES: usize = 200_000;
const ROUNDS: usize = 5;
