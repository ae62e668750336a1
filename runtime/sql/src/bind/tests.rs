use crate::{Catalog, Stream, compile, render, script};
use rulemill_plan::{Library, Plan, Window};

const TUTORIAL: &str = "SELECT avg(temperature) AS t_av, max(temperature) AS t_max, min(temperature) AS t_min, COUNT(*) As t_count, \
                        split_value(mqtt(topic), \"/\", 1) AS device_id FROM demo GROUP BY device_id, TUMBLINGWINDOW(ss, 10)";

/// The stream of the tutorial, one without a schema, and a library.
fn catalog() -> Catalog {
    let definitions = "CREATE STREAM demo (temperature float, humidity bigint, name string, active boolean, at datetime, \
                       tags array(string), place struct(floor bigint, room string)) \
                       WITH (FORMAT=\"JSON\", DATASOURCE=\"devices/+/messages\"); \
                       CREATE STREAM free () WITH (DATASOURCE=\"free/#\")";
    let streams = script(definitions).unwrap().streams;
    Catalog {
        streams: streams
            .into_iter()
            .map(|stream: Stream| (stream.name.clone(), stream))
            .collect(),
        libraries: vec![Library::from_json(LIBRARY).unwrap()],
    }
}

const LIBRARY: &str = r#"{"name": "text", "scalars": [
    {"name": "split_value", "returns": "text", "parameters": [
        {"name": "text", "type": "text"}, {"name": "separator", "type": "text"}, {"name": "index", "type": "int"}]},
    {"name": "concat", "returns": "text", "parameters": [{"name": "texts", "type": "text", "nullable": true, "variadic": true}]},
    {"name": "abs", "returns": "float", "parameters": [{"name": "number", "type": "float"}]},
    {"name": "abs_int", "returns": "int", "parameters": [{"name": "number", "type": "int"}]}
]}"#;

pub(super) fn plan(query: &str) -> Plan {
    let catalog = catalog();
    let select = script(query).unwrap().query.unwrap();
    let compiled =
        compile(query, &select, "rule1", &catalog).unwrap_or_else(|problems| panic!("{}", render(&problems, query)));
    let problems = compiled.plan.check();
    assert!(problems.is_empty(), "{query}: {problems:?}");
    wasmparser::Validator::new()
        .validate_all(&compiled.wasm)
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    compiled.plan
}

/// The messages that a query is refused with.
pub(super) fn refused(query: &str) -> Vec<String> {
    let select = script(query).unwrap().query.unwrap();
    let problems = compile(query, &select, "rule1", &catalog()).expect_err(query);
    problems.into_iter().map(|problem| problem.message).collect()
}

#[test]
fn the_tutorial_needs_no_kernel_and_four_kilobytes() {
    let catalog = catalog();
    let select = script(TUTORIAL).unwrap().query.unwrap();
    let compiled = compile(TUTORIAL, &select, "rule1", &catalog).unwrap();
    assert_eq!(compiled.kernels, 0);
    assert!(compiled.wasm.len() <= 4096, "{} bytes", compiled.wasm.len());
    let plan = plan(TUTORIAL);
    assert_eq!(plan.window, Some(Window::Tumbling { size_ms: 10_000 }));
    assert_eq!(plan.topics, ["devices/+/messages"]);
    assert_eq!(
        (
            plan.keys.len(),
            plan.aggregates.len(),
            plan.before.len(),
            plan.after.len()
        ),
        (1, 4, 1, 0)
    );
}

