//! The order of elements, and what is at its ends.

use crate::search::present_array;
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{ArrayWriter, Kind, Value, sort_values};
use std::cmp::Ordering;

/// The greatest element of an array of numbers or of texts; nulls are passed over. Null when there is none. An element of
/// another type than the first is an error.
#[function(immutable)]
#[example("[1,null,3]" => "3")]
#[example("[1,3.2,4.1,2]" => "4.1")]
#[example("[\"a\",\"b\"]" => "\"b\"")]
#[example("[1,\"4\",3]" => error)]
#[example("[true]" => error)]
#[example("[]" => null)]
#[example("7" => error)]
#[example(null => null)]
pub fn array_max(array: Json<'_>) -> Result<Option<Json<'_>>, RowError> {
    extreme(array, Ordering::Greater)
}

/// The least element of an array of numbers or of texts; nulls are passed over. Null when there is none. An element of
/// another type than the first is an error.
#[function(immutable)]
#[example("[1,null,3]" => "1")]
#[example("[1.2,4.2,3.0]" => "1.2")]
#[example("[9223372036854775807,9223372036854775806]" => "9223372036854775806")]
#[example("[1,\"0\",3]" => error)]
#[example("[null]" => null)]
#[example(null => null)]
pub fn array_min(array: Json<'_>) -> Result<Option<Json<'_>>, RowError> {
    extreme(array, Ordering::Less)
}

/// The mean of an array of numbers; nulls are passed over. Null when there is no number. Another element is an error.
#[function(immutable)]
#[example("[1,2]" => 1.5)]
#[example("[1,null,4.0]" => 2.5)]
#[example("[1,\"2\"]" => error)]
#[example("[]" => null)]
#[example(null => null)]
pub fn array_avg(array: Json<'_>) -> Result<Option<f64>, RowError> {
    let Some(array) = present_array(Some(array))? else {
        return Ok(None);
    };
    let (mut sum, mut count) = (0.0, 0.0);
    for element in array {
        match element.kind() {
            Kind::Null => {}
            Kind::Number(number) => {
                sum += number.float();
                count += 1.0;
            }
            _ => return Err(element.unlike("an array of numbers")),
        }
    }
    Ok((count > 0.0).then(|| sum / count))
}

/// The elements in order: nulls, booleans, numbers, texts, arrays, objects.
#[function(immutable)]
#[example("[3,2,\"b\",\"a\"]" => "[2,3,\"a\",\"b\"]")]
#[example("[3,1.6,-0.83]" => "[-0.83,1.6,3]")]
#[example("[{},[],\"\",0,true,null]" => "[null,true,0,\"\",[],{}]")]
#[example("[]" => "[]")]
#[example("\"ba\"" => error)]
#[example(null => null)]
pub fn array_sort(array: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let Some(array) = present_array(Some(array))? else {
        return Ok(None);
    };
    let mut elements: Vec<_> = array.into_iter().map(|element| (element, 0)).collect();
    sort_values(&mut elements);
    let mut sorted = ArrayWriter::new();
    elements.into_iter().for_each(|(element, _)| sorted.push(element));
    Ok(Some(sorted.finish()))
}

/// The element that is on this side of all others.
fn extreme(array: Json<'_>, side: Ordering) -> Result<Option<Json<'_>>, RowError> {
    let Some(array) = present_array(Some(array))? else {
        return Ok(None);
    };
    let mut found: Option<Value<'_>> = None;
    for element in array {
        match (element.kind(), found.map(Value::kind)) {
            (Kind::Null, _) => continue,
            (Kind::Number(_), None | Some(Kind::Number(_))) | (Kind::Text(_), None | Some(Kind::Text(_))) => {}
            _ => return Err(element.unlike("an array of numbers or of texts")),
        }
        if found.is_none_or(|found| element.compare(found) == side) {
            found = Some(element);
        }
    }
    Ok(found.and_then(Value::json))
}
