//! What each type takes from JSON.

use super::{cells, decode, field};
use rulemill_core::Found;
use rulemill_plan::Type;

fn check(kind: Type, table: &[(&str, &str)]) {
    for (json, expect) in table {
        let payload = format!(r#"{{ "before": [1, {{"a": 2}}], "a" : {json} , "after": "a" }}"#);
        assert_eq!(cells(&[field("a", kind)], &payload), [*expect], "{json} as {kind}");
        assert_eq!(
            cells(&[field("", kind)], json),
            [*expect],
            "{json} as {kind}, at the top"
        );
    }
}

#[test]
fn bool_takes_booleans_only() {
    check(
        Type::Bool,
        &[
            ("true", "true"),
            ("false", "false"),
            ("null", "null"),
            ("1", "null!"),
            ("\"true\"", "null!"),
            ("[true]", "null!"),
            ("{}", "null!"),
        ],
    );
}

#[test]
fn int_is_exact_to_64_bits() {
    check(
        Type::Int,
        &[
            ("0", "0"),
            ("-0", "0"),
            ("5.0", "5"),
            ("5e3", "5000"),
            ("9007199254740993", "9007199254740993"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9007199254740992.0", "9007199254740992"),
            ("9223372036854775808", "null!"),
            ("-9223372036854775809", "null!"),
            ("18446744073709551615", "null!"),
            ("18446744073709551616", "null!"),
            ("1e16", "null!"),
            ("1e999", "null!"),
            ("5.5", "null!"),
            ("\"5\"", "null!"),
            ("true", "null!"),
            ("null", "null"),
        ],
    );
}

#[test]
fn float_takes_every_number_a_double_can_hold() {
    check(
        Type::Float,
        &[
            ("20.5", "20.5"),
            ("20", "20"),
            ("-0.0", "-0"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("37.333333333333336", "37.333333333333336"),
            ("1e-7", "0.0000001"),
            ("0.1234567890123456789", "0.12345678901234568"),
            ("18446744073709551615", "18446744073709552000"),
            ("36893488147419103232", "36893488147419103000"),
            ("1e-400", "0"),
            ("1e999", "null!"),
            ("-1e999", "null!"),
            ("\"NaN\"", "null!"),
            ("null", "null"),
        ],
    );
}

#[test]
fn time_takes_epoch_milliseconds_and_rfc_3339() {
    check(
        Type::Time,
        &[
            ("0", "0"),
            ("1700000000123", "1700000000123000"),
            ("-1", "-1000"),
            ("1700000000123.25", "1700000000123250"),
            ("\"2023-11-14T22:13:20.123456Z\"", "1700000000123456"),
            ("\"2023-11-15T00:13:20+02:00\"", "1700000000000000"),
            ("\"1969-12-31T23:59:59.9999999Z\"", "-1"),
            ("\"2023\\u002d11-14T22:13:20Z\"", "1700000000000000"),
            ("\"2023-11-14T22:13:20\"", "null!"),
            ("\"2023-13-14T22:13:20Z\"", "null!"),
            ("\"yesterday\"", "null!"),
            ("9223372036854775807", "null!"),
            ("18446744073709551615", "null!"),
            ("1e300", "null!"),
            ("true", "null!"),
            ("null", "null"),
        ],
    );
}

#[test]
fn text_takes_strings_only() {
    check(
        Type::Text,
        &[
            ("\"\"", ""),
            ("\"plain\"", "plain"),
            ("\"grün \\u00e4 \\\" \\n\"", "grün ä \" \n"),
            ("\"\\ud83d\\ude00\"", "😀"),
            ("\"\\u0000\"", "\0"),
            ("\"null\"", "null"),
            ("\"\\ud83d\"", "null!"),
            ("5", "null!"),
            ("{\"a\": \"b\"}", "null!"),
            ("null", "null"),
        ],
    );
}

#[test]
fn json_keeps_any_value_as_it_stands() {
    check(
        Type::Json,
        &[
            ("{\"b\" : [1, 2.50] , \"b\":1}", "{\"b\" : [1, 2.50] , \"b\":1}"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1e999", "1e999"),
            ("\"\\u00e4\"", "\"\\u00e4\""),
            ("true", "true"),
            ("null", "null"),
        ],
    );
}

#[test]
fn bytes_are_never_taken_from_json() {
    check(Type::Bytes, &[("\"AA==\"", "null!"), ("1", "null!"), ("null", "null")]);
}

#[test]
fn one_path_may_be_wanted_in_several_types_and_as_a_prefix() {
    let fields = [
        field("a", Type::Json),
        field("a.b", Type::Int),
        field("a.b", Type::Float),
        field("a.b", Type::Text),
        field("a.c.1", Type::Bool),
        field("a", Type::Text),
        field("", Type::Json),
    ];
    let payload = r#"{"a": {"b": 7, "c": [0, true]}}"#;
    assert_eq!(
        cells(&fields, payload),
        [
            r#"{"b": 7, "c": [0, true]}"#,
            "7",
            "7",
            "null!",
            "true",
            "null!",
            payload
        ]
    );
    assert_eq!(
        cells(&fields, r#"{"a": "text"}"#),
        ["\"text\"", "null", "null", "null", "null", "text", r#"{"a": "text"}"#]
    );
}

#[test]
fn members_and_elements_are_found_by_path() {
    let fields = [
        field("a.b.c", Type::Int),
        field("list.2", Type::Int),
        field("list.0.x", Type::Int),
        field("list.9", Type::Int),
    ];
    let payload = r#"{"list": [{"y":1,"x":10}, null, 12, [13]], "a": {"b": {"b": 1, "c": 3}}, "c": 5}"#;
    assert_eq!(cells(&fields, payload), ["3", "12", "10", "null"]);
    assert_eq!(
        cells(&fields, r#"{"list": {"2": 1}, "a": [1]}"#),
        ["null"; 4],
        "a name is no position"
    );
    assert_eq!(cells(&fields, r#"{"list": [], "a": {}}"#), ["null"; 4]);
    assert_eq!(
        cells(&[field("1", Type::Int)], "[1, 2, 3]"),
        ["2"],
        "an array at the top"
    );
}

#[test]
fn of_a_name_that_occurs_twice_the_last_value_counts() {
    let fields = [field("a", Type::Int), field("o.x", Type::Int), field("o.y", Type::Text)];
    assert_eq!(cells(&fields, r#"{"a":1,"a":2}"#), ["2", "null", "null"]);
    assert_eq!(cells(&fields, r#"{"a":1,"a":null}"#), ["null", "null", "null"]);
    assert_eq!(cells(&fields, r#"{"a":1,"a":"x"}"#), ["null!", "null", "null"]);
    assert_eq!(cells(&fields, r#"{"a":"x","a":1}"#), ["1", "null", "null"]);
    assert_eq!(
        cells(&fields, r#"{"o":{"x":1},"o":{"y":"\n"}}"#),
        ["null", "null", "\n"]
    );
    assert_eq!(cells(&fields, r#"{"o":{"x":1},"o":3}"#), ["null", "null", "null"]);
}

#[test]
fn names_with_escapes_and_many_names_are_found() {
    assert_eq!(cells(&[field("gr\u{fc}n", Type::Int)], r#"{"gr\u00fcn": 1}"#), ["1"]);
    let fields: Vec<_> = (0..40).map(|at| field(&format!("name{at}"), Type::Int)).collect();
    let members: Vec<String> = (0..60).rev().map(|at| format!(r#""name{at}":{at}"#)).collect();
    let expect: Vec<String> = (0..40).map(|at| at.to_string()).collect();
    assert_eq!(cells(&fields, format!("{{{}}}", members.join(","))), expect);
}

#[test]
fn what_is_of_another_type_is_named() {
    let found = |kind: Type, value: &str| {
        let decoded = decode(&[field("a", kind)], &[format!("{{\"a\":{value}}}").as_bytes()]);
        decoded.mistyped.iter().map(|mistyped| mistyped.found).next()
    };
    for (kind, value, expect) in [
        (Type::Float, "true", Some(Found::Bool)),
        (Type::Float, "\"20.5\"", Some(Found::Text)),
        (Type::Float, "[1]", Some(Found::Array)),
        (Type::Float, "{\"b\":1}", Some(Found::Object)),
        (Type::Float, "null", None),
        (Type::Int, "1.5", Some(Found::Number)),
        (Type::Int, "18446744073709551615", Some(Found::Number)),
        (Type::Time, "\"yesterday\"", Some(Found::Text)),
        (Type::Text, "5", Some(Found::Number)),
        (Type::Bool, "0", Some(Found::Number)),
    ] {
        assert_eq!(found(kind, value), expect, "{value} for {kind}");
    }
}
