//! Rules that are written in SQL.

use crate::common::{LISTENER, config, reading, topic, wait_for_log};
use rulemill_tests::{LIMIT, Publisher, Rulemill, Sandbox, get_json, run_command, wait_for_async};
use rumqttc::QoS;
use serde_json::{Value, json};

const STREAM: &str = "CREATE STREAM demo (temperature float, humidity bigint) WITH (FORMAT=\"JSON\", DATASOURCE=\"devices/+/messages\");";
const QUERY: &str = "SELECT avg(temperature) AS t_av, COUNT(*) AS t_count, split_value(mqtt(topic), \"/\", 1) AS device_id \
                     FROM demo GROUP BY device_id, TUMBLINGWINDOW(ss, 1)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_runs_when_its_stream_and_its_functions_are_there_and_is_replaced_while_it_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.d/averages.sql", QUERY);
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    wait_for_reason(&rulemill, "there is no stream \"demo\"").await;
    sandbox.write("rules.d/streams.sql", STREAM);
    // The library that it calls is in the program.
    wait_for_running(&rulemill).await;

    let mut publisher = Publisher::connect(rulemill.listener);
    for temperature in [20.0, 35.0] {
        publisher
            .publish(&topic("a"), reading(temperature, 30), QoS::AtLeastOnce)
            .await;
    }
    let counted = |all: &[Vec<Value>]| {
        all.iter()
            .flatten()
            .filter_map(|row| row["t_count"].as_u64())
            .sum::<u64>()
    };
    let emissions = rulemill
        .wait_for_emissions("both messages", LIMIT, |all| counted(all) == 2)
        .await;
    assert_eq!(emissions[0][0]["device_id"], "a");

    // Another query in its place computes in a kernel.
    sandbox.write(
        "rules.d/averages.sql",
        "SELECT temperature * 1.8 + 32 AS f, humidity / 7 AS h FROM demo WHERE f > 80",
    );
    wait_for_log(&rulemill, "rule loaded").await;
    let fahrenheit = |all: &[Vec<Value>]| all.iter().flatten().any(|row| row == &json!({"f": 86, "h": 4}));
    wait_for_async("the new query", LIMIT, async || {
        publisher
            .publish(&topic("a"), reading(30.0, 30), QoS::AtLeastOnce)
            .await;
        fahrenheit(&rulemill.emissions_from(0)).then_some(())
    })
    .await;

    // A wrong one leaves it running, and says what is wrong and where.
    sandbox.write("rules.d/averages.sql", "SELECT temprature FROM demo");
    wait_for_reason(
        &rulemill,
        "unknown column \"temprature\" in stream demo; did you mean \"temperature\"? (line 1, column 8)",
    )
    .await;
    assert_eq!(status(&rulemill).await["status"], "running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compiled_query_is_a_rule_like_any_other() {
    let sandbox = Sandbox::new();
    sandbox.write("query.sql", format!("{STREAM}\nSELECT humidity * 2 AS twice FROM demo"));
    let out = run_command(&sandbox, &["compile", "query.sql", "-o", "rules.d/twice.wasm"]).await;
    assert!(out.code == Some(0), "{}", out.stderr);
    assert!(out.stdout.contains("listens to  devices/+/messages"), "{}", out.stdout);
    let out = run_command(&sandbox, &["check", "rules.d/twice.wasm"]).await;
    assert!(out.stdout.contains("would run"), "{}", out.stdout);

    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher.publish(&topic("a"), reading(1.0, 21), QoS::AtLeastOnce).await;
    let emissions = rulemill
        .wait_for_emissions("the row", LIMIT, |all| !all.is_empty())
        .await;
    assert_eq!(emissions, [[json!({"twice": 42})]]);

    // The functions of the program are there without a file.
    std::fs::create_dir(sandbox.path("alone")).expect("the sandbox can be written to");
    sandbox.write("alone/part.sql", format!("{STREAM}\n{QUERY}"));
    let out = run_command(&sandbox, &["compile", "alone/part.sql"]).await;
    assert!(
        out.stdout.contains("calls       text.split_value"),
        "{}{}",
        out.stdout,
        out.stderr
    );

    sandbox.write("wrong.sql", "SELECT a,\n FROM x/+");
    let out = run_command(&sandbox, &["compile", "wrong.sql"]).await;
    assert!(out.code != Some(0));
    assert!(
        out.stderr
            .contains("expected an expression, found `FROM` (line 2, column 2)\n 2 |  FROM x/+\n   |  ^^^^"),
        "{}",
        out.stderr
    );
}

async fn status(rulemill: &Rulemill) -> Value {
    get_json(rulemill.http, "/rules/averages/status")
        .await
        .unwrap_or_default()
}

async fn wait_for_reason(rulemill: &Rulemill, reason: &str) {
    let what = format!("the reason {reason:?}");
    wait_for_async(&what, LIMIT, async || {
        status(rulemill)
            .await
            .to_string()
            .replace("\\\"", "\"")
            .contains(reason)
            .then_some(())
    })
    .await;
}

async fn wait_for_running(rulemill: &Rulemill) {
    wait_for_async("the query to run", LIMIT, async || {
        (status(rulemill).await["status"] == "running").then_some(())
    })
    .await;
}