#[test]
fn queries_of_every_kind_make_plans_that_hold_together() {
    for query in [
        "SELECT temperature FROM demo",
        "SELECT *, abs(humidity) AS h, abs(temperature) FROM demo WHERE active AND name LIKE 'a%'",
        "SELECT * EXCEPT(tags, place) REPLACE(humidity * 2 AS humidity) FROM demo",
        "SELECT temperature * 1.8 + 32 AS f, f > 100 AS hot FROM demo WHERE f BETWEEN 0 AND 200",
        "SELECT place->room, tags[0], demo.place.floor + 1 FROM demo",
        "SELECT CASE name WHEN 'a' THEN 1 WHEN 'b' THEN 2.5 ELSE 'none' END AS x FROM demo",
        "SELECT a + b * 2 AS c, a->b[1], lower FROM free WHERE a > 5 OR b IN (1, 'x')",
        "SELECT max(temperature) - min(temperature) AS spread, name FROM demo GROUP BY name, TUMBLINGWINDOW(mi, 1) HAVING spread > 3 ORDER BY spread DESC LIMIT 5",
        "SELECT count(*) AS c, sum(humidity), avg(humidity), last_value(name, true) FROM demo GROUP BY TUMBLINGWINDOW(ms, 100)",
        "SELECT a, sum(b), window_start(), window_end() AS e FROM free GROUP BY a, TUMBLINGWINDOW(ss, 1)",
        "SELECT a + 1 AS k, count(a) FROM free GROUP BY k, TUMBLINGWINDOW(ss, 1) HAVING k > 1",
        "SELECT split_value(name, '-', 0) AS x, concat(x, '!', null) AS y FROM demo WHERE x = 'a'",
        "SELECT coalesce(name, 'none') AS n, isnull(name), at, tstamp() - at FROM demo WHERE at > 1541152486013",
        "SELECT name AS name, upper AS temperature, humidity AS upper FROM demo WHERE NOT (active = true) AND name IS NOT NULL",
        "SELECT t.temperature FROM demo AS t",
        "SELECT a FROM devices/+/messages WHERE meta(topic) = 'x' AND a IS NOT NULL",
        "SELECT null AS n, 5 AS five, 'x' AS x, true AS t FROM demo",
        "SELECT * FROM free",
        "SELECT * EXCEPT(a) REPLACE(b + 1 AS b), c FROM free",
        "SELECT *, count(*) AS c FROM free GROUP BY d, TUMBLINGWINDOW(ss, 1)",
        "SELECT name, count(*) AS c FROM demo GROUP BY name, HOPPINGWINDOW(ss, 10, 5) FILTER (WHERE active)",
        "SELECT *, event_time() AS et FROM demo WHERE active GROUP BY SESSIONWINDOW(mi, 5, 1) FILTER (WHERE humidity > 1)",
        "SELECT * FROM demo GROUP BY COUNTWINDOW(5)",
        "SELECT name, avg(temperature) AS t FROM demo GROUP BY name, COUNTWINDOW(5, 2) FILTER (WHERE active)",
        "SELECT max(temperature) AS t FROM demo GROUP BY SLIDINGWINDOW(ss, 10)",
        "SELECT temperature FROM free GROUP BY SLIDINGWINDOW(ss, 10, 2) OVER (WHEN temperature > 100)",
        "SELECT count(*) FROM demo GROUP BY STATEWINDOW(humidity > 5, humidity < 2)",
        "SELECT humidity % 7 & 3 | 1, -humidity / 2, - temperature FROM demo",
    ] {
        plan(query);
    }
}

#[test]
fn a_problem_says_what_would_be_right() {
    for (query, wanted) in [
        (
            "SELECT temprature FROM demo",
            vec!["unknown column \"temprature\" in stream demo; did you mean \"temperature\"?"],
        ),
        (
            "SELECT a FROM dmo",
            vec!["there is no stream \"dmo\"; did you mean \"demo\"?; CREATE STREAM makes one"],
        ),
        (
            "SELECT splitvalue(name, '/', 1) FROM demo",
            vec!["there is no function splitvalue; did you mean \"split_value\"?"],
        ),
        (
            "SELECT nme, name + 1 AS x FROM demo WHERE temperature",
            vec![
                "unknown column \"nme\" in stream demo; did you mean \"name\"?",
                "`name + 1` needs bigint or float, and `name` is string",
                "a condition must be boolean, and this is float",
            ],
        ),
        (
            "SELECT name = 5 FROM demo",
            vec!["`name` and 5 cannot be compared: one is string, the other bigint"],
        ),
        (
            "SELECT a AS b, b AS a FROM demo",
            vec![
                "the alias \"a\" stands for itself, by way of other aliases or directly",
                "the alias \"b\" stands for itself, by way of other aliases or directly",
            ],
        ),
        (
            "SELECT avg(temperature) FROM demo",
            vec!["avg is an aggregate and needs a window: GROUP BY TUMBLINGWINDOW(ss, 10)"],
        ),
        (
            "SELECT name FROM demo GROUP BY name",
            vec!["`GROUP BY` needs a window, such as TUMBLINGWINDOW(ss, 10)"],
        ),
        (
            "SELECT split_value(name, 5, 1) FROM demo",
            vec!["split_value needs string as \"separator\", and 5 is bigint"],
        ),
        (
            "SELECT split_value(name) FROM demo",
            vec!["split_value takes (text, separator, index), and gets 1 arguments"],
        ),
        (
            "SELECT meta(colour) FROM demo",
            vec!["there is no \"colour\" of a message; there is topic, qos, retained, source, arrival_time"],
        ),
    ] {
        assert_eq!(refused(query), wanted, "{query}");
    }
}

