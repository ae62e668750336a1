//! The ends of time, and what must hold between functions.

use crate::LIBRARY;
use rulemill_guest::plan::Literal;
use rulemill_guest::testing::call;

const TIMES: [i64; 7] = [
    i64::MIN,
    i64::MIN + 1,
    -86_400_000_001,
    -1,
    0,
    1_708_000_000_000_000,
    i64::MAX,
];

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
fn the_ends_of_time_have_parts() {
    for time in TIMES {
        for function in [
            "day",
            "day_name",
            "day_of_month",
            "day_of_week",
            "day_of_year",
            "hour",
            "last_day",
            "microsecond",
            "minute",
            "month",
            "month_name",
            "second",
            "time_to_int",
            "time_to_text",
            "to_days",
            "to_seconds",
            "year",
        ] {
            assert!(
                call(&LIBRARY, function, &[[time.into()]])[0].is_ok(),
                "{function}({time})"
            );
        }
        for other in TIMES {
            assert!(call(&LIBRARY, "date_diff", &[[time.into(), other.into()]])[0].is_ok());
        }
        for number in ["from_days", "from_unix_time", "int_to_time"] {
            call(&LIBRARY, number, &[[time.into()]]);
        }
    }
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
        assert!(call(&LIBRARY, "float_to_time", &[[float.into()]])[0].is_err());
    }
}

#[test]
fn what_is_written_is_read_again() {
    for time in [0_i64, 1_136_214_245_678_000, -62_135_596_800_000_000] {
        let text = call(&LIBRARY, "time_to_text", &[[time.into()]]).remove(0).unwrap();
        assert_eq!(call(&LIBRARY, "text_to_time", &[[text]]), [Ok(time.into())]);
    }
    let days = call(&LIBRARY, "to_days", &[[1_708_000_000_000_000_i64.into()]])
        .remove(0)
        .unwrap();
    assert_eq!(call(&LIBRARY, "from_days", &[[days]]), [Ok("2024-02-15".into())]);
}

#[test]
fn a_long_pattern_is_an_error_and_no_flood() {
    let pattern = "MMMM ".repeat(100_000);
    assert!(call(&LIBRARY, "format_time", &[[0.into(), pattern.into()]])[0].is_err());
    assert_eq!(
        call(&LIBRARY, "format_time", &[[0.into(), "yyyy Q".into()]]),
        [Err("the letter Q stands for no part of a time".into())]
    );
    assert_eq!(
        call(&LIBRARY, "format_time", &[[Literal::Null, "yyyy".into()]]),
        [Ok(Literal::Null)]
    );
}
