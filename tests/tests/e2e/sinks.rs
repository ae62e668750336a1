//! Emissions reach every kind of sink, also when the other side is away for a moment.

use crate::common::{LISTENER, WINDOW_LIMIT, config, reading, topic};
use rulemill_tests::{
    Access, Authority, HttpReceiver, KeyFile, LIMIT, Mosquitto, Publisher, Rulemill, Sandbox, Subscriber, wait_for,
};
use rumqttc::QoS;
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_and_http_sinks_get_what_the_log_gets() {
    let receiver = HttpReceiver::start(1).await;
    let sandbox = sandbox(&["log", "file", "rows", "web"]);
    let sinks = format!(
        r#"
        [sink.file]
        type = "file"
        path = "results.jsonl"
        [sink.rows]
        type = "file"
        path = "rows.jsonl"
        format = "single"
        [sink.web]
        type = "http"
        url = "http://127.0.0.1:{}/results"
        "#,
        receiver.port
    );
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, &sinks])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    for turn in 0..3 {
        publish(&mut publisher, turn * 10..turn * 10 + 10).await;
        wait_for_log(&rulemill, turn * 10 + 10).await;
    }
    let logged = rulemill.stdout().lines();
    wait_for("the file", LIMIT, || {
        let lines: Vec<String> = sandbox.read("results.jsonl").lines().map(str::to_owned).collect();
        (lines == logged).then_some(())
    })
    .await;
    wait_for("the web server", WINDOW_LIMIT, || {
        (receiver.bodies() == logged).then_some(())
    })
    .await;
    assert_eq!(receiver.refusals_left(), 0, "a refused request is tried again");
    let rows = sandbox.read("rows.jsonl");
    let rows: Vec<Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).expect("a row is an object"))
        .collect();
    assert_eq!(rows, rulemill.emissions_from(0).concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_sink_rotates() {
    let sandbox = sandbox(&["log", "file"]);
    let sink = "[sink.file]\ntype = \"file\"\npath = \"results.jsonl\"\nrotate_bytes = \"4KiB\"\nkeep = 100";
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, sink])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    for turn in 0..4 {
        publish(&mut publisher, turn * 50..turn * 50 + 50).await;
        wait_for_log(&rulemill, turn * 50 + 50).await;
    }
    let logged = rulemill.stdout().lines();
    let rotated = wait_for("all files", LIMIT, || {
        let files = (1..100).map(|number| sandbox.read(&format!("results.jsonl.{number}")));
        let rotated: Vec<String> = files.take_while(|text| !text.is_empty()).collect();
        let newest = sandbox.read("results.jsonl");
        let all = rotated
            .iter()
            .rev()
            .map(String::as_str)
            .chain([newest.as_str()])
            .collect::<String>();
        (all.lines().eq(&logged)).then_some(rotated)
    })
    .await;
    assert!(!rotated.is_empty(), "several kilobytes do not stay in one file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_form_opens_a_mutual_tls_broker() {
    let names = KeyFile::ALL.map(KeyFile::name);
    let sandbox = sandbox(&names);
    let authority = Authority::new(&sandbox);
    let server = authority.server(&sandbox);
    let access = Access::MutualTls {
        ca: &authority.ca,
        server: &server,
    };
    let broker = Mosquitto::start(&sandbox, access).await;
    let reader = authority.client(&sandbox, "reader");
    let results = Subscriber::connect_tls(&broker, "results/#", &authority.ca, &reader).await;
    let mut sinks = String::new();
    for form in KeyFile::ALL {
        authority.client_with_key(&sandbox, form);
        sinks += &mqtt_sink(form.name(), &broker.ssl_url());
        sinks += &format!("ca = \"ca.pem\"\ncert = \"{0}.pem\"\nkey = \"{0}.key\"\n", form.name());
    }
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, &sinks])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher, 0..1).await;

    let received = wait_for("a message of each sink", WINDOW_LIMIT, || {
        Some(results.received()).filter(|received| received.len() >= names.len())
    })
    .await;
    let topics: BTreeSet<&str> = received.iter().map(|message| message.topic.as_str()).collect();
    let expect = names.map(|name| format!("results/{name}"));
    assert_eq!(topics, expect.iter().map(String::as_str).collect());
    assert!(
        received
            .iter()
            .all(|message| message.payload == received[0].payload && message.qos == 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_restarts_loses_nothing() {
    let sandbox = sandbox(&["log", "cloud"]);
    let mut broker = Mosquitto::start(&sandbox, Access::Open).await;
    let results = Subscriber::connect(&broker, "results/#").await;
    let sink = mqtt_sink("cloud", &broker.tcp_url());
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, &sink])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher, 0..50).await;
    wait_for_log(&rulemill, 50).await;
    broker.stop().await;
    publish(&mut publisher, 50..100).await;
    wait_for_log(&rulemill, 100).await;
    broker.restart().await;
    publish(&mut publisher, 100..150).await;
    wait_for_log(&rulemill, 150).await;

    let expect: BTreeSet<String> = (0..150).map(device).collect();
    wait_for("all devices at the subscriber", WINDOW_LIMIT, || {
        (devices(&results.payloads()) == expect).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_is_away_stops_no_other() {
    let sandbox = sandbox(&["log", "away"]);
    let mut broker = Mosquitto::start(&sandbox, Access::Open).await;
    let sink = mqtt_sink("away", &broker.tcp_url());
    broker.stop().await;
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, &sink])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher, 0..10).await;
    wait_for_log(&rulemill, 10).await;
}

/// A sandbox with the tutorial's rule, in short windows, for these sinks.
fn sandbox(sinks: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    let sidecar = format!("window = \"200ms\"\nsinks = {sinks:?}");
    sandbox.write("rules.d/device_temperature.toml", sidecar);
    sandbox
}

fn mqtt_sink(name: &str, server: &str) -> String {
    format!("[sink.{name}]\ntype = \"mqtt\"\nserver = \"{server}\"\ntopic = \"results/{name}\"\nqos = 1\n")
}

fn device(number: usize) -> String {
    format!("device-{number}")
}

/// Publishes one message of each of these devices, which no other call uses.
async fn publish(publisher: &mut Publisher, devices: std::ops::Range<usize>) {
    for number in devices {
        publisher
            .publish(&topic(&device(number)), reading(20.5, 12), QoS::AtLeastOnce)
            .await;
    }
    publisher.flush().await;
}

/// Waits until so many devices are on standard output.
async fn wait_for_log(rulemill: &Rulemill, count: usize) {
    let what = format!("{count} devices on the log sink");
    wait_for(&what, LIMIT, || {
        (devices(&rulemill.stdout().lines()).len() >= count).then_some(())
    })
    .await;
}

/// The devices of all rows in these arrays.
fn devices(arrays: &[String]) -> BTreeSet<String> {
    let rows = arrays.iter().flat_map(|array| {
        let rows: Vec<Value> = serde_json::from_str(array).expect("an emission is an array");
        rows
    });
    rows.map(|row| row["device_id"].as_str().expect("every row has a device").to_owned())
        .collect()
}
