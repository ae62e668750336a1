//! What is spoiled while nothing runs is as harmless at the next start as it is while rules run.

use crate::common::{LISTENER, calling_lonely, config, counts, lonely_library, reading, topic, wait_for_log};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get_json, plan_guest, run_to_end, wait_for_async};
use rumqttc::QoS;
use serde_json::Value;

const KEPT: &str = "[data]\non_stop = \"keep\"\n";

async fn status(rulemill: &Rulemill, guest: &str) -> Value {
    get_json(rulemill.http, &format!("/rules/{guest}/status"))
        .await
        .expect("rulemill answers")
}

/// Sends a reading, and waits for the window with it; gives how many readings of the device were in all windows.
async fn count_one(rulemill: &Rulemill, device: &str) -> u64 {
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher
        .publish(&topic(device), reading(20.0, 30), QoS::AtLeastOnce)
        .await;
    publisher.flush().await;
    let emissions = rulemill
        .wait_for_emissions("the window of the device", LIMIT, |all| {
            counts(all).contains_key(device)
        })
        .await;
    counts(&emissions)[device]
}

/// Runs the tutorial's rule, spoils a file while nothing runs, and starts again.
async fn spoil(file: &str, contents: Option<&str>) -> (Sandbox, Rulemill) {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"1s\"");
    let text = config(&[LISTENER, KEPT]);
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    assert_eq!(count_one(&rulemill, "before").await, 1);
    rulemill.kill().await;
    match contents {
        Some(contents) => drop(sandbox.write(file, contents)),
        None => sandbox.remove(file),
    }
    let rulemill = Rulemill::start(&sandbox, &text).await;
    (sandbox, rulemill)
}

/// The rule goes on although its file is refused.
async fn goes_on(rulemill: &Rulemill, reason: &str) {
    assert_eq!(count_one(rulemill, "after").await, 1);
    let status = status(rulemill, "device_temperature").await;
    assert_eq!(status["status"], "running", "{status}");
    let refused = status["refused"]["reason"].as_str().unwrap_or_default();
    assert!(refused.contains(reason), "{status}");
    wait_for_log(rulemill, "its file is refused; the version before it goes on").await;
    let log = rulemill.log().text();
    assert!(!log.contains("not there any more"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_whose_file_was_spoiled_goes_on_after_the_start() {
    let (sandbox, rulemill) = spoil("rules.d/device_temperature.wasm", Some("torn")).await;
    goes_on(&rulemill, "").await;
    // The file mended, it is what runs, and nothing is refused any more.
    sandbox.add_guest("device_temperature.wasm");
    wait_for_async("the refusal to go", LIMIT, async || {
        status(&rulemill, "device_temperature").await["refused"]
            .is_null()
            .then_some(())
    })
    .await;
    assert_eq!(count_one(&rulemill, "mended").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_whose_toml_was_spoiled_goes_on_with_the_one_before() {
    let (_sandbox, rulemill) = spoil("rules.d/device_temperature.toml", Some("windw = 5")).await;
    // Its window is still a second long: a longer one would not be emitted within the limit of this test.
    goes_on(&rulemill, "windw is not a known key").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_was_spoiled_goes_on_for_its_rules() {
    let (_sandbox, rulemill) = spoil("rules.d/text.wasm", Some("torn")).await;
    assert_eq!(count_one(&rulemill, "after").await, 1);
    let status = status(&rulemill, "text").await;
    assert_eq!(status["status"], "running", "{status}");
    assert!(status["refused"]["reason"].is_string(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_was_removed_is_shown_until_its_last_rule_goes() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/mine.wasm", lonely_library().build());
    sandbox.write("rules.d/caller.wasm", plan_guest(&calling_lonely()));
    let text = config(&[LISTENER, KEPT]);
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    wait_for_async("the rule", LIMIT, async || {
        let status = get_json(rulemill.http, "/rules/caller/status").await?;
        (status["status"] == "running").then_some(())
    })
    .await;
    rulemill.kill().await;
    sandbox.remove("rules.d/mine.wasm");

    let rulemill = Rulemill::start(&sandbox, &text).await;
    wait_for_log(
        &rulemill,
        "the file is gone; the library runs on for the rules that use it",
    )
    .await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher.publish("values", r#"{"value": 7}"#, QoS::AtLeastOnce).await;
    publisher.flush().await;
    let emissions = rulemill
        .wait_for_emissions("what the library gives", LIMIT, |all| !all.is_empty())
        .await;
    assert_eq!(emissions[0][0]["result"], 7);
    assert_eq!(status(&rulemill, "mine").await["status"], "running");
    sandbox.remove("rules.d/caller.wasm");
    wait_for_async("the library to go", LIMIT, async || {
        let rules = get_json(rulemill.http, "/guests").await?;
        rules.as_array()?.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_library_that_the_program_has_too_is_that_one_after_the_start() {
    let (_sandbox, rulemill) = spoil("rules.d/text.wasm", None).await;
    assert_eq!(count_one(&rulemill, "after").await, 1);
    assert_eq!(status(&rulemill, "built-in:text").await["status"], "running");
    let rules = get_json(rulemill.http, "/guests").await.expect("rulemill answers");
    let ids: Vec<&str> = rules
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert_eq!(ids, ["built-in:text", "device_temperature"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_rules_directory_nothing_is_taken_in() {
    let sandbox = Sandbox::new();
    let text = config(&[LISTENER]).replace("[rules]", "[rules]\ndir = \"nowhere.d\"");
    let finished = run_to_end(&sandbox, "validate", &text).await;
    assert!(
        finished
            .stdout
            .contains("nowhere.d (which does not exist here; without it nothing starts)"),
        "{}",
        finished.stdout
    );
    let finished = run_to_end(&sandbox, "run", &text).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("nowhere.d cannot be read"),
        "{}",
        finished.stderr
    );
}
