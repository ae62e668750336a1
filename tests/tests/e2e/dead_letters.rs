//! What could not be processed is listed, shown, and published again once the rule can take it.

use crate::common::{LISTENER, config, reading};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, plan_guest, run_command, wait_for};
use rumqttc::QoS;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_a_rule_refused_are_published_again_and_counted() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/sum.wasm", rule("int"));
    let mut rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    for payload in [reading(20.5, 12), reading(21.5, 12), "warm".to_owned()] {
        publisher.publish("a/x", payload, QoS::AtLeastOnce).await;
    }
    publisher.flush().await;
    wait_for("three dead letters", LIMIT, || {
        (letters(&sandbox).len() == 3).then_some(())
    })
    .await;

    let listed = run_command(&sandbox, &["dead-letters", "list"]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let lines: Vec<Vec<&str>> = listed
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["ID", "TIME", "KIND", "RULE", "SOURCE", "TOPIC", "REASON"]);
    assert_eq!(lines.len(), 4, "{}", listed.stdout);
    let of_rule = run_command(&sandbox, &["dead-letters", "list", "--rule", "sum", "--json"]).await;
    assert_eq!(of_rule.stdout.lines().count(), 2, "{}", of_rule.stdout);

    let broken = lines
        .iter()
        .find(|line| line[2] == "decode")
        .expect("the text is no JSON");
    let shown = run_command(&sandbox, &["dead-letters", "show", broken[0]]).await;
    for line in [
        "kind        decode",
        "topic       a/x",
        "payload     warm",
        "bytes       4",
    ] {
        assert!(shown.stdout.contains(line), "{line:?} in {}", shown.stdout);
    }

    sandbox.replace("rules.d/sum.wasm", &rule("float"));
    wait_for("the new version", LIMIT, || {
        (rulemill.log().text().matches("rule loaded rule=\"sum\"").count() == 2).then_some(())
    })
    .await;
    let replayed = run_command(&sandbox, &["dead-letters", "replay", "--rule", "sum"]).await;
    assert_eq!(replayed.code, Some(0), "{}", replayed.stderr);
    assert!(
        replayed.stdout.starts_with("2 messages published again to "),
        "{}",
        replayed.stdout
    );
    rulemill
        .wait_for_emissions("the sum", LIMIT, |all| {
            let sums = all.iter().flatten().map(|row| row["sum"].as_f64().unwrap_or_default());
            sums.sum::<f64>() == 42.0
        })
        .await;

    assert_eq!(letters(&sandbox).len(), 3, "nothing is dead for a second time");
    assert_eq!(rulemill.stop().await.code(), Some(0));
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let sandbox = Sandbox::new();
    sandbox.write("rulemill.toml", "[source.default]\nserver = \"tcp://127.0.0.1:1\"\n");
    let listed = run_command(&sandbox, &["dead-letters", "list"]).await;
    assert_eq!(
        (listed.code, listed.stdout.trim()),
        (Some(0), "there are no dead letters")
    );

    let row = json!({"time": 1, "kind": "row", "rule": "r", "reason": "too hot", "window": [0, 1], "group": {"a": 1}});
    let message = json!({"time": 1, "kind": "decode", "topic": "a", "payload": "warm"});
    sandbox.write("kept.jsonl", format!("{row}\n{message}\nno letter\n"));
    for (arguments, expect) in [
        (
            &["show", "00000000", "--file", "kept.jsonl"][..],
            "there is no dead letter 00000000",
        ),
        (
            &["replay", "--file", "kept.jsonl", "--server", "tcp://127.0.0.1:1"],
            "say which",
        ),
        (&["replay", "--all"], "there is no [listener] to publish to"),
        (
            &[
                "replay",
                "--all",
                "--file",
                "kept.jsonl",
                "--server",
                "tcp://127.0.0.1:1",
            ],
            "cannot connect to 127.0.0.1:1",
        ),
    ] {
        let finished = run_command(&sandbox, &[&["dead-letters"], arguments].concat()).await;
        assert_eq!(finished.code, Some(1), "{arguments:?}: {}", finished.stdout);
        assert!(finished.stderr.contains(expect), "{arguments:?}: {}", finished.stderr);
    }
    let arguments = [
        "dead-letters",
        "replay",
        "--kind",
        "row",
        "--file",
        "kept.jsonl",
        "--server",
        "tcp://127.0.0.1:1",
    ];
    let finished = run_command(&sandbox, &arguments).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(
        finished.stdout.contains("1 left out: it is a row of a result"),
        "{}",
        finished.stdout
    );
    assert!(
        finished.stderr.contains("no dead letters lines=1"),
        "{}",
        finished.stderr
    );
}

/// A rule that adds up temperatures of a type every 200 ms.
fn rule(kind: &str) -> Vec<u8> {
    plan_guest(&json!({
        "name": "sum",
        "version": kind,
        "topics": ["a/+"],
        "needs": [{"name": "t", "type": kind, "origin": {"field": ["temperature"]}, "mistyped": "reject"}],
        "window": {"kind": "tumbling", "size_ms": 200},
        "aggregates": [{"name": "sum", "function": "sum", "arguments": [{"column": 0}]}],
        "emits": [{"name": "sum", "column": 2}],
    }))
}

fn letters(sandbox: &Sandbox) -> Vec<Value> {
    let text = match sandbox.path("dead-letter.jsonl").exists() {
        true => sandbox.read("dead-letter.jsonl"),
        false => String::new(),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}
