//! What must hold for all functions, and cases that are too long for examples.

use crate::LIBRARY;
use rulemill_guest::plan::Literal;
use rulemill_guest::testing::{Outcome, call};

const OF_ONE: [&str; 19] = [
    "array_avg",
    "array_cardinality",
    "array_concat",
    "array_create",
    "array_distinct",
    "array_flatten",
    "array_max",
    "array_min",
    "array_sort",
    "cardinality",
    "items",
    "keys",
    "kvpair_array_to_obj",
    "length_any",
    "object_concat",
    "object_size",
    "to_json",
    "values",
    "zip",
];

const OF_TWO: [&str; 13] = [
    "array_contains",
    "array_contains_any",
    "array_except",
    "array_intersect",
    "array_last_position",
    "array_position",
    "array_remove",
    "array_union",
    "element_at",
    "erase",
    "object",
    "object_construct",
    "object_pick",
];

const VALUES: [&str; 12] = [
    "null",
    "true",
    "-9223372036854775808",
    "1e999",
    "\"\"",
    "\"größe\\ud83d\"",
    "[]",
    "[[\"a\",1],[\"a\",null]]",
    "[\"a\",\"ä.b\",\"\"]",
    "{}",
    "{\"\":[],\"a\":{\"a\":1},\"a\":2}",
    "[{\"key\":\"k\",\"value\":{}}]",
];

fn apply(function: &str, left: &str, right: &str) -> Outcome {
    call(&LIBRARY, function, &[[left.into(), right.into()]]).remove(0)
}

#[test]
fn the_description_is_right() {
    assert_eq!(LIBRARY.describe().check(), []);
}

#[test]
fn every_function_is_on_the_page() {
    let page = include_str!("../../../docs/functions.md");
    for function in LIBRARY.describe().scalars {
        let name = function.name;
        let is_there = page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}("));
        assert!(is_there, "{name} is not in docs/functions.md");
    }
}

#[test]
fn no_value_panics_and_what_comes_out_is_json() {
    let check = |function: &str, outcome: &Outcome| {
        let returns = LIBRARY
            .describe()
            .scalars
            .into_iter()
            .find(|scalar| scalar.name == function);
        if returns.unwrap().returns == rulemill_guest::plan::Type::Json
            && let Ok(Literal::Text(json)) = outcome
        {
            assert!(
                call(&LIBRARY, "parse_json", &[[json.as_str().into()]])[0].is_ok(),
                "{function} gives {json}"
            );
        }
    };
    for left in VALUES {
        for function in OF_ONE {
            check(function, &call(&LIBRARY, function, &[[left.into()]])[0]);
        }
        for right in VALUES {
            for function in OF_TWO {
                check(function, &apply(function, left, right));
            }
        }
    }
}

#[test]
fn what_is_not_json_is_an_error_of_the_row() {
    for broken in ["", "[", "{\"a\":1", "tru", "[1,]"] {
        for function in OF_ONE {
            assert!(
                call(&LIBRARY, function, &[[broken.into()]])[0].is_err(),
                "{function} {broken}"
            );
        }
        for function in OF_TWO {
            assert!(apply(function, broken, "\"a\"").is_err(), "{function} {broken}");
        }
        for function in ["json_path_query", "json_path_query_first", "json_path_exists"] {
            assert!(apply(function, broken, "$").is_err(), "{function} {broken}");
        }
    }
}

