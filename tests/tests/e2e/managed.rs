//! Streams and rules that are made while rulemill runs, with the commands that users of Kuiper know.

use crate::common::{LISTENER, config, reading, topic, wait_for_log};
use rulemill_tests::{Finished, LIMIT, Publisher, Rulemill, Sandbox, get, get_json, run_command, wait_for_async};
use rumqttc::QoS;
use serde_json::{Value, json};

const FIELDS: &str = "(temperature float, humidity bigint) WITH (FORMAT=\"JSON\", DATASOURCE=\"devices/+/messages\")";
const RULE: &str = r#"{"sql": "SELECT temperature * 2 AS twice FROM demo WHERE humidity > 10",
                       "actions": [{"log": {}}, {"file": {"path": "results.jsonl", "sendSingle": true}}]}"#;

/// Runs a command of the command line against the running process.
async fn ask(sandbox: &Sandbox, rulemill: &Rulemill, arguments: &[&str]) -> Finished {
    let server = format!("127.0.0.1:{}", rulemill.http);
    let all: Vec<&str> = arguments.iter().copied().chain(["--server", &server]).collect();
    run_command(sandbox, &all).await
}

/// What a command prints when it succeeds.
async fn said(sandbox: &Sandbox, rulemill: &Rulemill, arguments: &[&str]) -> String {
    let done = ask(sandbox, rulemill, arguments).await;
    assert_eq!(done.code, Some(0), "{arguments:?}: {}{}", done.stdout, done.stderr);
    done.stdout.trim_end().to_owned()
}

/// What a command says when it fails.
async fn refused(sandbox: &Sandbox, rulemill: &Rulemill, arguments: &[&str]) -> String {
    let done = ask(sandbox, rulemill, arguments).await;
    assert_ne!(done.code, Some(0), "{arguments:?}: {}", done.stdout);
    done.stderr
}

async fn publish(publisher: &mut Publisher, temperature: f64) {
    let message = reading(temperature, 30);
    publisher.publish(&topic("a"), message, QoS::AtLeastOnce).await;
}

