//! A new version that is worse than the one before is taken back, and costs no message.

use crate::common::{FILTER, LISTENER, config, reading, topic, wait_for_log};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get_json, plan_guest, post, wait_for_async};
use rumqttc::QoS;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_fails_on_what_the_version_before_processes_is_taken_back_without_a_loss() {
    let (sandbox, mut rulemill, mut publisher) = start("").await;
    publish(&mut publisher, 10).await;

    sandbox.replace("rules.d/count.wasm", &counting(&["temperature", "pressure"]));
    wait_for_log(&rulemill, "rule loaded rule=\"count\" state=\"open windows go on\"").await;
    publish(&mut publisher, 10).await;
    wait_for_log(&rulemill, "the version before runs again").await;
    publish(&mut publisher, 10).await;

    let status = status(&rulemill).await;
    assert_eq!(status["status"], "running");
    assert_eq!(status["reloads_rolled_back_total"], 1);
    let reason = status["refused"]["reason"].as_str().expect("the reason is told");
    assert!(reason.starts_with("rolled back: it failed on"), "{reason}");
    rulemill.stop().await;
    assert_eq!(counted(&rulemill), 30);
    assert!(!sandbox.path("dead-letter.jsonl").exists() || sandbox.read("dead-letter.jsonl").is_empty());
    let batches = sandbox.path("data/guests/count");
    let kept = std::fs::read_dir(batches).expect("the store is there");
    let kept = kept.filter(|entry| {
        entry
            .as_ref()
            .is_ok_and(|entry| entry.path().extension() == Some("jsonl".as_ref()))
    });
    assert_eq!(kept.count(), 1, "the batch that showed it is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_in_quarantine_stays_there_over_a_restart_until_it_is_lifted() {
    let (sandbox, mut rulemill, mut publisher) = start("").await;
    sandbox.replace("rules.d/count.wasm", &counting(&["temperature", "pressure"]));
    wait_for_log(&rulemill, "open windows go on").await;
    publish(&mut publisher, 1).await;
    wait_for_log(&rulemill, "the version before runs again").await;
    rulemill.stop().await;

    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    let found = status(&rulemill).await;
    assert_eq!(found["status"], "running");
    let reason = found["refused"]["reason"]
        .as_str()
        .expect("the reason is told")
        .to_owned();
    assert!(reason.contains("it is in quarantine"), "{reason}");
    publish(&mut publisher, 5).await;

    let (code, body) = post(rulemill.http, "/rules/count/retry")
        .await
        .expect("rulemill answers");
    assert_eq!(code, 200, "{body}");
    publish(&mut publisher, 5).await;
    wait_for_log(&rulemill, "the version before runs again").await;
    rulemill.stop().await;
    assert_eq!(counted(&rulemill), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_good_version_waits_for_its_library_after_a_restart() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write(
        "rules.d/device_temperature.toml",
        "window = \"1d\"\non_change = \"now\"",
    );
    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    let mut pressure = counting_plan(&["pressure"]);
    pressure["topics"] = json!([FILTER]);
    let pressure = plan_guest(&pressure);
    sandbox.replace("rules.d/device_temperature.wasm", &pressure);
    wait_for_log(&rulemill, "rule loaded rule=\"device_temperature\" state=\"new\"").await;
    wait_for_async("the worse version", LIMIT, async || {
        publisher
            .publish(&topic("a"), reading(20.5, 12), QoS::AtLeastOnce)
            .await;
        publisher.flush().await;
        rulemill
            .log()
            .text()
            .contains("the version before runs again")
            .then_some(())
    })
    .await;
    rulemill.stop().await;

    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let status = get_json(rulemill.http, "/rules/device_temperature/status")
        .await
        .expect("it is there");
    assert_eq!(status["status"], "running");
    assert!(
        status["refused"]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("quarantine")),
        "{status}"
    );
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher
        .publish(&topic("b"), reading(21.0, 12), QoS::AtLeastOnce)
        .await;
    publisher.flush().await;
    rulemill.stop().await;
    let emissions = rulemill.emissions_from(0);
    assert_eq!(emissions.last().expect("there is one")[0]["device_id"], "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_fails_on_what_the_one_before_failed_on_too_stays() {
    let (sandbox, mut rulemill, mut publisher) = start("probation = \"1ms\"\nprobation_batches = 3").await;
    let mut renamed = counting_plan(&["temperature"]);
    renamed["emits"] = json!([{"name": "messages", "column": 2}]);
    sandbox.replace("rules.d/count.wasm", &plan_guest(&renamed));
    wait_for_log(&rulemill, "open windows go on").await;
    for _ in 0..5 {
        publisher
            .publish("counted", r#"{"temperature": "hot"}"#, QoS::AtLeastOnce)
            .await;
        publisher.flush().await;
    }
    wait_for_log(&rulemill, "the new version has proven itself").await;
    assert_eq!(status(&rulemill).await["reloads_rolled_back_total"], 0);
    publish(&mut publisher, 2).await;
    rulemill.stop().await;
    let emissions = rulemill.emissions_from(0);
    assert_eq!(emissions.last().expect("there is one")[0], json!({"messages": 2}));
    assert_eq!(sandbox.read("dead-letter.jsonl").lines().count(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_probation_a_worse_version_stays() {
    let (sandbox, mut rulemill, mut publisher) = start("probation = \"0s\"").await;
    sandbox.replace("rules.d/count.wasm", &counting(&["temperature", "pressure"]));
    wait_for_log(&rulemill, "open windows go on").await;
    publish(&mut publisher, 3).await;
    rulemill.stop().await;
    assert_eq!(sandbox.read("dead-letter.jsonl").lines().count(), 3);
}

async fn start(reload: &str) -> (Sandbox, Rulemill, Publisher) {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/count.wasm", counting(&["temperature"]));
    let reload = format!("[reload]\n{reload}");
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, &reload])).await;
    let publisher = Publisher::connect(rulemill.listener);
    (sandbox, rulemill, publisher)
}

/// A rule that counts the messages with these fields in windows of a day, which end with the process.
fn counting(fields: &[&str]) -> Vec<u8> {
    plan_guest(&counting_plan(fields))
}

fn counting_plan(fields: &[&str]) -> Value {
    let needs: Vec<Value> = fields
        .iter()
        .map(|field| json!({"name": field, "type": "float", "origin": {"field": [field]}, "missing": "reject", "mistyped": "reject"}))
        .collect();
    json!({
        "format": 1,
        "name": "count",
        "topics": ["counted"],
        "needs": needs,
        "window": {"kind": "tumbling", "size_ms": 86_400_000},
        "aggregates": [{"name": "n", "function": "count"}],
        "emits": [{"name": "n", "column": 2}]
    })
}

async fn publish(publisher: &mut Publisher, messages: usize) {
    for _ in 0..messages {
        publisher
            .publish("counted", r#"{"temperature": 20.5}"#, QoS::AtLeastOnce)
            .await;
    }
    publisher.flush().await;
}

fn counted(rulemill: &Rulemill) -> u64 {
    let emissions = rulemill.emissions_from(0);
    let counts = emissions
        .iter()
        .flatten()
        .map(|row| row["n"].as_u64().expect("every row has a count"));
    counts.sum()
}

async fn status(rulemill: &Rulemill) -> Value {
    wait_for_async("the rule's status", LIMIT, async || {
        get_json(rulemill.http, "/rules/count/status").await
    })
    .await
}
