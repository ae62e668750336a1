//! Reading from a broker: the real binary with the rule, against a bare rumqttc event loop that drops what it reads.
//!
//! Compared by the processor time of all their threads, which is what counts on one core; the feeder's is not counted.

use super::broker::{Broker, publishes};
use super::process::{Rulemill, cpu_of_this_thread};
use super::ratio::compare;
use super::table::Row;
use anyhow::Context as _;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use std::time::Duration;

pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    [0, 1].into_iter().map(row).collect()
}

fn row(qos: u8) -> anyhow::Result<Row> {
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
        |_| drain_bare(&packets).unwrap_or(Duration::ZERO),
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
    Ok(Row::judged(
        format!("rumqttc drain and the whole rule, QoS {qos}, by the speed of a bare drain on one core"),
        measured,
        "40 %",
        speed >= 40.0,
    ))
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
fn drain_bare(packets: &[u8]) -> anyhow::Result<Duration> {
    let broker = Broker::start()?;
    let port = broker.port()?;
    std::thread::scope(|scope| {
        let drain = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(bare(port))
        });
        let mut subscriber = broker.subscriber()?;
        subscriber.feed(packets)?;
        drain.join().ok().context("the bare drain panicked")?
    })
}

async fn bare(port: u16) -> anyhow::Result<Duration> {
    let mut options = MqttOptions::new("bare", "127.0.0.1", port);
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, 100);
    client.subscribe("devices/+/messages", QoS::AtLeastOnce).await?;
    let mut before = None;
    let mut left = MESSAGES;
    while left > 0 {
        if let Event::Incoming(Packet::Publish(_)) = events.poll().await? {
            if before.is_none() {
                before = Some(cpu_of_this_thread()?);
            }
            left -= 1;
        }
    }
    Ok(cpu_of_this_thread()? - before.context("no message came")?)
}

const MESSAGES: usize = 200_000;
const ROUNDS: usize = 5;
