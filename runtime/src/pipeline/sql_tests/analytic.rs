//! Functions of the messages before, from the text of a query to what comes out.

use super::running::{Outcome, Running};
use rulemill_sql::script;
use serde_json::{Value, json};

const STREAMS: &str = "CREATE STREAM demo (color string, size bigint, on boolean) WITH (DATASOURCE=\"demo\"); \
                       CREATE STREAM free () WITH (DATASOURCE=\"demo\")";

fn start(query: &str) -> Running {
    let streams = script(STREAMS).expect("the streams are right").streams;
    Running::start(query, streams).unwrap_or_else(|reason| panic!("{query}: {reason}"))
}

/// The row of each message, null for one without a row. It is the same when all messages come in one batch.
#[track_caller]
fn check(query: &str, messages: &[Value], expected: &[Value]) {
    let mut alone = start(query);
    let each: Vec<Value> = messages
        .iter()
        .map(|message| match alone.message("demo", &message.to_string(), 1000) {
            Outcome::Rows(rows) => rows.first().map_or(Value::Null, |rows| rows[0].clone()),
            Outcome::Failed(reason) => json!(reason),
        })
        .collect();
    assert_eq!(each, expected, "{query}");
    let payloads: Vec<String> = messages.iter().map(Value::to_string).collect();
    let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
    let together = start(query).messages("demo", &payloads, 1000);
    let rows: Vec<Value> = together
        .iter()
        .flat_map(|rows| rows.as_array().cloned().unwrap_or_default())
        .collect();
    let wanted: Vec<Value> = expected.iter().filter(|row| row.is_object()).cloned().collect();
    assert_eq!(rows, wanted, "{query}, in one batch");
}

fn colors() -> Vec<Value> {
    vec![
        json!({"color": "red", "size": 3}),
        json!({"color": "blue", "size": 6}),
        json!({"color": "blue", "size": 2}),
        json!({"color": "red"}),
        json!({"color": "red", "size": 1}),
    ]
}

#[test]
fn lag_looks_back_within_its_partition() {
    check(
        "SELECT lag(size, 1, 0) OVER (PARTITION BY color) AS was FROM demo",
        &colors(),
        &[
            json!({"was": 0}),
            json!({"was": 0}),
            json!({"was": 6}),
            json!({"was": 3}),
            json!({}),
        ],
    );
    check(
        "SELECT lag(size, 1, -1, true) AS was FROM demo",
        &colors(),
        &[
            json!({"was": -1}),
            json!({"was": 3}),
            json!({"was": 6}),
            json!({"was": 2}),
            json!({"was": 2}),
        ],
    );
}

#[test]
fn where_hides_no_message_from_it() {
    check(
        "SELECT size, lag(size) AS was FROM demo WHERE size < 3",
        &colors(),
        &[
            Value::Null,
            Value::Null,
            json!({"size": 2, "was": 6}),
            Value::Null,
            json!({"size": 1}),
        ],
    );
    check(
        "SELECT size FROM demo WHERE size < lag(size) OVER (PARTITION BY color)",
        &colors(),
        &[Value::Null, Value::Null, json!({"size": 2}), Value::Null, Value::Null],
    );
}

#[test]
fn a_field_of_any_type_is_what_it_was() {
    let messages = [
        json!({"a": 1}),
        json!({"a": "x"}),
        json!({"a": [1, 2]}),
        json!({}),
        json!({"a": 2.5}),
    ];
    check(
        "SELECT lag(a, 1, 0) AS was FROM free",
        &messages,
        &[
            json!({"was": 0}),
            json!({"was": 1}),
            json!({"was": "x"}),
            json!({"was": [1, 2]}),
            json!({}),
        ],
    );
    check(
        "SELECT latest(a) AS now FROM free",
        &messages,
        &[
            json!({"now": 1}),
            json!({"now": "x"}),
            json!({"now": [1, 2]}),
            json!({"now": [1, 2]}),
            json!({"now": 2.5}),
        ],
    );
    let messages = [
        json!({"a": 1}),
        json!({"a": "x"}),
        json!({"a": 1}),
        json!({"a": 1}),
        json!({"b": 1}),
    ];
    let changes = [true, true, true, false, false].map(|changed| json!({"c": changed}));
    check("SELECT had_changed(true, a) AS c FROM free", &messages, &changes);
    check(
        "SELECT lag(a) + 1 AS next FROM free WHERE lag(a) > 0",
        &messages[2..],
        &[Value::Null, json!({"next": 2}), json!({"next": 2})],
    );
}

#[test]
fn changes_are_told_of_each_value() {
    check(
        "SELECT had_changed(true, color, size) AS c, changed_col(true, color) AS color FROM demo",
        &colors(),
        &[
            json!({"c": true, "color": "red"}),
            json!({"c": true, "color": "blue"}),
            json!({"c": true}),
            json!({"c": true, "color": "red"}),
            json!({"c": true}),
        ],
    );
    let twice = [
        json!({"color": "red", "size": 3}),
        json!({"color": "red", "size": 3}),
        json!({"color": "red", "size": 4}),
    ];
    check(
        "SELECT changed_cols(\"new_\", true, *) FROM demo",
        &twice,
        &[
            json!({"new_color": "red", "new_size": 3}),
            Value::Null,
            json!({"new_size": 4}),
        ],
    );
}

#[test]
fn aggregates_go_on_from_message_to_message() {
    check(
        "SELECT acc_sum(size) AS s, acc_avg(size) AS a, acc_count(size) AS n, acc_min(size) AS l, acc_max(size) AS m FROM demo",
        &colors()[..3],
        &[
            json!({"s": 3, "a": 3, "n": 1, "l": 3, "m": 3}),
            json!({"s": 9, "a": 4.5, "n": 2, "l": 3, "m": 6}),
            json!({"s": 11, "a": 11.0 / 3.0, "n": 3, "l": 2, "m": 6}),
        ],
    );
    check(
        "SELECT acc_sum(size, color = \"blue\", size = 2) AS s FROM demo",
        &colors(),
        &[
            json!({"s": 0}),
            json!({"s": 6}),
            json!({"s": 8}),
            json!({"s": 0}),
            json!({"s": 0}),
        ],
    );
}

#[test]
fn what_is_remembered_is_in_windows_too() {
    let mut running =
        start("SELECT sum(lag(size, 1, 0)) AS s, max(size) AS m FROM demo GROUP BY TUMBLINGWINDOW(ss, 1)");
    let payload = |size: i64| json!({"size": size}).to_string();
    running.messages("demo", &[&payload(1), &payload(5)], 100);
    running.messages("demo", &[&payload(7)], 1100);
    let rows = running.advance(2000);
    assert_eq!(rows, [json!([{"s": 5, "m": 7}])]);
}
