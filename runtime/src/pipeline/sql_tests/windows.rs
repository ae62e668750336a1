//! Which rows are in which windows, from the text of a query to what comes out.

use super::running::Running;
use rulemill_sql::script;
use serde_json::{Value, json};

const STREAM: &str = "CREATE STREAM demo (color string, size bigint) WITH (DATASOURCE=\"demo\")";

/// What comes out when messages arrive one second after the other.
#[track_caller]
fn check(query: &str, messages: &[Value], expected: &[Value]) {
    let streams = script(STREAM).expect("the stream is right").streams;
    let mut running = Running::start(query, streams).unwrap_or_else(|reason| panic!("{query}: {reason}"));
    let mut emissions = Vec::new();
    for (second, message) in (1..).zip(messages) {
        emissions.extend(running.messages("demo", &[&message.to_string()], second * 1000));
    }
    assert_eq!(emissions, expected, "{query}");
}

fn sizes() -> Vec<Value> {
    [("red", 1), ("blue", 2), ("red", 3), ("red", 4), ("blue", 5), ("red", 0)]
        .map(|(color, size)| json!({"color": color, "size": size}))
        .to_vec()
}

#[test]
fn where_chooses_among_the_last_rows_and_filter_before_them() {
    check(
        "SELECT count(*) AS n, sum(size) AS s FROM demo WHERE color = \"red\" GROUP BY COUNTWINDOW(3)",
        &sizes(),
        &[json!([{"n": 2, "s": 4}]), json!([{"n": 2, "s": 4}])],
    );
    check(
        "SELECT count(*) AS n, sum(size) AS s FROM demo GROUP BY COUNTWINDOW(3) FILTER (WHERE color = \"red\")",
        &sizes(),
        &[json!([{"n": 3, "s": 8}])],
    );
    check(
        "SELECT sum(size) AS s FROM demo WHERE color = \"red\" GROUP BY COUNTWINDOW(2) FILTER (WHERE size > 1)",
        &sizes(),
        &[json!([{"s": 3}]), json!([{"s": 4}])],
    );
}

#[test]
fn a_sliding_window_begins_with_rows_that_where_leaves_out() {
    check(
        "SELECT size FROM demo WHERE color = \"red\" GROUP BY SLIDINGWINDOW(ss, 1) OVER (WHEN size = 2 OR size = 4)",
        &sizes(),
        &[json!([{"size": 1}]), json!([{"size": 3}, {"size": 4}])],
    );
    check(
        "SELECT size FROM demo GROUP BY SLIDINGWINDOW(ss, 1) FILTER (WHERE color = \"red\") OVER (WHEN size = 2 OR size = 4)",
        &sizes(),
        &[json!([{"size": 3}, {"size": 4}])],
    );
}

#[test]
fn what_where_leaves_out_of_a_window_is_not_computed() {
    check(
        "SELECT sum(12 / size) AS s FROM demo WHERE size != 0 GROUP BY COUNTWINDOW(6)",
        &sizes(),
        &[json!([{"s": 12 + 6 + 4 + 3 + 2}])],
    );
    check(
        "SELECT count(*) AS n, 12 / size AS share FROM demo WHERE size != 0 GROUP BY share, COUNTWINDOW(6)",
        &sizes(),
        &[json!([
            {"n": 1, "share": 12}, {"n": 1, "share": 6}, {"n": 1, "share": 4}, {"n": 1, "share": 3}, {"n": 1, "share": 2}
        ])],
    );
}
