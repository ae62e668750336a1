//! Every operator with every pair of values: what must hold for all of them.

use crate::LIBRARY;
use rulemill_guest::plan::Literal;
use rulemill_guest::testing::{Outcome, call};

const VALUES: [&str; 22] = [
    "null",
    "true",
    "false",
    "0",
    "-0.0",
    "1",
    "-1",
    "1.5",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1e308",
    "-1e999",
    "5e-324",
    "\"\"",
    "\"größe\"",
    "\"\\ud83d\"",
    "[]",
    "[1,\"a\"]",
    "{}",
    "{\"a\":[1]}",
    " 7 ",
];

const BROKEN: [&str; 7] = ["", "nil", "[1", "\"", "{\"a\"}", "1 2", "\u{feff}1"];

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
fn no_pair_of_values_panics_and_null_wins_over_errors() {
    for left in VALUES {
        for right in VALUES {
            let with_null = left == "null" || right == "null";
            for function in ["any_add", "any_sub", "any_mul", "any_div", "any_mod"] {
                let outcome = apply(function, left, right);
                assert!(!with_null || outcome == Ok(Literal::Null), "{function} {left} {right}");
            }
            for function in ["any_eq", "any_ne", "any_lt", "any_le", "any_gt", "any_ge"] {
                let outcome = apply(function, left, right);
                assert!(!with_null || outcome == Ok(false.into()), "{function} {left} {right}");
            }
            for function in ["any_in", "any_like"] {
                let _ = apply(function, left, right);
            }
        }
    }
}

#[test]
fn comparisons_agree_with_each_other() {
    for left in VALUES {
        for right in VALUES {
            let holds = |function, left, right| match apply(function, left, right) {
                Ok(Literal::Bool(holds)) => Some(holds),
                _ => None,
            };
            let (less, greater) = (holds("any_lt", left, right), holds("any_gt", right, left));
            assert_eq!(less, greater, "{left} < {right}");
            if left == "null" || right == "null" {
                continue;
            }
            let (equal, unequal) = (holds("any_eq", left, right), holds("any_ne", left, right));
            assert_eq!(equal, unequal.map(|unequal| !unequal), "{left} = {right}");
            if let (Some(less), Some(equal)) = (less, equal) {
                assert_eq!(holds("any_le", left, right), Some(less || equal), "{left} <= {right}");
                assert_eq!(holds("any_ge", left, right), Some(!less), "{left} >= {right}");
            }
        }
    }
}

#[test]
fn what_is_not_json_is_an_error_of_the_row() {
    for broken in BROKEN {
        for function in ["any_add", "any_eq", "any_in", "any_like"] {
            assert!(apply(function, broken, "[1]").is_err(), "{function} {broken}");
            assert!(apply(function, "1", broken).is_err(), "{function} {broken}");
        }
        for function in ["any_bool", "any_int", "any_float", "any_text", "any_time", "any_neg"] {
            assert!(
                call(&LIBRARY, function, &[[broken.into()]])[0].is_err(),
                "{function} {broken}"
            );
        }
        assert!(apply("any_get", broken, "a").is_err());
    }
}

#[test]
fn messages_name_the_values() {
    for (function, left, right, message) in [
        (
            "any_mul",
            "\"x\"",
            "5",
            "* needs two numbers, got the text \"x\" and the int 5",
        ),
        ("any_div", "7", "0", "7 / 0 divides by zero"),
        (
            "any_add",
            "9223372036854775807",
            "1",
            "9223372036854775807 + 1 is beyond the 64 bits of a bigint",
        ),
        (
            "any_lt",
            "true",
            "false",
            "< cannot compare the boolean true with the boolean false",
        ),
        ("any_get", "[1]", "a", "needs an object, got the array [1]"),
        ("any_add", "1", "1 2", "the text is not JSON from byte 2 on"),
    ] {
        assert_eq!(apply(function, left, right), Err(message.to_owned()));
    }
    let outcome = call(&LIBRARY, "any_index", &[["[1]".into(), 3.into()]]);
    assert_eq!(outcome, [Err("there is no element 3: the array has 1 elements".into())]);
}

#[test]
fn what_goes_in_typed_comes_out_as_it_was() {
    for (inward, outward, value) in [
        ("int_any", "any_int", Literal::Int(i64::MIN)),
        ("float_any", "any_float", Literal::Float(1.0e22)),
        ("text_any", "any_text", "a\"\\\n\u{1}ö😀".into()),
        ("bool_any", "any_bool", Literal::Bool(true)),
        ("time_any", "any_time", Literal::Int(1_500_000)),
    ] {
        let json = call(&LIBRARY, inward, &[[value.clone()]]).remove(0).unwrap();
        assert_eq!(call(&LIBRARY, outward, &[[json]]), [Ok(value)]);
    }
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(call(&LIBRARY, "float_any", &[[float.into()]]), [Ok(Literal::Null)]);
    }
}
