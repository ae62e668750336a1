//! `CAST` of values whose types only the messages know.

use crate::text::{float_to_text, text_to_bool, text_to_float, text_to_int};
use rulemill_guest::prelude::*;
use rulemill_guest_values::calendar::time_of_text;
use rulemill_guest_values::json::{Kind, Number, Value};
use std::borrow::Cow;

/// `value` as an int: a float loses its fraction, a boolean is 1 or 0, a text is read.
#[function(immutable)]
#[example("4.9" => 4)]
#[example("\"-42\"" => -42)]
#[example("true" => 1)]
#[example("1e30" => error)]
#[example("\"4.9\"" => error)]
#[example("[]" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn cast_bigint(value: Json<'_>) -> Result<Option<i64>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Bool(truth) => Ok(Some(i64::from(truth))),
        Kind::Number(number) => match number.truncated() {
            Some(int) => Ok(Some(int)),
            None => Err(impossible(value, "a bigint")),
        },
        Kind::Text(text) => text_to_int(&text.characters()).map(Some),
        Kind::Array(_) | Kind::Object(_) => Err(impossible(value, "a bigint")),
    }
}

/// `value` as a float: an int is the nearest double, a boolean is 1 or 0, a text is read.
#[function(immutable)]
#[example("4" => 4.0)]
#[example("\"4.5\"" => 4.5)]
#[example("false" => 0.0)]
#[example("\"\"" => error)]
#[example("1e999" => error)]
#[example("{}" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn cast_float(value: Json<'_>) -> Result<Option<f64>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Bool(truth) => Ok(Some(f64::from(u8::from(truth)))),
        Kind::Number(number) if number.float().is_finite() => Ok(Some(number.float())),
        Kind::Text(text) => text_to_float(&text.characters()).map(Some),
        Kind::Number(_) | Kind::Array(_) | Kind::Object(_) => Err(impossible(value, "a float")),
    }
}

/// `value` as a text; an array or an object as the text of its JSON.
#[function(immutable)]
#[example("\"größe\"" => "größe")]
#[example("4" => "4")]
#[example("4.0" => "4")]
#[example("true" => "true")]
#[example("[1, \"a\"]" => "[1, \"a\"]")]
#[example("null" => null)]
#[example("nul" => error)]
#[example(null => null)]
pub fn cast_string(value: Json<'_>) -> Result<Option<Cow<'_, str>>, RowError> {
    let value = Value::of(value)?;
    Ok(match value.kind() {
        Kind::Null => None,
        Kind::Text(text) => Some(text.characters()),
        Kind::Number(Number::Float(float)) => Some(Cow::Owned(float_to_text(float))),
        Kind::Bool(_) | Kind::Number(Number::Int(_)) | Kind::Array(_) | Kind::Object(_) => Some(value.raw().into()),
    })
}

/// `value` as a boolean: a number is true unless it is 0, a text is read.
#[function(immutable)]
#[example("1" => true)]
#[example("0.0" => false)]
#[example("\"true\"" => true)]
#[example("\"yes\"" => error)]
#[example("[]" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn cast_boolean(value: Json<'_>) -> Result<Option<bool>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Bool(truth) => Ok(Some(truth)),
        Kind::Number(number) => Ok(Some(number.float() != 0.0)),
        Kind::Text(text) => text_to_bool(&text.characters()).map(Some),
        Kind::Array(_) | Kind::Object(_) => Err(impossible(value, "a boolean")),
    }
}

/// `value` as a time: a number is milliseconds since 1970, a text such as `2006-01-02T15:04:05Z` is read.
#[function(immutable)]
#[example("1500" => 1500000)]
#[example("1500.9" => 1500000)]
#[example("\"1970-01-01T00:00:01.5Z\"" => 1500000)]
#[example("\"now\"" => error)]
#[example("9223372036854775807" => error)]
#[example("true" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn cast_datetime(value: Json<'_>) -> Result<Option<Time>, RowError> {
    let value = Value::of(value)?;
    let microseconds = match value.kind() {
        Kind::Null => return Ok(None),
        Kind::Number(number) => number
            .truncated()
            .and_then(|milliseconds| milliseconds.checked_mul(1000)),
        Kind::Text(text) => time_of_text(&text.characters()),
        Kind::Bool(_) | Kind::Array(_) | Kind::Object(_) => None,
    };
    match microseconds {
        Some(microseconds) => Ok(Some(Time(microseconds))),
        None => Err(impossible(value, "a datetime")),
    }
}

/// `value` as bytes: those of a text in UTF-8.
#[function(immutable)]
#[example("1" => error)]
#[example("[1]" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn cast_bytea(value: Json<'_>) -> Result<Option<Vec<u8>>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Text(text) => Ok(Some(text.characters().into_owned().into_bytes())),
        Kind::Bool(_) | Kind::Number(_) | Kind::Array(_) | Kind::Object(_) => Err(impossible(value, "bytes")),
    }
}

fn impossible(value: Value<'_>, wanted: &str) -> RowError {
    RowError::new(format!("{value} cannot be made {wanted}"))
}
