//! Lists of values.

use crate::comparison::order;
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::Value;
use std::cmp::Ordering;

/// Whether `value` equals an element of the array `list`. An element of another type, or null, is not equal.
#[function(immutable)]
#[example("2", "[1,2.0]" => true)]
#[example("\"a\"", "[1,\"a\"]" => true)]
#[example("3", "[1,2]" => false)]
#[example("1", "[\"1\",null,[1]]" => false)]
#[example("1", "[]" => false)]
#[example("1", "1" => error)]
#[example("null", "[null]" => false)]
#[example(null, "[1]" => false)]
#[example("1", null => false)]
pub fn any_in(value: Option<Json<'_>>, list: Option<Json<'_>>) -> Result<bool, RowError> {
    let (Some(value), Some(list)) = (Value::present(value)?, Value::present(list)?) else {
        return Ok(false);
    };
    let mut elements = list.array()?.into_iter();
    Ok(elements.any(|element| order(value, element, "=") == Ok(Ordering::Equal)))
}
