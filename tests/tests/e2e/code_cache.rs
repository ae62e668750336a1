//! What was compiled before is not compiled again.

use crate::common::{LISTENER, config, reading, topic};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get_json, wait_for_async};
use rumqttc::QoS;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_finds_the_code_of_the_first_and_works_as_it_did() {
    let sandbox = sandbox();
    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    assert_eq!(uses(&rulemill).await, [0.0, 2.0, 0.0]);
    rulemill.stop().await;

    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    // What ran before is put back, and then the directory is looked at.
    assert_eq!(uses(&rulemill).await, [4.0, 0.0, 0.0]);
    assert!(rulemill.metric("rulemill_code_cache_bytes", &[]).await > 0.0);
    emits(&rulemill, 1).await;
    rulemill.stop().await;

    // A disk that forgot half a file.
    for entry in entries(&sandbox) {
        let bytes = std::fs::read(&entry).unwrap();
        std::fs::write(&entry, &bytes[..bytes.len() / 2]).unwrap();
    }
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    assert_eq!(uses(&rulemill).await, [2.0, 2.0, 2.0]);
    emits(&rulemill, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_others_may_write_is_left_alone_and_rules_run_all_the_same() {
    let sandbox = sandbox();
    std::fs::create_dir_all(sandbox.path("data/cache")).unwrap();
    std::fs::set_permissions(sandbox.path("data/cache"), Permissions::from_mode(0o777)).unwrap();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    emits(&rulemill, 1).await;
    assert!(entries(&sandbox).is_empty());
    let log = rulemill.log().text();
    assert!(log.contains("must not be writable for group or others"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_for_code_nothing_is_kept() {
    let sandbox = sandbox();
    let without = config(&[LISTENER, "[data]\ncache_bytes_max = 0"]);
    let rulemill = Rulemill::start(&sandbox, &without).await;
    emits(&rulemill, 1).await;
    assert!(!sandbox.path("data/cache").exists());
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"1s\"");
    sandbox
}

/// Hits, misses and rejected entries.
async fn uses(rulemill: &Rulemill) -> [f64; 3] {
    let mut found = [0.0; 3];
    for (place, name) in found.iter_mut().zip(["hits", "misses", "rejected"]) {
        *place = rulemill.metric(&format!("rulemill_code_cache_{name}_total"), &[]).await;
    }
    found
}

fn entries(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(sandbox.path("data/cache")).expect("the cache is there");
    let paths = entries.map(|entry| entry.expect("a directory can be listed").path());
    paths.collect()
}

async fn emits(rulemill: &Rulemill, at_least: usize) {
    wait_for_async("the rule to run", LIMIT, async || {
        let status = get_json(rulemill.http, "/rules/device_temperature/status").await?;
        (status["status"] == "running").then_some(())
    })
    .await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher
        .publish(&topic("a"), reading(20.0, 30), QoS::AtLeastOnce)
        .await;
    rulemill
        .wait_for_emissions("an emission", LIMIT, |all| all.len() >= at_least)
        .await;
}
