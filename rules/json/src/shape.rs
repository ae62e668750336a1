//! Sizes of arrays, and arrays put together.

use crate::limits::check_len;
use crate::search::present_array;
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{ArrayWriter, Kind, Value};

/// How many elements `array` has, nulls among them; 0 when it is null or no array.
#[function(immutable)]
#[example("[1,null,2]" => 3)]
#[example("[ ]" => 0)]
#[example("7" => 0)]
#[example(null => 0)]
pub fn cardinality(array: Option<Json<'_>>) -> Result<i64, RowError> {
    let value = Value::present(array)?;
    Ok(value.map_or(0, |value| value.array().map_or(0, |array| int(array.count()))))
}

/// How many elements of `array` are not null; 0 when it is null itself.
#[function(immutable)]
#[example("[1,null,2]" => 2)]
#[example("[]" => 0)]
#[example("7" => error)]
#[example(null => 0)]
pub fn array_cardinality(array: Option<Json<'_>>) -> Result<i64, RowError> {
    let array = present_array(array)?;
    Ok(array.map_or(0, |array| {
        int(array.into_iter().filter(|element| !element.is_null()).count())
    }))
}

/// How many elements an array has, members an object, characters a text or the text of another value; 0 for null.
#[function(immutable)]
#[example("[1,null]" => 2)]
#[example("{\"a\":1,\"a\":2}" => 1)]
#[example("\"gr\\u00f6ße\"" => 5)]
#[example("123" => 3)]
#[example(null => 0)]
pub fn length_any(value: Option<Json<'_>>) -> Result<i64, RowError> {
    let Some(value) = Value::present(value)? else {
        return Ok(0);
    };
    Ok(int(match value.kind() {
        Kind::Array(array) => array.count(),
        Kind::Object(object) => object.sorted().len(),
        Kind::Text(text) => text.characters().chars().count(),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => value.raw().len(),
    }))
}

/// The elements of these arrays, one array after the other. Nulls among the arrays are passed over.
#[function(immutable)]
#[example("[1]", "[2]", "[\"3\"]", "[null]" => "[1,2,\"3\",null]")]
#[example("[1]", null, "[2]" => "[1,2]")]
#[example(null => "[]")]
#[example("[1]", "2" => error)]
pub fn array_concat(arrays: &[Option<Json<'_>>]) -> Result<JsonString, RowError> {
    let mut whole = ArrayWriter::new();
    for array in arrays {
        for element in present_array(*array)?.into_iter().flatten() {
            whole.push(element);
        }
    }
    Ok(whole.finish())
}

/// The elements of `array`, where an element that is an array itself is replaced by its elements.
#[function(immutable)]
#[example("[[1,2,3],[4,5,6]]" => "[1,2,3,4,5,6]")]
#[example("[1,[2,[3]]]" => "[1,2,[3]]")]
#[example("[[1,null],[2,3]]" => "[1,null,2,3]")]
#[example("{}" => error)]
#[example(null => null)]
pub fn array_flatten(array: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let Some(array) = present_array(Some(array))? else {
        return Ok(None);
    };
    let mut flat = ArrayWriter::new();
    for element in array {
        match element.kind() {
            Kind::Array(inner) => inner.into_iter().for_each(|element| flat.push(element)),
            _ => flat.push(element),
        }
    }
    Ok(Some(flat.finish()))
}

/// The elements of `array` as one text with `separator` between them. A null is passed over, or with a third argument
/// replaced by it. An element that is an array or an object is an error, and so is a result of more than 64 KiB that is
/// longer than the array.
#[function(immutable)]
#[example("[\"a\",\"b\",\"c\"]", ":,%" => "a:,%b:,%c")]
#[example("[1,2.50,true]", "," => "1,2.50,true")]
#[example("[\"a\",null,\"b\"]", ":" => "a:b")]
#[example("[\"a\",null,\"b\"]", ":", "?" => "a:?:b")]
#[example("[null,null,null]", "," => "")]
#[example("[[1]]", "," => error)]
#[example("[1]", ",", "", "" => error)]
#[example(null, "," => null)]
#[example("[1]", null => null)]
pub fn array_join(array: Json<'_>, separator: &str, null_replacement: &[&str]) -> Result<Option<String>, RowError> {
    if let [_, _, ..] = null_replacement {
        let got = null_replacement.len() + 2;
        return Err(RowError::new(format!("array_join takes 2 or 3 arguments, got {got}")));
    }
    let own_len = array.0.len();
    let Some(array) = present_array(Some(array))? else {
        return Ok(None);
    };
    let mut joined = String::new();
    let mut is_first = true;
    for element in array {
        let text = match element.kind() {
            Kind::Null => match null_replacement {
                [replacement, ..] => (*replacement).into(),
                [] => continue,
            },
            Kind::Text(text) => text.characters(),
            Kind::Bool(_) | Kind::Number(_) => element.raw().into(),
            Kind::Array(_) | Kind::Object(_) => return Err(element.unlike("texts, numbers and booleans to join")),
        };
        if !std::mem::take(&mut is_first) {
            joined.push_str(separator);
        }
        joined.push_str(&text);
        if joined.len() > own_len {
            check_len(joined.len())?;
        }
    }
    Ok(Some(joined))
}

fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
