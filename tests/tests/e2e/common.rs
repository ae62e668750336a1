//! What several stories share: configurations, and counting over emissions.

use rulemill_tests::guests::LibraryGuest;
use rulemill_tests::{LIMIT, Mosquitto, Publisher, Rulemill, wait_for};
use rumqttc::QoS;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A configuration with an HTTP endpoint, the log sink, and these further parts.
pub(crate) fn config(parts: &[&str]) -> String {
    let mut text = String::from(
        r#"
        [http]
        listen = "127.0.0.1:$HTTP"
        [rules]
        poll_interval = "200ms"
        [dead_letter]
        file = "dead-letter.jsonl"
        "#,
    );
    for part in parts {
        text.push_str(part);
        text.push('\n');
    }
    text
}

/// The built-in listener.
pub(crate) const LISTENER: &str = "[listener]\nmqtt = \"127.0.0.1:$LISTENER\"";

/// A source at an open broker.
pub(crate) fn source(broker: &Mosquitto) -> String {
    format!("[source.default]\nserver = \"{}\"", broker.tcp_url())
}

/// A message as the tutorial's devices send it.
pub(crate) fn reading(temperature: f64, humidity: i64) -> String {
    format!(r#"{{"temperature": {temperature}, "humidity" : {humidity}}}"#)
}

/// What the shipped rules listen to.
pub(crate) const FILTER: &str = "devices/+/messages";

/// The topic of a device.
pub(crate) fn topic(device: &str) -> String {
    format!("devices/{device}/messages")
}

/// The sum of `t_count` for each device over all emissions.
pub(crate) fn counts(emissions: &[Vec<Value>]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for row in emissions.iter().flatten() {
        let device = row["device_id"].as_str().expect("every row has a device").to_owned();
        *counts.entry(device).or_default() += row["t_count"].as_u64().expect("every row has a count");
    }
    counts
}

/// Publishes a reading of the device `marker`, waits until its window is emitted, and gives the number of emissions so
/// far. The next window has just begun then, and everything sent before is in an emission.
pub(crate) async fn window_boundary(publisher: &mut Publisher, rulemill: &Rulemill, marker: &str) -> usize {
    publisher
        .publish(&topic(marker), reading(0.0, 0), QoS::AtLeastOnce)
        .await;
    let what = format!("the window of {marker}");
    wait_for(&what, LIMIT, || {
        let emissions = rulemill.emissions_from(0);
        let at = emissions
            .iter()
            .position(|rows| rows.iter().any(|row| row["device_id"] == marker))?;
        Some(at + 1)
    })
    .await
}

/// Waits until the log has this text.
pub(crate) async fn wait_for_log(rulemill: &Rulemill, text: &str) {
    let what = format!("{text:?} in the log");
    wait_for(&what, LIMIT, || rulemill.log().text().contains(text).then_some(())).await;
}

/// Per device and ten seconds of event time: how many, and their sum. A second of lateness; later is dead letter.
pub(crate) fn plan_by_event_time() -> Value {
    json!({
        "name": "by_event",
        "topics": ["events"],
        "needs": [
            {"name": "device", "type": "text", "origin": {"field": ["device"]}, "missing": "reject"},
            {"name": "at", "type": "time", "origin": {"field": ["at"]}},
            {"name": "value", "type": "float", "origin": {"field": ["value"]}, "missing": "reject"},
        ],
        "keys": [0],
        "window": {"kind": "tumbling", "size_ms": 10_000},
        "event_time": {"column": 1, "lateness_ms": 1000, "late": "dead_letter"},
        "aggregates": [
            {"name": "count", "function": "count"},
            {"name": "sum", "function": "sum", "arguments": [{"column": 2}]},
        ],
        "emits": [
            {"name": "device", "column": 0},
            {"name": "from", "column": 1},
            {"name": "until", "column": 2},
            {"name": "count", "column": 3},
            {"name": "sum", "column": 4},
        ],
    })
}

/// How long something may take that waits for a window of two seconds to close.
pub(crate) const WINDOW_LIMIT: Duration = Duration::from_secs(30);

/// A library whose function no other has: it gives back what it gets.
pub(crate) fn lonely_library() -> LibraryGuest {
    LibraryGuest::new(&json!({
        "name": "mine",
        "scalars": [{"name": "lonely", "parameters": [{"name": "value", "type": "int"}], "returns": "int", "volatility": "volatile"}],
    }))
}

/// A rule without a window that calls it for each message of the topic `values`.
pub(crate) fn calling_lonely() -> Value {
    json!({
        "name": "caller",
        "topics": ["values"],
        "needs": [{"name": "value", "type": "int", "origin": {"field": ["value"]}, "missing": "reject"}],
        "before": [{"call": {"name": "result", "function": "lonely", "arguments": [{"column": 0}]}}],
        "emits": [{"name": "result", "column": 1}],
    })
}
