//! From a type to JSON.

use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{json_of_float, json_of_text};

/// `value` as JSON.
#[function(immutable)]
#[example(true => "true")]
#[example(null => null)]
pub fn bool_any(value: bool) -> Json<'static> {
    Json(if value { "true" } else { "false" })
}

/// `value` as JSON.
#[function(immutable)]
#[example(-9223372036854775808 => "-9223372036854775808")]
#[example(null => null)]
pub fn int_any(value: i64) -> JsonString {
    JsonString(value.to_string())
}

/// `value` as JSON, recognisable as a float; null for what JSON has no number for, NaN and the infinities.
#[function(immutable)]
#[example(5.0 => "5.0")]
#[example(0.1 => "0.1")]
#[example(1e300 => "1e300")]
#[example(null => null)]
pub fn float_any(value: f64) -> Option<JsonString> {
    json_of_float(value)
}

/// `value` as JSON.
#[function(immutable)]
#[example("größe" => "\"größe\"")]
#[example("a\"\n" => "\"a\\\"\\n\"")]
#[example("" => "\"\"")]
#[example(null => null)]
pub fn text_any(value: &str) -> JsonString {
    json_of_text(value)
}

/// `value` as JSON: milliseconds since 1970, rounded down.
#[function(immutable)]
#[example(1500999 => "1500")]
#[example(-1 => "-1")]
#[example(null => null)]
pub fn time_any(value: Time) -> JsonString {
    JsonString(value.0.div_euclid(1000).to_string())
}
