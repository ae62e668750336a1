//! What examples cannot say, and what must hold for all functions.

use crate::LIBRARY;
use rulemill_guest::plan::Literal;
use rulemill_guest::testing::call;

const CASTS: [&str; 6] = [
    "cast_bigint",
    "cast_boolean",
    "cast_bytea",
    "cast_datetime",
    "cast_float",
    "cast_string",
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
fn bytes_are_those_of_utf_8() {
    assert_eq!(
        call(&LIBRARY, "text_to_bytes", &[["größe".into()]]),
        [Ok("größe".into())]
    );
    assert_eq!(
        call(&LIBRARY, "bytes_to_text", &[["größe".into()]]),
        [Ok("größe".into())]
    );
    assert_eq!(
        call(&LIBRARY, "cast_bytea", &[["\"a\\u00e4\"".into()]]),
        [Ok("aä".into())]
    );
    let broken = crate::bytes_to_text(&[b'a', 0xff]);
    assert_eq!(broken.unwrap_err().message(), "the bytes are not UTF-8 from byte 1 on");
}

#[test]
fn no_value_panics() {
    for value in [
        "null",
        "true",
        "0",
        "-9223372036854775808",
        "9223372036854775808",
        "1e999",
        "-1e-999",
        "\"\"",
        "\"größe\"",
        "\"\\ud800\"",
        "[]",
        "{\"a\":1}",
        "",
        "nul",
    ] {
        for function in CASTS {
            let outcome = call(&LIBRARY, function, &[[value.into()]]).remove(0);
            assert!(value != "null" || outcome == Ok(Literal::Null), "{function} {value}");
            assert!(!["", "nul"].contains(&value) || outcome.is_err(), "{function} {value}");
        }
    }
}

#[test]
fn floats_are_read_as_they_were_written() {
    for float in [0.0, 0.1, 1e-7, 1.5e-300, 5e-324, 123_456.75, 1e20, 1.7e308, -2.5e21] {
        let text = call(&LIBRARY, "float_to_text", &[[float.into()]]).remove(0).unwrap();
        assert_eq!(call(&LIBRARY, "text_to_float", &[[text]]), [Ok(float.into())]);
    }
    for (float, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "+Inf"), (f64::NEG_INFINITY, "-Inf")] {
        assert_eq!(call(&LIBRARY, "float_to_text", &[[float.into()]]), [Ok(text.into())]);
        assert!(call(&LIBRARY, "float_to_int", &[[float.into()]])[0].is_err());
    }
}

#[test]
fn messages_name_the_value() {
    assert_eq!(
        call(&LIBRARY, "cast_bytea", &[[1.to_string().into()]]),
        [Err("the int 1 cannot be made bytes".into())]
    );
}