fn results(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.path("results.jsonl")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_rules_are_created_shown_stopped_and_dropped() {
    let sandbox = Sandbox::new();
    sandbox.write("rule1.txt", RULE);
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let said = async |arguments: &[&str]| said(&sandbox, &rulemill, arguments).await;
    let refused = async |arguments: &[&str]| refused(&sandbox, &rulemill, arguments).await;

    assert_eq!(said(&["show", "streams"]).await, "No stream definitions are found.");
    assert_eq!(said(&["show", "rules"]).await, "No rule definitions are found.");
    assert_eq!(
        said(&["create", "stream", "demo", FIELDS]).await,
        "Stream demo is created."
    );
    assert_eq!(said(&["show", "streams"]).await, "demo");
    let described = format!(
        "Fields\n{}\ntemperature\tfloat\nhumidity\tbigint\n\nFORMAT: JSON\nDATASOURCE: devices/+/messages",
        "-".repeat(80)
    );
    assert_eq!(said(&["describe", "stream", "demo"]).await, described);
    let again = refused(&["create", "stream", "demo", FIELDS]).await;
    assert!(
        again.contains("the stream demo is there already, in demo.stream.sql"),
        "{again}"
    );

    let created = said(&["create", "rule", "rule1", "-f", "rule1.txt"]).await;
    assert_eq!(
        created,
        "Creating a new rule from file rule1.txt.\nRule rule1 was created."
    );
    assert_eq!(said(&["show", "rules"]).await, "rule1");
    let rule: Value = serde_json::from_str(&said(&["describe", "rule", "rule1"]).await).expect("it is JSON");
    assert_eq!(
        (&rule["id"], &rule["actions"][0]),
        (&json!("rule1"), &json!({"log": {}}))
    );
    // They are files that somebody could have written.
    assert!(sandbox.path("rules.d/demo.stream.sql").exists() && sandbox.path("rules.d/rule1.json").exists());

    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher, 10.5).await;
    rulemill
        .wait_for_emissions("the row", LIMIT, |all| !all.is_empty())
        .await;
    wait_for_async("the file", LIMIT, async || {
        (results(&sandbox) == "{\"twice\":21}\n").then_some(())
    })
    .await;

    assert_eq!(said(&["stop", "rule", "rule1"]).await, "Rule rule1 was stopped.");
    let status: Value = serde_json::from_str(&said(&["getstatus", "rule", "rule1"]).await).expect("it is JSON");
    assert_eq!(
        (&status["status"], &status["records_out_total"]),
        (&json!("stopped"), &json!(1))
    );
    publish(&mut publisher, 50.0).await;
    assert_eq!(said(&["start", "rule", "rule1"]).await, "Rule rule1 was started");
    assert_eq!(said(&["restart", "rule", "rule1"]).await, "Rule rule1 was restarted.");
    publish(&mut publisher, 11.0).await;
    let two = "{\"twice\":21}\n{\"twice\":22}\n";
    wait_for_async("the next row", LIMIT, async || (results(&sandbox) == two).then_some(())).await;

    let used = refused(&["drop", "stream", "demo"]).await;
    assert!(
        used.contains("the stream demo is read by rule1; drop these rules first"),
        "{used}"
    );
    assert_eq!(said(&["drop", "rule", "rule1"]).await, "Rule rule1 is dropped.");
    assert_eq!(said(&["drop", "stream", "demo"]).await, "Stream demo is dropped.");
    assert!(
        refused(&["drop", "rule", "rule1"])
            .await
            .contains("there is no rule rule1")
    );
    assert_eq!(
        std::fs::read_dir(sandbox.path("rules.d")).expect("it is there").count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_refused_with_its_place_and_leaves_no_file() {
    let sandbox = Sandbox::new();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    said(&sandbox, &rulemill, &["create", "stream", "demo", FIELDS]).await;
    for (arguments, parts) in [
        (
            ["create", "stream", "x", "(a flaot) WITH (DATASOURCE=\"x\")"],
            &["did you mean", "^^^^^"][..],
        ),
        (
            [
                "create",
                "rule",
                "r",
                r#"{"sql": "SELECT temprature FROM demo", "actions": [{"log": {}}]}"#,
            ],
            &["did you mean \"temperature\"?", "^^^^^^^^^^"],
        ),
        (
            [
                "create",
                "rule",
                "r",
                r#"{"sql": "SELECT * FROM demo", "actions": [{"lgo": {}}]}"#,
            ],
            &["actions[0].lgo is not a known action; did you mean log?"],
        ),
        (
            [
                "create",
                "rule",
                "../r",
                r#"{"sql": "SELECT * FROM demo", "actions": []}"#,
            ],
            &["cannot be the name of a file"],
        ),
    ] {
        let reason = refused(&sandbox, &rulemill, &arguments).await;
        for part in parts {
            assert!(reason.contains(part), "{arguments:?}: {part} is not in {reason}");
        }
    }
    let files = std::fs::read_dir(sandbox.path("rules.d")).expect("it is there");
    assert_eq!(files.count(), 1);
    let explained = said(&sandbox, &rulemill, &["explain", "SELECT humidity * 2 AS h FROM demo"]).await;
    assert!(
        explained.contains("listens to  devices/+/messages\ndecodes     field humidity: int"),
        "{explained}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_shows_its_results_while_it_runs_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    said(&sandbox, &rulemill, &["create", "stream", "demo", FIELDS]).await;
    let query = ["query", "SELECT temperature FROM demo", "--rows", "2"];
    let watched = async {
        let printed = said(&sandbox, &rulemill, &query).await;
        let (first, emissions) = printed.split_once('\n').expect("there are several lines");
        assert_eq!(first, "Query was submit successfully.");
        // Messages that come together may leave together.
        let rows = emissions.replace("]\n[", ",");
        assert_eq!(rows, "[{\"temperature\":1.5},{\"temperature\":2.5}]");
    };
    let published = async {
        let mut publisher = Publisher::connect(rulemill.listener);
        wait_for_log(&rulemill, "query started").await;
        publish(&mut publisher, 1.5).await;
        publish(&mut publisher, 2.5).await;
        // Its connection lives until the results are there.
        publisher
    };
    let ((), _publisher) = tokio::join!(watched, published);
    assert_eq!(
        get(rulemill.http, "/queries/query-1").await.map(|(status, _)| status),
        Some(404)
    );
    let (_, metrics) = get(rulemill.http, "/metrics").await.expect("it answers");
    assert!(!metrics.contains("query-1"), "{metrics}");
    assert_eq!(get_json(rulemill.http, "/rules").await, Some(json!([])));
    let wrong = refused(&sandbox, &rulemill, &["query", "SELECT a FROM nowhere"]).await;
    assert!(wrong.contains("there is no stream \"nowhere\""), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_actions_of_a_rule_file_are_there_again_after_a_crash() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/demo.sql", format!("CREATE STREAM demo {FIELDS}"));
    let rule = r#"{"sql": "SELECT count(*) AS n FROM demo GROUP BY COUNTWINDOW(2)",
                   "actions": [{"file": {"path": "results.jsonl"}}]}"#;
    sandbox.write("rules.d/pairs.json", rule);
    let config = config(&[LISTENER]);
    let mut rulemill = Rulemill::start(&sandbox, &config).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher, 1.0).await;
    let counted = async |rulemill: &Rulemill, rows: u64| {
        wait_for_async("the message", LIMIT, async || {
            let status = get_json(rulemill.http, "/rules/pairs/status").await?;
            (status["records_in_total"].as_u64()? >= rows).then_some(())
        })
        .await;
    };
    counted(&rulemill, 1).await;
    rulemill.kill().await;

    let rulemill = Rulemill::start(&sandbox, &config).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publish(&mut publisher, 2.0).await;
    wait_for_async("the file", LIMIT, async || {
        (results(&sandbox) == "[{\"n\":2}]\n").then_some(())
    })
    .await;

    // Other actions take the place of those that were there, and nothing is lost of what comes then.
    let rule = rule
        .replace("results.jsonl", "others.jsonl")
        .replace("count(*) AS n", "count(*) AS m");
    sandbox.write("rules.d/pairs.json", &rule);
    wait_for_async("the change", LIMIT, async || {
        let rule = get_json(rulemill.http, "/rules/pairs").await?;
        rule.to_string().contains("others.jsonl").then_some(())
    })
    .await;
    for temperature in [3.0, 4.0] {
        publish(&mut publisher, temperature).await;
    }
    wait_for_async("the other file", LIMIT, async || {
        let others = std::fs::read_to_string(sandbox.path("others.jsonl")).unwrap_or_default();
        (others == "[{\"m\":2}]\n").then_some(())
    })
    .await;
}
