use crate::{FORMAT, JsonError, Library, Plan};

const SMALLEST: &str = r#"{"name":"a","emits":[{"name":"x","column":0}]}"#;

fn message_of(json: &str) -> String {
    Plan::from_json(json).expect_err("the text is not a plan").to_string()
}

#[test]
fn what_is_left_out_has_its_default() {
    let plan = Plan::from_json(SMALLEST).unwrap();
    assert_eq!(plan.format, FORMAT);
    assert!(plan.topics.is_empty() && plan.window.is_none() && plan.limit.is_none());
}

#[test]
fn defaults_are_left_out_of_the_json() {
    let plan = Plan::from_json(SMALLEST).unwrap();
    assert_eq!(
        plan.to_json(),
        r#"{"format":1,"name":"a","emits":[{"name":"x","column":0}]}"#
    );
}

#[test]
fn unknown_fields_are_refused_and_named_with_their_place() {
    let json = r#"{"name":"a","needs":[{"name":"t","type":"float","origin":"topic","unit":"K"}],"emits":[]}"#;
    let message = message_of(json);
    assert!(message.contains("unknown field `unit`"), "{message}");
    assert!(message.contains("at needs[0]"), "{message}");
}

#[test]
fn unknown_fields_are_refused_at_every_level() {
    let fragments = [
        r#""surprise":1"#,
        r#""window":{"kind":"tumbling","size_ms":1,"surprise":1}"#,
        r#""window":{"kind":"hopping","size_ms":2,"hop_ms":1,"surprise":1}"#,
        r#""window":{"kind":"session","timeout_ms":2,"max_ms":9,"surprise":1}"#,
        r#""window":{"kind":"count","rows":2,"every":1,"surprise":1}"#,
        r#""window":{"kind":"sliding","size_ms":2,"surprise":1}"#,
        r#""window":{"kind":"state","begin":0,"emit":1,"surprise":1}"#,
        r#""event_time":{"column":0,"surprise":1}"#,
        r#""aggregates":[{"name":"c","function":"count","surprise":1}]"#,
        r#""before":[{"call":{"name":"c","function":"f","surprise":1}}]"#,
        r#""before":[{"kernel":{"kernel":0,"inputs":[],"outputs":[],"surprise":1}}]"#,
        r#""settings":[{"name":"s","type":"int","surprise":1}]"#,
        r#""order":[{"column":0,"surprise":1}]"#,
    ];
    for fragment in fragments {
        let message = message_of(&format!(r#"{{"name":"a","emits":[],{fragment}}}"#));
        assert!(message.contains("unknown field `surprise`"), "{fragment}: {message}");
    }
}

#[test]
fn a_newer_format_says_so_even_with_unknown_fields() {
    let error = Plan::from_json(r#"{"format":7,"name":"a","emits":[],"novelty":{}}"#).unwrap_err();
    assert!(matches!(error, JsonError::UnknownFormat { found: 7 }));
    let message = error.to_string();
    assert!(
        message.contains("format 7") && message.contains("update rulemill"),
        "{message}"
    );
}

#[test]
fn format_zero_is_refused() {
    assert!(message_of(r#"{"format":0,"name":"a","emits":[]}"#).contains("got 0"));
}

#[test]
fn a_missing_field_is_named() {
    assert!(message_of(r#"{"name":"a"}"#).contains("missing field `emits`"));
}

#[test]
fn a_value_of_another_type_is_named_with_its_place() {
    let message = message_of("{\"name\":\"a\",\n \"emits\":[{\"name\":\"x\",\"column\":\"zero\"}]}");
    assert!(message.contains("at emits[0].column, line 2"), "{message}");
}

#[test]
fn text_that_is_not_json_or_ends_early_is_refused() {
    for json in ["", "{", "plan", "[]", r#"{"name":"a","emits":["#] {
        assert!(Plan::from_json(json).is_err(), "{json:?}");
        assert!(Library::from_json(json).is_err(), "{json:?}");
    }
}

#[test]
fn names_with_quotes_and_brackets_do_not_confuse_the_place() {
    let json = r#"{"name":"a\"]}[","doc":"{[","emits":[{"name":"x","column":0},{"name":5,"column":0}]}"#;
    assert!(message_of(json).contains("at emits[1].name"), "{}", message_of(json));
}
