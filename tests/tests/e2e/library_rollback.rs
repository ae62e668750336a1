//! A new version of a library that is worse than the one before is taken back, and costs no message.

use crate::common::{LISTENER, config, wait_for_log};
use rulemill_tests::guests::{LibraryGuest, REFUSE_ALL, on_int, on_rows};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get_json, plan_guest, wait_for};
use rumqttc::QoS;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_traps_on_every_message() {
    check(&library().attack(&on_rows("(unreachable)"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_traps_on_some_messages() {
    check(&library().attack(&on_int(7, "(unreachable)"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_refuses_messages() {
    check(&library().evaluate(REFUSE_ALL)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_whose_aggregate_traps() {
    check(&library().accumulate("(unreachable)")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_fails_when_windows_end() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/calc.wasm", library().build());
    sandbox.write("rules.d/sums.wasm", plan_guest(&sums()));
    sandbox.write("rules.d/sums.toml", "window = \"1s\"");
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher).await;
    rulemill
        .wait_for_emissions("a window", LIMIT, |all| !all.is_empty())
        .await;

    // No message fails with it, but no window comes out.
    sandbox.replace("rules.d/calc.wasm", &library().finish("(unreachable)").build());
    wait_for("the bad version", LIMIT, || {
        (rulemill.log().text().matches("library loaded").count() == 2).then_some(())
    })
    .await;
    publish(&mut publisher).await;
    wait_for_log(&rulemill, "the version before runs again").await;
    let before = rulemill.emissions_from(0).len();
    publish(&mut publisher).await;
    rulemill
        .wait_for_emissions("a window again", LIMIT, |all| all.len() > before)
        .await;
    let status = get_json(rulemill.http, "/rules/calc/status")
        .await
        .expect("it is there");
    let reason = status["refused"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("lost groups of a closed window"), "{reason}");
}

/// `bad` comes in place of a good version while messages flow.
async fn check(bad: &LibraryGuest) {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/calc.wasm", library().build());
    sandbox.write("rules.d/sums.wasm", plan_guest(&sums()));
    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher).await;

    sandbox.replace("rules.d/calc.wasm", &bad.build());
    wait_for("the bad version", LIMIT, || {
        (rulemill.log().text().matches("library loaded").count() == 2).then_some(())
    })
    .await;
    publish(&mut publisher).await;
    wait_for_log(&rulemill, "the version before runs again").await;
    publish(&mut publisher).await;

    let status = get_json(rulemill.http, "/rules/calc/status")
        .await
        .expect("it is there");
    assert_eq!(status["status"], "running", "{status}");
    assert_eq!(status["reloads_rolled_back_total"], 1, "{status}");
    let reason = status["refused"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("rolled back: rules (sums) failed on"), "{reason}");
    assert!(rulemill.stop().await.success());
    let rows: Vec<Value> = rulemill.emissions_from(0).into_iter().flatten().collect();
    assert_eq!(rows, [json!({"n": 30, "sum": 90, "total": 90})]);
    assert_eq!(sandbox.read("dead-letter.jsonl"), "");
}

/// Ten messages, which make 30.
async fn publish(publisher: &mut Publisher) {
    for value in [1, 2, 3, 7, 1, 2, 3, 7, 2, 2] {
        let payload = json!({"value": value}).to_string();
        publisher.publish("values", payload, QoS::AtLeastOnce).await;
    }
    publisher.flush().await;
}

fn library() -> LibraryGuest {
    let value = json!([{"name": "value", "type": "int"}]);
    LibraryGuest::new(&json!({
        "name": "calc",
        "scalars": [{"name": "same", "parameters": value, "returns": "int", "volatility": "volatile"}],
        "aggregates": [{"name": "total", "parameters": value, "returns": "int", "state_words": 1,
                        "fingerprint": "0000000000000001"}],
    }))
}

/// Sums what the library gives for the messages of a day, which ends with the process.
fn sums() -> Value {
    json!({
        "name": "sums",
        "topics": ["values"],
        "needs": [{"name": "value", "type": "int", "origin": {"field": ["value"]}, "missing": "reject"}],
        "before": [{"call": {"name": "result", "function": "same", "arguments": [{"column": 0}]}}],
        "window": {"kind": "tumbling", "size_ms": 86_400_000},
        "aggregates": [
            {"name": "n", "function": "count"},
            {"name": "sum", "function": "sum", "arguments": [{"column": 1}]},
            {"name": "total", "function": "total", "arguments": [{"column": 0}]},
        ],
        "emits": [{"name": "n", "column": 2}, {"name": "sum", "column": 3}, {"name": "total", "column": 4}],
    })
}