#[test]
fn members_of_members_are_picked() {
    let object = r#"{"k1": {"hum": 34, "temp": 23}, "k2": "2", "k3": {"hum": 34, "temp": 23}, "k4": {"embed": {"ee": 23, "ff": {"gg": 23}}}}"#;
    let row: Vec<Literal> = [object, "\"k1.temp\"", "\"k2\"", "\"k3.hum\"", "\"k4.embed.ff\""]
        .map(Literal::from)
        .into();
    let row: [Literal; 5] = row.try_into().unwrap();
    let expected = r#"{"k1":{"temp":23},"k2":"2","k3":{"hum":34},"k4":{"embed":{"ff":{"gg": 23}}}}"#;
    assert_eq!(call(&LIBRARY, "object_pick", &[row]), [Ok(expected.into())]);
    // A whole member wins over a part of it, in whatever order.
    for names in ["[\"k4\",\"k4.embed.ff\"]", "[\"k4.embed.ff\",\"k4\"]"] {
        let expected = r#"{"k4":{"embed": {"ee": 23, "ff": {"gg": 23}}}}"#;
        assert_eq!(apply("object_pick", object, names), Ok(expected.into()));
    }
}

#[test]
fn paths_find_values() {
    let store =
        r#"{"book": [{"title": "A", "price": 8.95}, {"title": "B", "price": 12}, {"title": "C"}], "open": true}"#;
    for (path, expected) in [
        ("$.book[0].title", "\"A\""),
        ("$.book[-1]", "{\"title\": \"C\"}"),
        ("$.book[*].title", "[\"A\",\"B\",\"C\"]"),
        ("$..price", "[8.95,12]"),
        ("$..title", "[\"A\",\"B\",\"C\"]"),
        ("$.book[0:2].title", "[\"A\",\"B\"]"),
        ("$.book[-2:].title", "[\"B\",\"C\"]"),
        ("$.book[9:].title", "[]"),
        ("$.book[0,2].title", "[\"A\",\"C\"]"),
        ("$.book[?(@.price < 10)].title", "[\"A\"]"),
        ("$.book[?(@.price)].title", "[\"A\",\"B\"]"),
        ("$.book[?@.title == 'C'].title", "[\"C\"]"),
        ("$.book[?(@.title != \"C\")].title", "[\"A\",\"B\"]"),
        ("$[?(@ == true)]", "[true]"),
        ("$['open']", "true"),
        ("$.book.title", "null"),
    ] {
        let expected = if expected == "null" {
            Literal::Null
        } else {
            expected.into()
        };
        assert_eq!(apply("json_path_query", store, path), Ok(expected), "{path}");
    }
}

#[test]
fn a_path_that_multiplies_is_an_error_and_no_flood() {
    let deep = "[".repeat(90) + &"]".repeat(90);
    let wide = format!("[{}]", vec!["[1,2,3,4,5,6,7,8,9]"; 50].join(","));
    for (value, path) in [
        (deep.as_str(), "$..*..*..*..*..*"),
        (wide.as_str(), "$..*..*..*..*[*,*,*,*,*,*,*,*]"),
    ] {
        let _ = apply("json_path_query", value, path);
    }
    let message = "the path finds more than 10000 values";
    assert_eq!(apply("json_path_query", &deep, "$..*..*..*..*"), Err(message.into()));
}

#[test]
fn results_that_would_be_a_flood_are_errors() {
    let long = format!("[{}]", vec!["\"\""; 10_000].join(","));
    let separator = "x".repeat(10_000);
    assert!(apply("array_join", &long, &separator).is_err());
    assert!(apply("array_join", &long, ", ").is_ok());
    let rows = [
        ["\"0123456789\"".into(), 5000.into()],
        ["\"0123456789\"".into(), 6000.into()],
    ];
    let outcomes = call(&LIBRARY, "repeat", &rows);
    assert!(outcomes[0].is_ok());
    assert!(outcomes[1].is_err());
}

#[test]
fn ten_thousand_elements_are_sets_quickly() {
    let array = |step: usize| {
        let elements: Vec<String> = (0..10_000).map(|element| (element * step).to_string()).collect();
        format!("[{}]", elements.join(","))
    };
    let Ok(Literal::Text(common)) = apply("array_intersect", &array(2), &array(3)) else {
        panic!("the intersection is an array");
    };
    let count = call(&LIBRARY, "cardinality", &[[common.as_str().into()]]);
    // The multiples of 6 up to 19,998.
    assert_eq!(count, [Ok(3334.into())]);
}
