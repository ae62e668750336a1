//! Payloads that are broken or meant to break the decoder.

use super::{bad, cells, field};
use crate::decode::BadReason;
use rulemill_core::Field;
use rulemill_plan::Type;

fn fields() -> [Field; 3] {
    [field("a", Type::Int), field("b", Type::Text), field("c.d", Type::Float)]
}

fn check(payload: impl AsRef<[u8]>, reason: BadReason, detail: &str) {
    assert_eq!(bad(&fields(), &payload), (reason, detail.to_owned()));
}

#[test]
fn broken_payloads_are_explained() {
    check("", BadReason::Empty, "payload is empty (0 bytes)");
    check(" \n ", BadReason::Empty, "payload is empty (3 bytes)");
    check(
        "temperature=20",
        BadReason::NotJson,
        "payload is not JSON: expected ident at byte 1",
    );
    check(
        "hello",
        BadReason::NotJson,
        "payload is not JSON: expected value at byte 0",
    );
    check(
        r#"{"a": 1, "b": x}"#,
        BadReason::NotJson,
        "payload is not JSON: expected value at byte 14",
    );
    check(
        "{\n\"a\": 1,\n\"b\": x}",
        BadReason::NotJson,
        "payload is not JSON: expected value at byte 15",
    );
    check(
        "{\"a\": NaN}",
        BadReason::NotJson,
        "payload is not JSON: expected value at byte 6",
    );
    check(
        "{'a': 1}",
        BadReason::NotJson,
        "payload is not JSON: key must be a string at byte 1",
    );
    check(
        r#"{"a": 1,}"#,
        BadReason::NotJson,
        "payload is not JSON: trailing comma at byte 8",
    );
    check(
        r#"{"a": 01}"#,
        BadReason::NotJson,
        "payload is not JSON: invalid number at byte 7",
    );
    check(
        r#"{"x": 01}"#,
        BadReason::NotJson,
        "payload is not JSON: invalid number at byte 7",
    );
    check(
        r#"{"a": 1, "b": "#,
        BadReason::Truncated,
        "payload is not JSON: EOF while parsing a value at byte 14",
    );
    check(
        r#"{"a": 1, "b": "x"#,
        BadReason::Truncated,
        "payload is not JSON: EOF while parsing a string at byte 16",
    );
    check(
        r#"{"a": 1} {"a": 2}"#,
        BadReason::TrailingData,
        "payload goes on after its JSON value at byte 9",
    );
    check(
        "{\"a\": 1}\0",
        BadReason::TrailingData,
        "payload goes on after its JSON value at byte 8",
    );
    check(
        "\u{feff}{\"a\": 1}",
        BadReason::NotJson,
        "payload is not JSON: it starts with a byte order mark, which JSON forbids, at byte 0",
    );
    check(
        "\0",
        BadReason::NotJson,
        "payload is not JSON: expected value at byte 0",
    );
}

#[test]
fn a_payload_without_the_wanted_shape_is_explained() {
    for (payload, got) in [
        ("[{\"a\": 1}]", "an array"),
        ("20.5", "a number"),
        ("18446744073709551616", "a number"),
        ("\"{}\"", "a string"),
        ("\"\\n\"", "a string"),
        ("true", "a boolean"),
        ("null", "null"),
    ] {
        check(
            payload,
            BadReason::WrongShape,
            &format!("payload must be a JSON object, got {got}"),
        );
    }
    let (reason, detail) = bad_array("{}");
    assert_eq!(reason, BadReason::WrongShape);
    assert_eq!(detail, "payload must be a JSON array, got an object");
}

fn bad_array(payload: &str) -> (BadReason, String) {
    let decoded = super::decode(&[field("0", Type::Int)], &[payload.as_bytes()]);
    (decoded.bad[0].reason, decoded.bad[0].detail.clone())
}

#[test]
fn invalid_utf8_is_found_wherever_it_is() {
    check(
        b"{\"skipped\": \"\xff\", \"a\": 1}",
        BadReason::NotUtf8,
        "payload is not UTF-8: unexpected byte 0xff at byte 13",
    );
    check(
        b"\xc3",
        BadReason::NotUtf8,
        "payload is not UTF-8: unexpected byte 0xc3 at byte 0",
    );
    check(
        b"{\"b\": \"\xed\xa0\x80\"}",
        BadReason::NotUtf8,
        "payload is not UTF-8: unexpected byte 0xed at byte 7",
    );
}

