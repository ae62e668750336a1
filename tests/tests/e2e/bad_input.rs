//! Bad messages are explained and kept, and disturb nobody.

use crate::common::{FILTER, LISTENER, WINDOW_LIMIT, config, counts, reading, source, topic, window_boundary};
use rulemill_tests::{Access, LIMIT, Mosquitto, Publisher, Rulemill, Sandbox, wait_for, wait_for_async};
use rumqttc::QoS;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages_through_the_listener_are_explained_and_disturb_nobody() {
    let sandbox = sandbox();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let publisher = Publisher::connect(rulemill.listener);
    check(&sandbox, &rulemill, publisher).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages_through_a_broker_are_explained_and_disturb_nobody() {
    let sandbox = sandbox();
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    let rulemill = Rulemill::start(&sandbox, &config(&[&source(&broker)])).await;
    broker.wait_for_subscription(FILTER).await;
    let publisher = Publisher::connect(broker.port);
    check(&sandbox, &rulemill, publisher).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_messages_that_are_good_are_counted() {
    let sandbox = sandbox();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    let odd = [
        r#"{"temperature": 1, "temperature": 20}"#.to_owned(),
        r#"{"temperature": 20, "list": [1, {"temperature": 99}], "temperaturex": 99}"#.to_owned(),
        r#"{"humidity": 123456789012345678901234567890, "temperature": 20}"#.to_owned(),
        r#"{"humidity": 1e999, "name": "\ud800", "temperature": 20}"#.to_owned(),
        format!(
            r#"{{"deep": {}{}, "temperature": 20}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        ),
        format!(r#"{{"long": "{}", "temperature": 20}}"#, "x".repeat(1_000_000)),
        "\n{\t\"temperature\"\r:\n2.0E1\n}\n".to_owned(),
    ];
    for payload in &odd {
        publisher
            .publish(&topic("odd"), payload.as_bytes(), QoS::AtLeastOnce)
            .await;
    }
    for device in ["", " ", "ü$x"] {
        publisher
            .publish(&topic(device), reading(20.0, 30), QoS::AtLeastOnce)
            .await;
    }
    for elsewhere in [
        "/devices/1/messages",
        "devices/1/messages/",
        "devices/1/2/messages",
        "devices/messages",
    ] {
        publisher.publish(elsewhere, reading(99.0, 30), QoS::AtLeastOnce).await;
    }
    window_boundary(&mut publisher, &rulemill, "marker").await;

    let emissions = rulemill.emissions_from(0);
    let mut counts = counts(&emissions);
    counts.remove("marker");
    let expect = [("", 1), (" ", 1), ("odd", odd.len() as u64), ("ü$x", 1)];
    assert_eq!(counts, expect.map(|(device, count)| (device.to_owned(), count)).into());
    for row in emissions.iter().flatten().filter(|row| row["device_id"] != "marker") {
        assert_eq!(
            (&row["t_max"], &row["t_min"]),
            (&Value::from(20), &Value::from(20)),
            "{row}"
        );
    }
    assert_eq!(dead_letters(&sandbox), [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_over_the_size_limit_of_a_broker_is_skipped_and_loses_no_other() {
    let sandbox = sandbox();
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    let source = format!("{}\npacket_bytes_max = \"10KiB\"", source(&broker));
    let rulemill = Rulemill::start(&sandbox, &config(&[&source])).await;
    broker.wait_for_subscription(FILTER).await;
    let mut publisher = Publisher::connect(broker.port);
    let good = |number: u32| topic(&format!("good-{number}"));
    // QoS 0 is what a lost connection would lose.
    let qos = |number: u32| [QoS::AtMostOnce, QoS::AtLeastOnce][number as usize % 2];
    for number in 0..10 {
        publisher.publish(&good(number), reading(20.5, 12), qos(number)).await;
    }
    publisher
        .publish(&topic("large"), vec![b' '; 20_000], QoS::AtLeastOnce)
        .await;
    for number in 10..20 {
        publisher.publish(&good(number), reading(20.5, 12), qos(number)).await;
    }
    publisher.flush().await;
    let once = |all: &[Vec<Value>]| (0..20).all(|number| counts(all).get(&format!("good-{number}")) == Some(&1));
    rulemill
        .wait_for_emissions("every device once", WINDOW_LIMIT, once)
        .await;
    let refused = rulemill.metric("rulemill_source_oversize_total", &[]).await;
    assert!((refused - 1.0).abs() < f64::EPSILON, "got {refused}");
    let told = rulemill
        .log()
        .lines()
        .iter()
        .any(|line| line.contains("packet_bytes_max") && line.contains(&topic("large")));
    assert!(told, "the message that is skipped is named in the log");
    let kept = wait_for("the dead letter", LIMIT, || {
        let text = sandbox.read("dead-letter.jsonl");
        let line = text.lines().next()?.to_owned();
        text.ends_with('\n').then_some(line)
    })
    .await;
    let kept: Value = serde_json::from_str(&kept).expect("a dead letter is JSON");
    assert_eq!(
        (&kept["kind"], &kept["topic"]),
        (&"oversize".into(), &topic("large").into())
    );
    assert_eq!(kept["truncated"], true);
}

/// Each bad payload, and what its reason must say.
fn bad_payloads() -> Vec<(Vec<u8>, &'static str)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (text("temperature=20"), "not JSON"),
        (text(r#"{"temperature": 20"#), "not JSON"),
        (text(r#"{"temperature": 20} {"temperature": 20}"#), "goes on after"),
        (text(r#"{"temperature": 20,}"#), "trailing comma"),
        (text(""), "empty"),
        (text("[20]"), "must be a JSON object, got an array"),
        (text("20"), "must be a JSON object, got a number"),
        (text(r#"{"temperature": "20"}"#), "temperature"),
        (text(r#"{"temperature": {"value": 20}}"#), "temperature"),
        (text(r#"{"temperature": null}"#), "temperature"),
        (text(r#"{"temperature": 1e999}"#), "temperature"),
        (text(r#"{"humidity": 20}"#), "temperature"),
        (text(r#"{"temperature": 20, "temperature": "20"}"#), "temperature"),
        (b"{\"temperature\": 20, \"name\": \"\xff\xfe\"}".to_vec(), "not UTF-8"),
        (vec![0xff; 1000], "not UTF-8"),
        (text("\u{feff}{\"temperature\": 20}"), "byte order mark"),
        (text("{\"temperature\": 20}\0"), "goes on after"),
        (vec![b'x'; 1_000_000], "not JSON"),
        ("[".repeat(100_000).into_bytes(), "array"),
        ("{\"temperature\":".repeat(50_000).into_bytes(), "not JSON"),
    ]
}

async fn check(sandbox: &Sandbox, rulemill: &Rulemill, mut publisher: Publisher) {
    let bad = bad_payloads();
    for (payload, _) in &bad {
        publisher
            .publish(&topic("good"), reading(20.5, 12), QoS::AtLeastOnce)
            .await;
        publisher
            .publish(&topic("bad"), payload.clone(), QoS::AtLeastOnce)
            .await;
        publisher
            .publish(&topic("good"), reading(21.5, 12), QoS::AtLeastOnce)
            .await;
    }
    publisher.flush().await;
    window_boundary(&mut publisher, rulemill, "marker").await;
    let counts = counts(&rulemill.emissions_from(0));
    assert_eq!(counts.get("good"), Some(&(2 * bad.len() as u64)));
    assert_eq!(counts.get("bad"), None);

    let letters = wait_for("the dead letters", WINDOW_LIMIT, || {
        Some(dead_letters(sandbox)).filter(|letters| letters.len() >= bad.len())
    })
    .await;
    assert_eq!(letters.len(), bad.len());
    for (payload, reason) in &bad {
        let shown = String::from_utf8_lossy(&payload[..payload.len().min(60)]);
        let explains = |letter: &&Value| letter["reason"].as_str().is_some_and(|text| text.contains(reason));
        let found = letters.iter().filter(explains).any(|letter| keeps(letter, payload));
        assert!(found, "no letter says \"{reason}\" and keeps {shown}: {letters:#?}");
    }
    assert!(
        letters.iter().all(|letter| letter["topic"] == topic("bad")),
        "{letters:#?}"
    );
    wait_for_async("the metric", LIMIT, async || {
        let counted = rulemill.metric("rulemill_dead_letters_rejected_total", &[]).await;
        (counted == bad.len() as f64).then_some(())
    })
    .await;
}

/// Whether a letter has this payload, or the start of it when it was cut.
fn keeps(letter: &Value, payload: &[u8]) -> bool {
    let cut = letter["truncated"] == true;
    match (letter["payload"].as_str(), letter["payload_base64"].as_str()) {
        (Some(kept), None) if cut => payload.starts_with(kept.as_bytes()) && kept.len() >= 4000,
        (Some(kept), None) => payload == kept.as_bytes(),
        (None, Some(kept)) => std::str::from_utf8(payload).is_err() && kept.len() >= payload.len(),
        _ => false,
    }
}

fn dead_letters(sandbox: &Sandbox) -> Vec<Value> {
    let text = sandbox.read("dead-letter.jsonl");
    // A line that is being written has no end yet.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON: {error}: {line}")))
        .collect()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"2s\"");
    sandbox
}
