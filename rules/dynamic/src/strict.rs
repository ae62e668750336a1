//! From JSON to a type: only a value that is of this type already, or a null.

use rulemill_guest::prelude::*;
use rulemill_guest_values::calendar::time_of_text;
use rulemill_guest_values::json::{Kind, Value};
use std::borrow::Cow;

/// `value` as a boolean; an error when it is of another type.
#[function(immutable)]
#[example("true" => true)]
#[example("1" => error)]
#[example("\"true\"" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn any_bool(value: Json<'_>) -> Result<Option<bool>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Bool(truth) => Ok(Some(truth)),
        _ => Err(value.unlike("a boolean")),
    }
}

/// `value` as an int; a float without a fraction is one too. An error when it is of another type, or beyond 64 bits.
#[function(immutable)]
#[example("9223372036854775807" => 9223372036854775807)]
#[example("4.0" => 4)]
#[example("4.5" => error)]
#[example("1e30" => error)]
#[example("\"4\"" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn any_int(value: Json<'_>) -> Result<Option<i64>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Number(number) => match number.whole() {
            Some(int) => Ok(Some(int)),
            None => Err(value.unlike("an int of 64 bits")),
        },
        _ => Err(value.unlike("an int")),
    }
}

/// `value` as a float; an int is one too, as the nearest double. An error when it is of another type.
#[function(immutable)]
#[example("4.5" => 4.5)]
#[example("4" => 4.0)]
#[example("\"4\"" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn any_float(value: Json<'_>) -> Result<Option<f64>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Number(number) => Ok(Some(number.float())),
        _ => Err(value.unlike("a number")),
    }
}

/// `value` as a text; an error when it is of another type.
#[function(immutable)]
#[example("\"größe\"" => "größe")]
#[example("\"a\\nb\"" => "a\nb")]
#[example("\"\"" => "")]
#[example("4" => error)]
#[example("{}" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn any_text(value: Json<'_>) -> Result<Option<Cow<'_, str>>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Text(text) => Ok(Some(text.characters())),
        _ => Err(value.unlike("a text")),
    }
}

/// `value` as a time, which in JSON is an int of milliseconds since 1970, or a text such as `2006-01-02T15:04:05Z`. An error
/// when it is anything else.
#[function(immutable)]
#[example("1500" => 1500000)]
#[example("\"1970-01-01T00:00:01.5Z\"" => 1500000)]
#[example("\"yesterday\"" => error)]
#[example("9223372036854775807" => error)]
#[example("1.5" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn any_time(value: Json<'_>) -> Result<Option<Time>, RowError> {
    let value = Value::of(value)?;
    let microseconds = match value.kind() {
        Kind::Null => return Ok(None),
        Kind::Number(number) => number.whole().and_then(|milliseconds| milliseconds.checked_mul(1000)),
        Kind::Text(text) => time_of_text(&text.characters()),
        _ => None,
    };
    match microseconds {
        Some(microseconds) => Ok(Some(Time(microseconds))),
        None => Err(value.unlike("milliseconds since 1970 or a time such as 2006-01-02T15:04:05Z")),
    }
}
