//! Comparisons: numbers by their exact value, texts by their code points, booleans as equal or not.
//!
//! Two values of different types, arrays and objects cannot be compared: that is an error of the row. With a null every
//! comparison is false, also `!=`.

use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{Kind, Value, compare_numbers};
use std::cmp::Ordering;

/// `left = right`.
#[function(immutable)]
#[example("1", "1.0" => true)]
#[example("9007199254740993", "9007199254740992.0" => false)]
#[example("\"a\"", "\"\\u0061\"" => true)]
#[example("true", "true" => true)]
#[example("\"1\"", "1" => error)]
#[example("[1]", "[1]" => error)]
#[example("null", "null" => false)]
#[example(null, "1" => false)]
pub fn any_eq(left: Option<Json<'_>>, right: Option<Json<'_>>) -> Result<bool, RowError> {
    compare(left, right, "=", Ordering::is_eq)
}

/// `left != right`.
#[function(immutable)]
#[example("1", "2" => true)]
#[example("1", "1.0" => false)]
#[example("true", "false" => true)]
#[example("\"1\"", "1" => error)]
#[example("1", null => false)]
pub fn any_ne(left: Option<Json<'_>>, right: Option<Json<'_>>) -> Result<bool, RowError> {
    compare(left, right, "!=", Ordering::is_ne)
}

/// `left < right`.
#[function(immutable)]
#[example("1", "1.5" => true)]
#[example("9223372036854775807", "9223372036854775808" => true)]
#[example("\"Z\"", "\"a\"" => true)]
#[example("\"\"", "\"a\"" => true)]
#[example("2", "1" => false)]
#[example("false", "true" => error)]
#[example("1", "\"2\"" => error)]
#[example("1", null => false)]
pub fn any_lt(left: Option<Json<'_>>, right: Option<Json<'_>>) -> Result<bool, RowError> {
    compare(left, right, "<", Ordering::is_lt)
}

/// `left <= right`.
#[function(immutable)]
#[example("1", "1.0" => true)]
#[example("\"b\"", "\"a\"" => false)]
#[example("true", "true" => error)]
#[example("1", null => false)]
pub fn any_le(left: Option<Json<'_>>, right: Option<Json<'_>>) -> Result<bool, RowError> {
    compare(left, right, "<=", Ordering::is_le)
}

/// `left > right`.
#[function(immutable)]
#[example("1.5", "1" => true)]
#[example("\"ä\"", "\"z\"" => true)]
#[example("{}", "1" => error)]
#[example(null, "1" => false)]
pub fn any_gt(left: Option<Json<'_>>, right: Option<Json<'_>>) -> Result<bool, RowError> {
    compare(left, right, ">", Ordering::is_gt)
}

/// `left >= right`.
#[function(immutable)]
#[example("1", "1.0" => true)]
#[example("-9223372036854775808", "-9223372036854775809" => true)]
#[example("true", "1" => error)]
#[example(null, "1" => false)]
pub fn any_ge(left: Option<Json<'_>>, right: Option<Json<'_>>) -> Result<bool, RowError> {
    compare(left, right, ">=", Ordering::is_ge)
}

/// Whether `value` is not below `least` and not above `most`.
#[function(immutable)]
#[example("5", "1", "5.0" => true)]
#[example("\"b\"", "\"a\"", "\"c\"" => true)]
#[example("0", "1", "5" => false)]
#[example("5", "9", "1" => false)]
#[example("5", "1", "\"9\"" => error)]
#[example("5", "null", "9" => false)]
#[example(null, "1", "9" => false)]
pub fn any_between(value: Option<Json<'_>>, least: Option<Json<'_>>, most: Option<Json<'_>>) -> Result<bool, RowError> {
    let [Some(value), Some(least), Some(most)] =
        [Value::present(value)?, Value::present(least)?, Value::present(most)?]
    else {
        return Ok(false);
    };
    let from = order(value, least, ">=")?;
    let to = order(value, most, "<=")?;
    Ok(from.is_ge() && to.is_le())
}

fn compare(
    left: Option<Json<'_>>,
    right: Option<Json<'_>>,
    sign: &str,
    holds: fn(Ordering) -> bool,
) -> Result<bool, RowError> {
    let (Some(left), Some(right)) = (Value::present(left)?, Value::present(right)?) else {
        return Ok(false);
    };
    Ok(holds(order(left, right, sign)?))
}

/// The order of two values of one type.
pub(crate) fn order(left: Value<'_>, right: Value<'_>, sign: &str) -> Result<Ordering, RowError> {
    match (left.kind(), right.kind()) {
        (Kind::Number(left), Kind::Number(right)) => Ok(compare_numbers(left, right)),
        (Kind::Text(left), Kind::Text(right)) => Ok(left.compare(right)),
        (Kind::Bool(left), Kind::Bool(right)) if sign == "=" || sign == "!=" => Ok(left.cmp(&right)),
        _ => Err(RowError::new(format!("{sign} cannot compare {left} with {right}"))),
    }
}