#[test]
fn lone_surrogates_cost_their_own_cell_only() {
    assert_eq!(cells(&fields(), r#"{"b": "\ud800", "a": 1}"#), ["1", "null!", "null"]);
    assert_eq!(
        cells(&fields(), r#"{"b": "\ud800", "b": "x", "a": 1}"#),
        ["1", "x", "null"]
    );
    assert_eq!(
        cells(&fields(), r#"{"skipped": "\udc00\ud800", "a": 1}"#),
        ["1", "null", "null"]
    );
    let (reason, _) = bad(&fields(), r#"{"\ud800": 1}"#);
    assert_eq!(reason, BadReason::NotJson, "a name cannot be looked up");
}

#[test]
fn numbers_that_overflow_cost_their_own_cell_only() {
    let huge = "9".repeat(100_000);
    assert_eq!(
        cells(
            &fields(),
            format!(r#"{{"a": {huge}, "skipped": 1e99999, "c": {{"d": 1e999}}, "b": "x"}}"#)
        ),
        ["null!", "x", "null!"]
    );
    assert_eq!(
        cells(&fields(), r#"{"a": 1e999, "b": "\n", "c": {"d": 2}}"#),
        ["null!", "\n", "2"]
    );
    check(
        r#"{"a": 1e999, "b": x}"#,
        BadReason::NotJson,
        "payload is not JSON: expected value at byte 18",
    );
}

#[test]
fn deep_nesting_does_not_reach_the_stack() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        cells(&fields(), format!(r#"{{"x": {open}{close}, "a": 1}}"#)),
        ["1", "null", "null"]
    );
    assert_eq!(
        cells(&fields(), format!(r#"{{"a": {open}{close}, "b": "x"}}"#)),
        ["null!", "x", "null"]
    );
    assert_eq!(
        cells(&[field("", Type::Json)], format!("{open}{close}"))[0].len(),
        200_000
    );
    let objects = "{\"c\":".repeat(100_000);
    assert_eq!(bad(&fields(), &objects).0, BadReason::Truncated);
    assert_eq!(bad(&fields(), &open).0, BadReason::WrongShape);
}

#[test]
fn a_path_deeper_than_the_parser_goes_is_explained() {
    let path = vec!["c"; 200].join(".");
    let decoded = super::decode(
        &[field(&path, Type::Int)],
        &[format!("{}1{}", "{\"c\":".repeat(200), "}".repeat(200)).as_bytes()],
    );
    assert_eq!(decoded.bad[0].reason, BadReason::TooDeep);
    assert!(decoded.bad[0].detail.contains("at byte 6"), "{}", decoded.bad[0].detail);
}

#[test]
fn large_payloads_are_decoded_like_small_ones() {
    let long = "x".repeat(1 << 20);
    assert_eq!(
        cells(&fields(), format!(r#"{{"skipped": "{long}", "a": 1}}"#)),
        ["1", "null", "null"]
    );
    assert_eq!(
        cells(&fields(), format!(r#"{{"b": "\n{long}"}}"#))[1].len(),
        (1 << 20) + 1
    );
    let members: String = (0..100_000).map(|at| format!(r#""k{at}": {at}, "#)).collect();
    assert_eq!(
        cells(&fields(), format!(r#"{{{members}"a": 1}}"#)),
        ["1", "null", "null"]
    );
    assert_eq!(bad(&fields(), format!(r#"{{"b": "{long}"#)).0, BadReason::Truncated);
}

#[test]
fn what_cannot_be_looked_into_is_still_json() {
    let fields = [field("", Type::Json), field("a", Type::Int), field("c.d", Type::Float)];
    let payload = r#"{"a":1,"\ud800":1,"c":{"d":1e999}}"#;
    assert_eq!(cells(&fields, payload), [payload, "null!", "null!"]);
    let payload = r#"{"a":1e999,"c":{"d":1}}"#;
    assert_eq!(cells(&fields, payload), [payload, "null!", "1"]);
    assert_eq!(cells(&fields, "1e999"), ["1e999", "null", "null"], "which is no object");
}
