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
fn the_description_is_right() {
    assert_eq!(LIBRARY.describe().check(), []);
}

fn literal(value: Value) -> Literal {
    match value {
        Null => Literal::Null,
        Bool(value) => value.into(),
        Int(value) => value.into(),
        Text(value) => value.into(),
    }
}
