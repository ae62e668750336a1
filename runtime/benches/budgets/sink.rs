//! The MQTT sink at QoS 1 against a broker that acknowledges 20 ms late.

use super::broker::Broker;
use super::mill::configuration;
use super::table::Row;
use anyhow::Context as _;
use rulemill::emit::{DeadLetters, EncodedEmission};
use rulemill::sink::Sinks;
use rulemill::telemetry::dead_letter::DeadLetterMetrics;
use rulemill::telemetry::sink::SinkMetrics;
use std::time::Duration;

#[expect(clippy::cast_precision_loss, reason = "a few thousand messages")]
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let broker = Broker::start()?;
    let text = format!(
        "[listener]\n[sink.cloud]\ntype = \"mqtt\"\nserver = \"tcp://127.0.0.1:{}\"\ntopic = \"devices/result\"\nqos = 1\n",
        broker.port()?
    );
    let config = configuration(&text, folder.path())?;
    let came = std::thread::spawn(move || broker.acknowledge(MESSAGES, ROUND_TRIP));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let mut sinks = runtime.block_on(async {
        let dead_letters = DeadLetters::start(&config.dead_letter, DeadLetterMetrics::default())?;
        let metrics = SinkMetrics::default();
        anyhow::Ok(Sinks::start(
            &config.sinks,
            &std::collections::BTreeMap::new(),
            metrics,
            dead_letters,
            &config.data_dir,
        )?)
    })?;
    let sink = sinks.handle("cloud").context("the sink was configured above")?;
    for number in 0..MESSAGES {
        let _pushed = sink.push(emission(number));
    }
    let came = came.join().ok().context("the broker panicked")??;
    let left = runtime.block_on(sinks.drain(rulemill::clock::pass(Duration::from_secs(5))));
    anyhow::ensure!(left.is_empty(), "the sink did not deliver everything");
    // Connecting is not counted.
    let (first, last) = (came[MESSAGES / 10], came[MESSAGES - 1]);
    let speed = (MESSAGES - 1 - MESSAGES / 10) as f64 / last.duration_since(first).as_secs_f64();
    Ok(vec![Row::judged(
        "QoS 1 sink behind a 20 ms round trip, 90 in flight",
        format!("{speed:.0} messages/s"),
        "4000 messages/s",
        speed >= 4000.0,
    )])
}

fn emission(number: usize) -> EncodedEmission {
    let json = format!(r#"[{{"device_id":"dev-{number:05}","t_av":45,"t_count":3,"t_max":80,"t_min":20}}]"#);
    let end = u32::try_from(json.len() - 1).expect("an emission of one row is short");
    EncodedEmission {
        rule: "device_temperature".into(),
        window: None,
        place: None,
        json: json.into(),
        ends: vec![end],
    }
}

const MESSAGES: usize = 10_000;
const ROUND_TRIP: Duration = Duration::from_millis(20);
