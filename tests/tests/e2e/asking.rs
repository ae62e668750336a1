//! `rulemill status` and `rulemill retry` ask the running process.

use crate::common::{LISTENER, config, wait_for_log};
use rulemill_tests::{Finished, Rulemill, Sandbox, plan_guest, run_command};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_has_every_guest_and_why_a_version_was_refused() {
    let (sandbox, rulemill) = start(&config(&[LISTENER])).await;
    sandbox.replace("rules.d/count.wasm", b"not wasm at all");
    wait_for_log(&rulemill, "the new version is refused").await;
    let finished = ask(&sandbox, &["status"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let rows: Vec<Vec<&str>> = finished
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0][..4],
        ["NAME", "KIND", "STATUS", "VERSION"],
        "{}",
        finished.stdout
    );
    assert_eq!(
        rows[1][..8],
        ["count", "rule", "running", "3.1", "0", "0", "0", "0"],
        "{}",
        finished.stdout
    );
    assert!(
        rows[1].join(" ").contains("this is not a WebAssembly file"),
        "{}",
        finished.stdout
    );
    assert_eq!(rows[2][..3], ["text", "library", "running"], "{}", finished.stdout);

    let list: Value = serde_json::from_str(&ask(&sandbox, &["status", "--json"]).await.stdout).unwrap();
    assert_eq!(
        (&list[0]["refused"], &list[1]["refused"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_guest_is_told_in_full() {
    let (sandbox, rulemill) = start(&config(&[LISTENER])).await;
    sandbox.replace("rules.d/count.wasm", b"not wasm at all");
    wait_for_log(&rulemill, "the new version is refused").await;
    let finished = ask(&sandbox, &["status", "count"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    for line in [
        "status      running",
        "refused     this is not a WebAssembly file",
        "version     count 3.1",
        "listens to  a",
    ] {
        assert!(finished.stdout.contains(line), "{line:?} in {}", finished.stdout);
    }
    let finished = ask(&sandbox, &["status", "text"]).await;
    assert!(finished.stdout.contains("split_value: 0 calls"), "{}", finished.stdout);

    let finished = ask(&sandbox, &["status", "nothing here"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("there is no rule nothing here"),
        "{}",
        finished.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_loaded_again_when_that_is_asked_for() {
    let (sandbox, _rulemill) = start(&config(&[LISTENER])).await;
    let finished = ask(&sandbox, &["retry", "count"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.stdout, "count is loaded again");
    let finished = ask(&sandbox, &["retry", "nobody"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("there is no nobody.wasm"),
        "{}",
        finished.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_on_the_command_line_wins_and_needs_no_configuration() {
    let (_elsewhere, rulemill) = start(&config(&[LISTENER])).await;
    let address = format!("127.0.0.1:{}", rulemill.http);
    let sandbox = Sandbox::new();
    sandbox.write("rulemill.toml", "[listener]\n[http]\nlisten = \"127.0.0.1:1\"\n");
    for file in ["rulemill.toml", "missing.toml"] {
        let arguments = ["status", "count", "--config", file, "--server", &address];
        let finished = run_command(&sandbox, &arguments).await;
        assert_eq!(finished.code, Some(0), "{file}: {}", finished.stderr);
    }
}

#[tokio::test]
async fn a_process_that_is_not_there_is_told_with_its_address() {
    let sandbox = Sandbox::new();
    // Port 1 is nobody's.
    sandbox.write("rulemill.toml", "[listener]\n[http]\nlisten = \"127.0.0.1:1\"\n");
    let finished = run_command(&sandbox, &["status"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("nobody answers at http://127.0.0.1:1/"),
        "{}",
        finished.stderr
    );
    sandbox.write("rulemill.toml", "[listener]\n");
    let finished = run_command(&sandbox, &["status"]).await;
    assert!(finished.stderr.contains("has no section [http]"), "{}", finished.stderr);
    sandbox.write("rulemill.toml", "[http]\nlisten = \"somewhere\"\n");
    assert_eq!(run_command(&sandbox, &["status"]).await.code, Some(78));
}

/// Runs the library `text` and a rule.
async fn start(text: &str) -> (Sandbox, Rulemill) {
    let sandbox = Sandbox::with_guests(&["text.wasm"]);
    let plan = json!({
        "name": "count",
        "version": "3.1",
        "topics": ["a"],
        "window": {"kind": "tumbling", "size_ms": 1000},
        "aggregates": [{"name": "count", "function": "count"}],
        "emits": [{"name": "count", "column": 2}],
    });
    sandbox.write("rules.d/count.wasm", plan_guest(&plan));
    let rulemill = Rulemill::start(&sandbox, text).await;
    (sandbox, rulemill)
}

async fn ask(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    run_command(sandbox, arguments).await
}
