use super::*;
use crate::problem::render;

/// What a text is refused with, as a user sees it.
fn refused(text: &str) -> String {
    render(&[parse(text).expect_err(text)], text)
}

fn shape(text: &str) -> String {
    tests_shape::of(&parse_expression(text).unwrap_or_else(|problem| panic!("{}", problem.render(text))))
}

#[test]
fn operators_bind_as_people_expect() {
    for (text, wanted) in [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a OR b AND NOT c = d", "(a OR (b AND (NOT (c = d))))"),
        ("a & 3 = 1", "((a & 3) = 1)"),
        ("-a->b[0] * 2", "((-(a->b)[0]) * 2)"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("a NOT BETWEEN 1 AND b + 1 OR c", "((a NOT BETWEEN 1 AND (b + 1)) OR c)"),
        ("a IN (1, 2) AND b NOT IN c->d", "((a IN (1, 2)) AND (b NOT IN (c->d)))"),
        ("a IS NOT NULL = true", "((NOT (a IS NULL)) = true)"),
        ("x[1:][:2][-1]", "x[1:][:2][-1]"),
        ("x[]", "x[:]"),
        ("a > = 1 OR b ! = 2", "((a >= 1) OR (b != 2))"),
        (
            "CASE a WHEN 1 THEN 'x' ELSE 'y' END LIKE \"%x\"",
            "(CASE a WHEN 1 THEN \"x\" ELSE \"y\" END LIKE \"%x\")",
        ),
        (
            "lag(a, 1) OVER (PARTITION BY b WHEN c > 1)",
            "lag(a, 1) OVER (PARTITION BY b WHEN (c > 1))",
        ),
        ("left(a, 2)", "left(a, 2)"),
        (".5e1", "5.0"),
    ] {
        assert_eq!(shape(text), wanted, "{text}");
    }
}

#[test]
fn a_problem_names_what_was_expected_and_shows_the_place() {
    assert_eq!(
        refused("SELECT a,\n  FROM demo"),
        "expected an expression, found `FROM` (line 2, column 3)\n 2 |   FROM demo\n   |   ^^^^"
    );
    assert_eq!(
        refused("SELECT a FROM demo GROUP BY TUMBLINGWINDOW(\"ss\", 10)")
            .lines()
            .next()
            .unwrap(),
        "expected a unit of time (dd, hh, mi, ss or ms, without quotes), found `\"ss\"` (line 1, column 44)"
    );
    assert_eq!(
        refused("CREATE STREAM demo (a integr) WITH (DATASOURCE=\"a\")")
            .lines()
            .next()
            .unwrap(),
        "expected a type (bigint, float, string, bytea, datetime, boolean, array(...) or struct(...)), found `integr` (line 1, column 23)"
    );
    assert_eq!(
        refused("CREATE STREAM demo (a bigint) WITH (DATASORCE=\"a\")")
            .lines()
            .next()
            .unwrap()
            .split(" (there")
            .next()
            .unwrap(),
        "unknown option DATASORCE; did you mean \"DATASOURCE\"?"
    );
}

#[test]
fn ten_thousand_parentheses_are_refused_without_a_deep_stack() {
    let text = format!("SELECT {}a{} FROM demo", "(".repeat(10_000), ")".repeat(10_000));
    assert!(refused(&text).starts_with("expressions may be 100 deep in each other"));
    let text = format!("SELECT {}a FROM demo", "NOT ".repeat(10_000));
    assert!(refused(&text).starts_with("expressions may be 100 deep in each other"));
    let text = format!("SELECT a{} FROM demo", " + a".repeat(10_000));
    assert!(refused(&text).starts_with("an expression may have 500 operators"));
    let text = format!("SELECT a{} FROM demo", "->a".repeat(10_000));
    assert!(refused(&text).starts_with("an expression may have 500 operators"));
    let text = format!("CREATE STREAM s (a {}bigint", "array(".repeat(10_000));
    assert!(refused(&text).starts_with("expressions may be 100 deep in each other"));
}

#[test]
fn a_text_may_have_several_statements() {
    let statements = parse("CREATE STREAM demo () WITH (DATASOURCE=\"a/+\"); SELECT * FROM demo; ;").unwrap();
    assert!(
        matches!(statements[..], [Statement::Create(_), Statement::Select(_)]),
        "{statements:?}"
    );
}
