//! Hostile expressions.

use crate::LIBRARY;
use rulemill_guest::testing::call;

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
fn an_expression_that_would_be_huge_is_an_error() {
    for expression in [
        "a{1000}{1000}{1000}",
        "((((a{99}){99}){99}){99})",
        &"(".repeat(10_000),
        &"a?".repeat(100_000),
    ] {
        let outcome = call(&LIBRARY, "regexp_matches", &[["a".into(), expression.into()]]);
        assert!(outcome[0].is_err());
    }
}

#[test]
fn an_expression_that_makes_others_go_back_takes_its_time_once() {
    let text = "a".repeat(1000);
    let expression = "(a*)*b";
    assert_eq!(
        call(&LIBRARY, "regexp_matches", &[[text.as_str().into(), expression.into()]]),
        [Ok(false.into())]
    );
}

#[test]
fn a_replacement_that_would_be_a_flood_is_an_error() {
    let (text, replacement) = ("a".repeat(10_000), "b".repeat(10_000));
    let row = [text.as_str().into(), "a".into(), replacement.into()];
    assert!(call(&LIBRARY, "regexp_replace", &[row])[0].is_err());
    let row = [text.as_str().into(), "a*".into(), "$0$0$0".into()];
    assert_eq!(
        call(&LIBRARY, "regexp_replace", &[row]),
        [Ok("a".repeat(30_000).into())]
    );
}

#[test]
fn rows_with_different_expressions_do_not_disturb_each_other() {
    let rows = [
        ["ab".into(), "a".into()],
        ["ab".into(), "[".into()],
        ["ab".into(), "a".into()],
        ["ab".into(), "^b".into()],
    ];
    let outcomes = call(&LIBRARY, "regexp_matches", &rows);
    assert_eq!(outcomes[0], Ok(true.into()));
    assert!(outcomes[1].is_err());
    assert_eq!(outcomes[2], Ok(true.into()));
    assert_eq!(outcomes[3], Ok(false.into()));
}
