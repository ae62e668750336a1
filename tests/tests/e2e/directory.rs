//! Rules come and go with their files.

use crate::common::{LISTENER, config, reading, topic};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get, get_json, plan_guest, wait_for_async};
use rumqttc::QoS;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_file_takes_effect_when_it_appears_and_ends_when_it_goes() {
    let sandbox = Sandbox::new();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    assert_eq!(rule_ids(&rulemill).await, [""; 0]);
    let mut publisher = Publisher::connect(rulemill.listener);

    sandbox.write("rules.d/device_temperature.toml", "window = \"1s\"");
    // The library that it calls is in the program.
    sandbox.add_guest("device_temperature.wasm");
    wait_for_status(&rulemill, "running").await;
    assert_eq!(rule_ids(&rulemill).await, ["device_temperature"]);

    publisher
        .publish(&topic("a"), reading(20.0, 30), QoS::AtLeastOnce)
        .await;
    let emissions = rulemill
        .wait_for_emissions("the first emission", LIMIT, |all| !all.is_empty())
        .await;
    assert_eq!(emissions[0][0]["device_id"], "a");

    sandbox.remove("rules.d/device_temperature.wasm");
    wait_for_async("the rule to go", LIMIT, async || {
        rule_ids(&rulemill).await.is_empty().then_some(())
    })
    .await;
    let (status, _) = get(rulemill.http, "/rules/device_temperature/status")
        .await
        .expect("rulemill answers");
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_guest_disturbs_nobody() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"1s\"");
    sandbox.write("rules.d/broken.wasm", "not wasm at all");
    sandbox.write("rules.d/empty.wasm", "");
    sandbox.write("rules.d/readme.txt", "nothing to see");
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    wait_for_status(&rulemill, "running").await;

    // A good file is replaced by a bad one: the good one runs on.
    sandbox.write("rules.d/device_temperature.wasm", "torn");
    let log = rulemill.log().clone();
    wait_for_async("the refusal in the log", LIMIT, async || {
        let refused = |line: &String| line.contains("device_temperature") && line.contains("refused");
        log.lines().iter().any(refused).then_some(())
    })
    .await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher
        .publish(&topic("a"), reading(20.0, 30), QoS::AtLeastOnce)
        .await;
    rulemill
        .wait_for_emissions("an emission of the old version", LIMIT, |all| !all.is_empty())
        .await;
    for broken in ["broken", "empty"] {
        assert!(log.text().contains(broken), "{broken}.wasm must be named in the log");
    }
    assert!(!log.text().contains("readme.txt"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_rules_that_come_at_once_all_run() {
    let sandbox = Sandbox::new();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    for number in 0..500 {
        let plan = json!({
            "name": format!("count_{number}"),
            "topics": ["a"],
            "window": {"kind": "tumbling", "size_ms": 1000},
            "aggregates": [{"name": "count", "function": "count"}],
            "emits": [{"name": format!("count_{number}"), "column": 2}],
        });
        sandbox.write(&format!("rules.d/count_{number}.wasm"), plan_guest(&plan));
    }
    wait_for_async("all rules to run", MANY_LIMIT, async || {
        (rule_ids(&rulemill).await.len() == 500).then_some(())
    })
    .await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher.publish("a", "{}", QoS::AtLeastOnce).await;
    let emissions = rulemill
        .wait_for_emissions("an emission of each", LIMIT, |all| all.len() == 500)
        .await;
    let mut counted: Vec<String> = emissions.iter().map(|rows| rows[0].to_string()).collect();
    counted.sort();
    let mut expected: Vec<String> = (0..500).map(|number| format!("{{\"count_{number}\":1}}")).collect();
    expected.sort();
    assert_eq!(counted, expected);
}

async fn rule_ids(rulemill: &Rulemill) -> Vec<String> {
    let rules = get_json(rulemill.http, "/guests")
        .await
        .expect("rulemill lists its rules");
    let rules = rules.as_array().expect("the list is an array");
    rules
        .iter()
        .filter(|rule| rule["kind"] == "rule")
        .map(|rule| rule["id"].as_str().expect("a rule has an id").to_owned())
        .collect()
}

async fn wait_for_status(rulemill: &Rulemill, status: &str) {
    let what = format!("device_temperature to be {status}");
    wait_for_async(&what, LIMIT, async || {
        let found = get_json(rulemill.http, "/rules/device_temperature/status").await?;
        found["status"].as_str()?.contains(status).then_some(())
    })
    .await;
}

/// How long 500 files may take to be compiled, described and tested.
const MANY_LIMIT: Duration = Duration::from_secs(120);
