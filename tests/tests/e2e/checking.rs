//! `rulemill check` says beforehand what the rules directory would make of a file.

use rulemill_tests::{Finished, Sandbox, plan_guest, run_command};
use serde_json::{Value, json};

#[tokio::test]
async fn a_rule_is_told_with_what_it_needs_and_calls_and_where_that_was_found() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write(
        "rules.d/device_temperature.toml",
        "window = \"30s\"\n[limits]\ncall_timeout = \"20ms\"",
    );
    let finished = check(&sandbox, &["rules.d/device_temperature.wasm"]).await;
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    for line in [
        "rule        device_temperature 0.1.0",
        "contract    rulemill:guest 1.0.0",
        "beside it   rules.d/device_temperature.toml",
        "listens to  devices/+/messages of every source",
        "sends to    log",
        "window      30s by the time of arrival",
        "temperature: float from field temperature; missing: dead letter, mistyped: dead letter",
        "split_value(text: text, separator: text, index: int) -> text of text, in rules.d/text.wasm",
        "used by the self-test, of 64.00 MiB",
        "a call: 20ms",
        "verdict     would run",
    ] {
        assert!(finished.stdout.contains(line), "{line:?} in {}", finished.stdout);
    }
}

#[tokio::test]
async fn a_library_is_told_with_its_functions_and_its_examples() {
    let sandbox = Sandbox::with_guests(&["stats.wasm", "text.wasm"]);
    let finished = check(&sandbox, &["--json", "rules.d/stats.wasm", "rules.d/text.wasm"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let report = parsed(&finished);
    assert_eq!(
        (&report["ok"], &report["files"][1]["verdict"]),
        (&json!(true), &json!("loads"))
    );
    let text = &report["files"][1];
    assert_eq!(text["library"]["name"], "text");
    assert!(text["self_test"]["examples"].as_u64() > Some(10), "{text}");
    let imports = text["imports"].as_array().expect("a list");
    assert!(
        imports.contains(&json!("rulemill:guest/diagnostics@1.0.0")),
        "{imports:?}"
    );
    let scalars = text["library"]["scalars"].as_array().expect("it has functions");
    assert!(scalars.iter().any(|scalar| scalar["name"] == "split_value"));
    assert!(
        !report["files"][0]["library"]["aggregates"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
}

#[tokio::test]
async fn a_rule_finds_its_library_beside_it_elsewhere_or_in_the_program() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    std::fs::create_dir(sandbox.path("away")).unwrap();
    std::fs::rename(sandbox.path("rules.d/text.wasm"), sandbox.path("away/text.wasm")).unwrap();
    let finished = check(&sandbox, &["rules.d/device_temperature.wasm"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stdout);
    assert!(
        finished.stdout.contains("of text, in built-in:text"),
        "{}",
        finished.stdout
    );
    let mut plan = plan();
    plan["before"] = json!([{"call": {"name": "x", "function": "no_such_function", "arguments": []}}]);
    sandbox.write("rules.d/lonely.wasm", plan_guest(&plan));
    let finished = check(&sandbox, &["rules.d/lonely.wasm"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stdout.contains("would wait: "), "{}", finished.stdout);
    assert!(
        finished
            .stdout
            .contains("no_such_function of an unknown library, which is not here"),
        "{}",
        finished.stdout
    );
    assert!(finished.stderr.contains(".wasm would not run"), "{}", finished.stderr);
    let with = ["--with", "away/text.wasm", "rules.d/device_temperature.wasm"];
    let finished = check(&sandbox, &with).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stdout);
    assert!(
        finished.stdout.contains("of text, in away/text.wasm"),
        "{}",
        finished.stdout
    );
    let with = ["--with", "rules.d/device_temperature.wasm", "away/text.wasm"];
    let finished = check(&sandbox, &with).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("it exports no functions"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn each_file_that_would_not_run_is_refused_for_the_reason_of_the_rules_directory() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "high_temperature.wasm"]);
    sandbox.write("rules.d/high_temperature.toml", "[settings]\nthreshold = \"hot\"\n");
    sandbox.write("rules.d/broken.wasm", "not wasm at all");
    std::fs::create_dir(sandbox.path("rules.d/folder.wasm")).unwrap();
    sandbox.write("rules.d/typo.wasm", plan_guest(&plan()));
    sandbox.write("rules.d/typo.toml", "widow = \"1s\"");
    sandbox.write("rules.d/.hidden.wasm", plan_guest(&plan()));
    let finished = check(
        &sandbox,
        &[
            "--json",
            "rules.d/text.wasm",
            "rules.d/high_temperature.wasm",
            "rules.d/broken.wasm",
            "rules.d/folder.wasm",
            "rules.d/typo.wasm",
            "rules.d/.hidden.wasm",
            "rules.d/missing.wasm",
        ],
    )
    .await;
    assert_eq!(finished.code, Some(1));
    let report = parsed(&finished);
    let files = report["files"].as_array().expect("a list");
    assert_eq!((&report["ok"], &files[0]["verdict"]), (&json!(false), &json!("loads")));
    for (file, reason) in files[1..].iter().zip([
        "its setting threshold must be of type float, got \"hot\"",
        "this is not a WebAssembly file",
        "folder.wasm must be a regular file",
        "typo.toml:1: widow is not a known key; did you mean window?",
        "whose name has no leading dot",
        "the file cannot be read",
    ]) {
        assert_eq!(file["verdict"], "refused", "{file}");
        assert!(
            file["reason"].as_str().is_some_and(|told| told.contains(reason)),
            "{reason}: {file}"
        );
    }
}

#[tokio::test]
async fn names_and_limits_are_those_of_the_configuration_when_there_is_one() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/count.wasm", plan_guest(&plan()));
    sandbox.write("rules.d/count.toml", "sinks = [\"cloud\"]");
    let count = "rules.d/count.wasm";
    assert_eq!(check(&sandbox, &[count]).await.code, Some(0), "any name will do");
    sandbox.write("rulemill.toml", "[listener]\n[limits]\ngroups_max = 7\n");
    let finished = check(&sandbox, &["--config", "rulemill.toml", count]).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stdout.contains("its sink cloud is not configured"),
        "{}",
        finished.stdout
    );
    assert!(finished.stdout.contains("7 groups in each"), "{}", finished.stdout);
    sandbox.write("rulemill.toml", "[listner]\n");
    assert_eq!(
        check(&sandbox, &["--config", "rulemill.toml", count]).await.code,
        Some(78)
    );
}

fn plan() -> Value {
    json!({
        "name": "count",
        "topics": ["a"],
        "window": {"kind": "tumbling", "size_ms": 1000},
        "aggregates": [{"name": "count", "function": "count"}],
        "emits": [{"name": "count", "column": 2}],
    })
}

async fn check(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    run_command(sandbox, &[&["check"], arguments].concat()).await
}

fn parsed(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stdout))
}
