//! What users of eKuiper expect: cases from its test tables and from what its functions document, as facts.

use crate::LIBRARY;
use rulemill_guest::plan::Literal;
use rulemill_guest::testing::call;

/// A function, its arguments, and what comes out; `None`: an error of the row.
struct Case(&'static str, &'static [Value], Option<Value>);

#[derive(Clone, Copy)]
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(&'static str),
}

use Value::{Bool, Int, Null, Text};

const CASES: &[Case] = &[
    Case("split_value", &[Text("a/b/c"), Text("/"), Int(0)], Some(Text("a"))),
    Case("split_value", &[Text("a/b/c"), Text("/"), Int(3)], None),
    Case("split_value", &[Text("a/b/c"), Text("/"), Int(-3)], Some(Text("a"))),
    Case("split_value", &[Text("a/b/c"), Text("/"), Int(-4)], None),
    Case("split_value", &[Text("a"), Text("/"), Int(i64::MIN)], None),
    Case("split_value", &[Text("a"), Text("/"), Int(i64::MAX)], None),
    Case("split_value", &[Null, Text("/"), Int(0)], Some(Null)),
    Case("substring", &[Text("foobar"), Int(3)], Some(Text("bar"))),
    Case("substring", &[Text("foobar"), Int(2), Int(4)], Some(Text("ob"))),
    Case("substring", &[Text("foobar"), Int(7)], Some(Text(""))),
    Case("substring", &[Text("foobar"), Int(3), Int(99)], Some(Text("bar"))),
    Case("substring", &[Text("foobar"), Int(-1)], None),
    Case("substring", &[Text("foobar"), Int(3), Int(2)], None),
    Case("length", &[Text("中国")], Some(Int(2))),
    Case("length", &[Null], Some(Int(0))),
    Case("startswith", &[Null, Text("a")], Some(Bool(false))),
    Case("endswith", &[Text("a"), Null], Some(Bool(false))),
    Case("upper", &[Null], Some(Null)),
    Case("concat", &[Text("a"), Text("b")], Some(Text("ab"))),
];

/// Cases that we decide otherwise, each with its reason.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "concat of a null",
        "gives null here, as every function does that does not say otherwise",
    ),
    (
        "substring of characters beyond ASCII",
        "counts characters here, bytes there, which can cut one in half",
    ),
    (
        "split_value with a negative literal",
        "accepted here as it is for a column; refused there when it is a literal",
    ),
];

#[test]
fn cases_come_out_as_expected() {
    for (number, Case(function, arguments, expected)) in CASES.iter().enumerate() {
        let arguments: Vec<Literal> = arguments.iter().map(|value| literal(*value)).collect();
        let outcome = match arguments.as_slice() {
            [a] => call(&LIBRARY, function, &[[a.clone()]]),
            [a, b] => call(&LIBRARY, function, &[[a.clone(), b.clone()]]),
            [a, b, c] => call(&LIBRARY, function, &[[a.clone(), b.clone(), c.clone()]]),
            other => panic!("case {number} has {} arguments", other.len()),
        };
        assert_eq!(
            outcome[0].clone().ok(),
            expected.map(literal),
            "case {number} of {function}"
        );
    }
}

#[test]
fn each_difference_has_a_reason() {
    assert!(
        DIFFERENT
            .iter()
            .all(|(case, reason)| !case.is_empty() && !reason.is_empty())
    );
}

#[test]
fn rows_are_independent() {
    let rows = [
        ["a/b".into(), "/".into(), 1.into()],
        ["a".into(), "/".into(), 1.into()],
        [Literal::Null, "/".into(), 1.into()],
        ["c/d".into(), "/".into(), 1.into()],
    ];
    let outcomes = call(&LIBRARY, "split_value", &rows);
    assert_eq!(outcomes[0], Ok("b".into()));
    assert_eq!(outcomes[1], Err("there is no part 1: the text has 1 parts".into()));
    assert_eq!(outcomes[2], Ok(Literal::Null));
    assert_eq!(outcomes[3], Ok("d".into()));
}

#[test]
fn results_that_would_be_a_flood_are_errors() {
    let long = "a".repeat(40_000);
    let row = |to: &str| [long.as_str().into(), "a".into(), to.into()];
    assert!(call(&LIBRARY, "replace", &[row("bb")])[0].is_err());
    assert_eq!(call(&LIBRARY, "replace", &[row("b")]), [Ok("b".repeat(40_000).into())]);
    assert_eq!(call(&LIBRARY, "replace", &[row("")]), [Ok("".into())]);
    let longer = "a".repeat(100_000);
    let row = [longer.as_str().into(), "aa".into(), "bb".into()];
    assert!(call(&LIBRARY, "replace", &[row])[0].is_ok());
    for function in ["lpad", "rpad", "repeat_text"] {
        for count in [i64::MIN, -1, 70_000, i64::MAX] {
            assert!(
                call(&LIBRARY, function, &[["a".into(), count.into()]])[0].is_err(),
                "{function} {count}"
            );
        }
    }
}

#[test]
fn the_largest_floats_have_all_their_digits() {
    for float in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.0] {
        for digits in [0, 100] {
            assert!(call(&LIBRARY, "format", &[[float.into(), digits.into(), "en_US".into()]])[0].is_ok());
        }
    }
    for float in [f64::NAN, f64::INFINITY] {
        assert!(call(&LIBRARY, "format", &[[float.into(), 1.into()]])[0].is_err());
    }
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

fn literal(value: Value) -> Literal {
    match value {
        Null => Literal::Null,
        Bool(value) => value.into(),
        Int(value) => value.into(),
        Text(value) => value.into(),
    }
}
