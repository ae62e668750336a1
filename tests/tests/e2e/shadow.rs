//! A version in the shadow runs on live messages, emits nothing, and is compared with the one that runs.

use crate::common::{LISTENER, config, wait_for_log};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get, get_json, plan_guest, post, wait_for_async};
use rumqttc::QoS;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_emits_nothing_and_its_differences_are_told_until_it_is_promoted() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/hot.wasm", hot(20.0));
    let mut rulemill = start(&sandbox).await;
    let mut publisher = Publisher::connect(rulemill.listener);

    sandbox.write("rules.d/hot.toml", "shadow = true");
    sandbox.replace("rules.d/hot.wasm", &hot(30.0));
    let digest = wait_for_shadow(&rulemill, |shadow| shadow["name"] == "hot_above_30").await["digest"].clone();
    // The first is over both thresholds, the second over one, the third over none.
    for temperature in [40.5, 25.5, 10.5] {
        publish(&mut publisher, temperature).await;
    }
    let shadow = wait_for_shadow(&rulemill, |shadow| shadow["results_different_total"] == 1).await;
    assert_eq!(shadow["results_equal_total"], 1);
    assert_eq!(shadow["rows_only_running_total"], 1);
    assert_eq!(shadow["rows_only_shadow_total"], 0);
    let difference = &shadow["last_difference"];
    assert_eq!(difference["window"], Value::Null);
    assert_eq!(difference["only_running"]["examples"], json!([{"temperature": 25.5}]));
    wait_for_log(&rulemill, "the shadow gives another result").await;
    let metrics = get(rulemill.http, "/metrics").await.expect("it answers").1;
    assert!(metrics.contains(r#"rulemill_shadow_results_total{rule="hot",outcome="different"} 1"#));
    assert!(metrics.contains(r#"rulemill_rule_reloads_total{rule="hot/shadow""#));

    let (code, body) = post(rulemill.http, "/rules/hot/promote").await.expect("it answers");
    assert_eq!(code, 200, "{body}");
    let promoted = status(&rulemill).await;
    assert_eq!(
        (&promoted["running"]["digest"], &promoted["shadow"]),
        (&digest, &Value::Null)
    );
    publish(&mut publisher, 26.5).await;
    publish(&mut publisher, 41.5).await;
    let (code, body) = post(rulemill.http, "/rules/hot/promote").await.expect("it answers");
    assert_eq!(code, 409, "{body}");
    assert!(body.contains("hot has no shadow"), "{body}");
    let metrics = get(rulemill.http, "/metrics").await.expect("it answers").1;
    assert!(!metrics.contains("hot/shadow") && !metrics.contains("rulemill_shadow_results_total{"));
    rulemill.stop().await;
    assert_eq!(emitted(&rulemill), [40.5, 25.5, 41.5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_are_compared_from_the_first_that_the_shadow_sees_whole() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/count.wasm", counting("t", "temperature"));
    let mut rulemill = start(&sandbox).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher, 1.5).await;
    sandbox.write("rules.d/count.toml", "shadow = true");
    let same = wait_for_async("the shadow", LIMIT, async || {
        publish(&mut publisher, 1.5).await;
        let shadow = shadow_of(&rulemill, "count").await;
        (shadow["results_equal_total"].as_u64() >= Some(2)).then_some(shadow)
    })
    .await;
    assert_eq!(same["results_different_total"], 0, "{same}");

    sandbox.replace("rules.d/count.wasm", &counting("t", "missing"));
    let other = wait_for_async("a difference", LIMIT, async || {
        publish(&mut publisher, 1.5).await;
        let shadow = shadow_of(&rulemill, "count").await;
        (shadow["results_different_total"].as_u64() >= Some(1)).then_some(shadow)
    })
    .await;
    assert_eq!(other["results_equal_total"], 0, "{other}");
    assert!(other["last_difference"]["window"]["start"].is_string(), "{other}");
    rulemill.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_stays_one_over_a_restart_and_a_promoted_version_does_not_become_one() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/hot.wasm", hot(20.0));
    let mut rulemill = start(&sandbox).await;
    sandbox.write("rules.d/hot.toml", "shadow = true");
    sandbox.replace("rules.d/hot.wasm", &hot(30.0));
    wait_for_shadow(&rulemill, |shadow| shadow["name"] == "hot_above_30").await;
    rulemill.stop().await;

    let mut rulemill = start(&sandbox).await;
    let found = status(&rulemill).await;
    assert_eq!(found["running"]["name"], "hot_above_20", "{found}");
    assert_eq!(found["shadow"]["name"], "hot_above_30", "{found}");
    assert_eq!(found["shadow"]["not_compared"], Value::Null, "{found}");
    let (code, body) = post(rulemill.http, "/rules/hot/promote").await.expect("it answers");
    assert_eq!(code, 200, "{body}");
    rulemill.stop().await;

    let mut rulemill = start(&sandbox).await;
    let found = status(&rulemill).await;
    assert_eq!(found["running"]["name"], "hot_above_30", "{found}");
    assert_eq!(found["shadow"], Value::Null, "{found}");
    rulemill.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_version_of_a_rule_may_be_a_shadow_and_one_that_goes_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/hot.toml", "shadow = true");
    sandbox.write("rules.d/hot.wasm", hot(20.0));
    let mut rulemill = start(&sandbox).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    let found = status(&rulemill).await;
    assert_eq!(
        (&found["status"], &found["running"]),
        (&json!("shadow"), &Value::Null),
        "{found}"
    );
    assert_eq!(found["shadow"]["not_compared"], "no version runs");
    publish(&mut publisher, 40.5).await;
    wait_for_shadow(&rulemill, |shadow| shadow["records_in_total"] == 1).await;

    // Without the word the same code runs.
    sandbox.write("rules.d/hot.toml", "");
    wait_for_async("the rule", LIMIT, async || {
        (status(&rulemill).await["status"] == "running").then_some(())
    })
    .await;
    publish(&mut publisher, 41.5).await;
    rulemill.stop().await;
    assert_eq!(emitted(&rulemill), [41.5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_shadow_fails_on_is_no_dead_letter_and_a_library_cannot_be_one() {
    let sandbox = Sandbox::with_guests(&["text.wasm"]);
    sandbox.write("rules.d/hot.wasm", hot(20.0));
    let mut rulemill = start(&sandbox).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    sandbox.write("rules.d/hot.toml", "shadow = true");
    sandbox.replace("rules.d/hot.wasm", &rejecting());
    wait_for_shadow(&rulemill, |shadow| shadow["name"] == "rejecting").await;
    publish(&mut publisher, 40.5).await;
    let shadow = wait_for_shadow(&rulemill, |shadow| shadow["dead_rows_total"] == 1).await;
    assert_eq!(shadow["rows_only_running_total"], 1);
    let found = status(&rulemill).await;
    assert_eq!(found["dead_rows_total"], 0, "{found}");

    sandbox.write("rules.d/text.toml", "shadow = true");
    wait_for_log(&rulemill, "a library cannot be a shadow").await;
    sandbox.remove("rules.d/hot.wasm");
    wait_for_async("the end of the rule", LIMIT, async || {
        get_json(rulemill.http, "/rules/hot/status")
            .await
            .is_none()
            .then_some(())
    })
    .await;
    rulemill.stop().await;
    assert_eq!(emitted(&rulemill), [40.5]);
    assert!(!sandbox.path("dead-letter.jsonl").exists() || sandbox.read("dead-letter.jsonl").is_empty());
}

async fn start(sandbox: &Sandbox) -> Rulemill {
    Rulemill::start(sandbox, &config(&[LISTENER])).await
}

/// Lets messages pass that say that they are above `limit`: a rule without a window.
fn hot(limit: f64) -> Vec<u8> {
    let mut plan = rejecting_plan();
    plan["name"] = json!(format!("hot_above_{limit}"));
    plan["needs"][1] =
        json!({"name": "hot", "type": "bool", "origin": {"field": [format!("above_{limit}")]}, "missing": "reject"});
    plan["keep"] = json!(1);
    plan_guest(&plan)
}

/// Refuses each message, because a field is missing.
fn rejecting() -> Vec<u8> {
    plan_guest(&rejecting_plan())
}

fn rejecting_plan() -> Value {
    json!({
        "format": 1,
        "name": "rejecting",
        "topics": ["counted"],
        "needs": [
            {"name": "temperature", "type": "float", "origin": {"field": ["temperature"]}},
            {"name": "pressure", "type": "float", "origin": {"field": ["pressure"]}, "missing": "reject"},
        ],
        "emits": [{"name": "temperature", "column": 0}]
    })
}

/// The mean of a field in windows of a second.
fn counting(name: &str, field: &str) -> Vec<u8> {
    plan_guest(&json!({
        "format": 1,
        "name": name,
        "topics": ["counted"],
        "needs": [{"name": "value", "type": "float", "origin": {"field": [field]}}],
        "window": {"kind": "tumbling", "size_ms": 1000},
        "aggregates": [
            {"name": "rows", "function": "count"},
            {"name": "values", "function": "count", "arguments": [{"column": 0}]},
        ],
        "emits": [{"name": "rows", "column": 2}, {"name": "values", "column": 3}]
    }))
}

async fn publish(publisher: &mut Publisher, temperature: f64) {
    let payload = json!({"temperature": temperature, "above_20": temperature > 20.0, "above_30": temperature > 30.0});
    publisher
        .publish("counted", payload.to_string(), QoS::AtLeastOnce)
        .await;
    publisher.flush().await;
}

fn emitted(rulemill: &Rulemill) -> Vec<f64> {
    let emissions = rulemill.emissions_from(0);
    let rows = emissions.iter().flatten();
    rows.map(|row| row["temperature"].as_f64().expect("every row has one"))
        .collect()
}

async fn status(rulemill: &Rulemill) -> Value {
    get_json(rulemill.http, "/rules/hot/status")
        .await
        .expect("the rule is there")
}

async fn shadow_of(rulemill: &Rulemill, rule: &str) -> Value {
    let status = get_json(rulemill.http, &format!("/rules/{rule}/status")).await;
    status.map_or(Value::Null, |status| status["shadow"].clone())
}

async fn wait_for_shadow(rulemill: &Rulemill, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for_async("the shadow", LIMIT, async || {
        let shadow = shadow_of(rulemill, "hot").await;
        wanted(&shadow).then_some(shadow)
    })
    .await
}