#[test]
fn a_stream_that_cannot_be_read_says_why() {
    let text =
        "CREATE STREAM s (a bigint) WITH (FORMAT=\"protobuf\", TIMESTAMP=\"b\"); CREATE TABLE t () WITH (TYPE=\"sql\")";
    let problems = script(text).unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the format \"protobuf\" is not supported; leave out FORMAT, or make it \"json\"",
            "TIMESTAMP must be one of the stream's fields, and \"b\" is none",
            "tables are not supported; a stream is what comes from a topic",
            "the type of source \"sql\" is not supported; leave out TYPE, or make it \"mqtt\"",
        ]
    );
}

/// Words that queries are made of, in no sensible order.
const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "demo",
    "free",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "AS",
    "INVISIBLE",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "BETWEEN",
    "IS",
    "NULL",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "OVER",
    "PARTITION BY",
    "FILTER",
    "EXCEPT",
    "REPLACE",
    "JOIN",
    "ON",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "->",
    ":",
    "*",
    "+",
    "-",
    "/",
    "%",
    "=",
    "!=",
    "<",
    ">=",
    "1",
    "2.5",
    "'a'",
    "\"b\"",
    "`c`",
    "temperature",
    "name",
    "active",
    "at",
    "tags",
    "place",
    "x",
    "TUMBLINGWINDOW(ss, 10)",
    "COUNTWINDOW(3)",
    "SLIDINGWINDOW(ms, 5)",
    "STATEWINDOW(active, active)",
    "avg",
    "count",
    "split_value",
    "coalesce",
    "mqtt",
    "topic",
    "CREATE STREAM",
    "WITH",
    "DATASOURCE",
    "bigint",
    "array",
    "struct",
    ";",
];

proptest::proptest! {
    #[test]
    fn any_words_are_compiled_or_refused(words in proptest::collection::vec(0..WORDS.len(), 0..60), begin: bool) {
        let words: Vec<&str> = words.into_iter().map(|word| WORDS[word]).collect();
        let begin = if begin { "SELECT temperature AS x, * FROM demo WHERE " } else { "" };
        check(&format!("{begin}{}", words.join(" ")));
    }

    #[test]
    fn any_text_is_compiled_or_refused(text: String) {
        check(&text);
        check(&format!("SELECT {text} FROM free"));
    }
}

/// Compiles whatever can be; what comes of it must hold together.
fn check(text: &str) {
    let Ok(Some(select)) = script(text).map(|script| script.query) else {
        return;
    };
    match compile(text, &select, "rule1", &catalog()) {
        Err(problems) => assert!(!render(&problems, text).is_empty()),
        Ok(compiled) => {
            assert_eq!(compiled.plan.check(), [], "{text}");
            wasmparser::Validator::new()
                .validate_all(&compiled.wasm)
                .unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
}

#[test]
fn large_queries_are_compiled_or_refused_in_no_time() {
    let many = |count: usize, part: &str| vec![part; count].join(", ");
    let aliases: Vec<String> = (0..100)
        .map(|number| format!("a{} + a{} AS a{number}", number + 1, number + 1))
        .collect();
    for query in [
        format!("SELECT {} FROM free", many(100_000, "a")),
        format!("SELECT a FROM free WHERE a IN ({})", many(20_000, "1")),
        format!(
            "SELECT {} FROM free",
            (0..1000)
                .map(|number| format!("a + {number} AS b{number}"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        format!("SELECT {} FROM free WHERE a0 > 1", aliases.join(", ")),
        format!("SELECT CASE {} END AS c FROM free", "WHEN a > 1 THEN b ".repeat(5000)),
        format!("SELECT {}a{} FROM free", "coalesce(".repeat(90), ", 1)".repeat(90)),
        format!(
            "SELECT a FROM free GROUP BY {}, TUMBLINGWINDOW(ss, 1)",
            (0..2000)
                .map(|number| format!("k{number}"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        format!(
            "CREATE STREAM s ({}) WITH (DATASOURCE=\"s\")",
            (0..10_000)
                .map(|number| format!("f{number} bigint"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    ] {
        check(&query);
    }
}
