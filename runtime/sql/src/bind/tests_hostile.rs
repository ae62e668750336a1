//! Texts of an attacker: each is refused at a stated limit, or compiled, and costs neither the stack nor memory without bound.

use super::tests::refused;
use crate::script;

/// What is wrong with a text, when it is read or when it is compiled.
#[track_caller]
fn says(text: &str, wanted: &str) {
    let messages = match script(text) {
        Err(problems) => problems.into_iter().map(|problem| problem.message).collect(),
        Ok(_) => refused(text),
    };
    assert!(messages.iter().any(|message| message.contains(wanted)), "{messages:?}");
}

fn many(count: usize, part: &str) -> String {
    vec![part; count].join(", ")
}

#[test]
fn a_query_of_a_megabyte_is_refused_by_its_size() {
    let text = format!("SELECT a FROM free WHERE a = \"{}\"", "x".repeat(1 << 20));
    says(&text, "a text may have 262144 bytes");
}

#[test]
fn ten_thousand_parentheses_are_refused_by_their_depth() {
    let text = format!("SELECT {}a{} FROM free", "(".repeat(10_000), ")".repeat(10_000));
    says(&text, "expressions may be 100 deep in each other");
    says(
        &format!("SELECT {}", "(".repeat(10_000)),
        "expressions may be 100 deep in each other",
    );
}

#[test]
fn chains_of_prefixes_are_refused_by_their_depth() {
    for prefix in ["NOT ", "- ", "+ ", "coalesce(", "CASE WHEN ", "a[", "-(", "NOT ("] {
        let text = format!("SELECT {}a FROM free", prefix.repeat(10_000));
        says(&text, "expressions may be 100 deep in each other");
    }
}

#[test]
fn chains_of_operators_are_refused_by_their_number() {
    for operator in [
        " AND a",
        " OR a",
        " + a",
        " = a",
        "->a",
        "[0]",
        " IS NULL",
        " BETWEEN 1 AND 2",
    ] {
        let text = format!("SELECT a{} FROM free", operator.repeat(10_000));
        says(&text, "an expression may have 500 operators");
    }
}

#[test]
fn a_hundred_thousand_columns_are_refused_by_their_number() {
    says(
        &format!("SELECT {} FROM free", many(100_000, "a")),
        "a text may have 262144 bytes",
    );
    says(
        &format!("SELECT {} FROM free", many(20_000, "a")),
        "may have 1024 items",
    );
    let fields: Vec<String> = (0..100_000).map(|number| format!("f{number} float")).collect();
    let text = format!("CREATE STREAM s ({}) WITH (DATASOURCE=\"s\")", fields.join(", "));
    says(&text, "a text may have 262144 bytes");
    let doubled = format!("CREATE STREAM s ({}", "f float, ".repeat(20_000));
    says(&doubled, "is there already");
}

#[test]
fn deep_types_are_refused_by_their_depth() {
    for kind in ["array(", "struct(a "] {
        let text = format!("CREATE STREAM s (a {}", kind.repeat(10_000));
        says(&text, "expressions may be 100 deep in each other");
    }
}

#[test]
fn long_lists_and_choices_are_refused_by_their_number() {
    let wanted = "a query may have 10000 names, constants and operations";
    says(
        &format!("SELECT a FROM free WHERE a IN ({})", many(20_000, "1")),
        wanted,
    );
    let text = format!("SELECT CASE {} END AS c FROM free", "WHEN a > 1 THEN b ".repeat(5000));
    says(&text, "an expression may have 500 operators");
    let text = format!("SELECT CASE a {} END AS c FROM free", "WHEN 1 THEN 2 ".repeat(8000));
    says(&text, wanted);
}
