//! The limits of guests are changed while they run.

use crate::common::{LISTENER, config, plan_by_event_time, reading, topic};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get_json, plan_guest, wait_for_async};
use rumqttc::QoS;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_rule_gets_the_new_limits_and_keeps_its_open_window() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/by_event.wasm", plan_guest(&plan_by_event_time()));
    let rulemill = Rulemill::start(&sandbox, &limited("groups_max = 1")).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher, "a", 0).await;
    publish(&mut publisher, "b", 0).await;
    wait_for_dead_rows(&rulemill, 1.0).await;

    rulemill.reconfigure(&limited("groups_max = 2"));
    wait_for_limit(&rulemill, "by_event", "groups_max", 2).await;
    for device in ["a", "b", "c"] {
        publish(&mut publisher, device, 1).await;
    }
    wait_for_dead_rows(&rulemill, 2.0).await;
    publish(&mut publisher, "a", 11_000).await;
    let emissions = rulemill
        .wait_for_emissions("the window", LIMIT, |all| !all.is_empty())
        .await;
    let counts: Vec<(&Value, &Value)> = emissions[0].iter().map(|row| (&row["device"], &row["count"])).collect();
    assert_eq!(counts, [(&json!("a"), &json!(2)), (&json!("b"), &json!(1))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_file_beside_a_rule_sets_stays() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/by_event.wasm", plan_guest(&plan_by_event_time()));
    sandbox.write("rules.d/by_event.toml", "[limits]\ngroups_max = 5");
    let rulemill = Rulemill::start(&sandbox, &limited("groups_max = 1\nwindows_max = 7")).await;
    rulemill.reconfigure(&limited("groups_max = 2\nwindows_max = 8"));
    wait_for_limit(&rulemill, "by_event", "windows_max", 8).await;
    wait_for_limit(&rulemill, "by_event", "groups_max", 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_cannot_start_within_new_limits_run_on_under_the_old_ones() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "comfort.wasm"]);
    sandbox.write("rules.d/comfort.toml", "window = \"1s\"\n[settings]\nmessages_min = 1");
    let rulemill = Rulemill::start(&sandbox, &limited("memory_bytes_max = \"64MiB\"")).await;
    // A Rust guest has a megabyte of stack.
    rulemill.reconfigure(&limited("memory_bytes_max = \"64KiB\""));
    for guest in ["text", "comfort"] {
        wait_for_refusal(&rulemill, guest, Some("limits.memory_bytes_max")).await;
    }
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher
        .publish(&topic("a"), reading(20.0, 30), QoS::AtLeastOnce)
        .await;
    rulemill
        .wait_for_emissions("an emission", LIMIT, |all| !all.is_empty())
        .await;

    rulemill.reconfigure(&limited("memory_bytes_max = \"32MiB\""));
    for guest in ["text", "comfort"] {
        wait_for_refusal(&rulemill, guest, None).await;
        wait_for_limit(&rulemill, guest, "memory_bytes_max", 32 << 20).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_too_large_is_loaded_when_it_may_be_that_large() {
    let sandbox = Sandbox::with_guests(&["text.wasm"]);
    let rulemill = Rulemill::start(&sandbox, &limited("file_bytes_max = \"1KiB\"")).await;
    wait_for_refusal(&rulemill, "text", Some("limits.file_bytes_max")).await;
    rulemill.reconfigure(&limited("file_bytes_max = \"16MiB\""));
    wait_for_refusal(&rulemill, "text", None).await;
    let status = get_json(rulemill.http, "/rules/text/status").await.unwrap();
    assert_eq!(status["status"], "running");
}

fn limited(limits: &str) -> String {
    config(&[LISTENER, &format!("[limits]\n{limits}")])
}

/// A message of a device with an event time in milliseconds.
async fn publish(publisher: &mut Publisher, device: &str, at: i64) {
    let event = json!({"device": device, "at": at, "value": 1.0});
    publisher.publish("events", event.to_string(), QoS::AtLeastOnce).await;
    // One message a batch, so that the watermark moves after each of them.
    publisher.flush().await;
}

async fn wait_for_dead_rows(rulemill: &Rulemill, count: f64) {
    wait_for_async("the dead rows", LIMIT, async || {
        let dead = rulemill
            .metric("rulemill_rule_dead_rows_total", &["by_event", "bound"])
            .await;
        (dead >= count).then(|| assert!(dead <= count, "{dead} rows are dead"))
    })
    .await;
}

async fn wait_for_limit(rulemill: &Rulemill, guest: &str, name: &str, value: u64) {
    wait_for_async(&format!("{name} of {guest}"), LIMIT, async || {
        let found = get_json(rulemill.http, &format!("/rules/{guest}")).await?;
        (found["deployment"]["limits"][name] == value).then_some(())
    })
    .await;
}

/// Waits until the guest's newest version is refused for a reason with these words, or taken.
async fn wait_for_refusal(rulemill: &Rulemill, guest: &str, words: Option<&str>) {
    wait_for_async(&format!("the refusal of {guest}: {words:?}"), LIMIT, async || {
        let status = get_json(rulemill.http, &format!("/rules/{guest}/status")).await?;
        match (words, status["refused"]["reason"].as_str()) {
            (None, None) => Some(()),
            (Some(words), Some(reason)) => reason.contains(words).then_some(()),
            (None, Some(_)) | (Some(_), None) => None,
        }
    })
    .await;
}
