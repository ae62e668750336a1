//! Parts of objects and arrays.

use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{ArrayWriter, Value};

/// The member `name` of the object `value`; null when there is none. An error when `value` is no object.
#[function(immutable)]
#[example("{\"a\":{\"b\":1}}", "a" => "{\"b\":1}")]
#[example("{\"größe\": 1}", "größe" => "1")]
#[example("{\"a\":1}", "b" => null)]
#[example("{\"a\":null}", "a" => null)]
#[example("[1]", "a" => error)]
#[example("7", "a" => error)]
#[example("null", "a" => null)]
#[example(null, "a" => null)]
#[example("{}", null => null)]
pub fn any_get<'j>(value: Json<'j>, name: &str) -> Result<Option<Json<'j>>, RowError> {
    let value = Value::of(value)?;
    if value.is_null() {
        return Ok(None);
    }
    Ok(value.object()?.member(name).and_then(Value::json))
}

/// The element of the array `value` at `index`, the first being 0; a negative index counts from the end, the last being
/// -1. An index without an element is an error, and so is a `value` that is no array.
#[function(immutable)]
#[example("[1,[2],3]", 1 => "[2]")]
#[example("[1,2,3]", -1 => "3")]
#[example("[1,null]", 1 => null)]
#[example("[1,2,3]", 3 => error)]
#[example("[1,2,3]", -4 => error)]
#[example("[]", -9223372036854775808 => error)]
#[example("[1,2,3]", 4294967296 => error)]
#[example("[1,2,3]", -4294967297 => error)]
#[example("{\"0\":1}", 0 => error)]
#[example("null", 0 => null)]
#[example(null, 0 => null)]
pub fn any_index(value: Json<'_>, index: i64) -> Result<Option<Json<'_>>, RowError> {
    let value = Value::of(value)?;
    if value.is_null() {
        return Ok(None);
    }
    let array = value.array()?;
    match array.element(index) {
        Some(element) => Ok(element.json()),
        None => {
            let count = array.count();
            Err(RowError::new(format!(
                "there is no element {index}: the array has {count} elements"
            )))
        }
    }
}

/// The elements of the array `value` from position `from` up to, and without, position `to`. A null stands for the
/// beginning or the end, a negative position counts from the end. A position beyond the array is an error.
#[function(immutable)]
#[example("[0,1,2,3,4,5]", null, 2 => "[0,1]")]
#[example("[0,1,2,3,4,5]", 4, null => "[4,5]")]
#[example("[0,1,2,3,4,5]", -1, null => "[5]")]
#[example("[0,1,2,3,4,5]", -5, -1 => "[1,2,3,4]")]
#[example("[ 0, [1] ]", null, null => "[0,[1]]")]
#[example("[0,1]", 1, 1 => "[]")]
#[example("[0,1]", 2, null => "[]")]
#[example("[0,1]", 3, null => error)]
#[example("[0,1]", 0, -3 => error)]
#[example("[0,1]", 4294967296, null => error)]
#[example("[0,1]", 2, 1 => error)]
#[example("7", 0, 1 => error)]
#[example("null", 0, 1 => null)]
#[example(null, 0, 1 => null)]
pub fn any_slice(value: Json<'_>, from: Option<i64>, to: Option<i64>) -> Result<Option<JsonString>, RowError> {
    let value = Value::of(value)?;
    if value.is_null() {
        return Ok(None);
    }
    let array = value.array()?;
    let count = array.count();
    let start = from.map_or(Ok(0), |from| position(from, count))?;
    let end = to.map_or(Ok(count), |to| position(to, count))?;
    let Some(taken) = end.checked_sub(start) else {
        return Err(RowError::new(format!(
            "a slice must not end before it begins, got {start} to {end}"
        )));
    };
    let mut slice = ArrayWriter::new();
    array
        .into_iter()
        .skip(start)
        .take(taken)
        .for_each(|element| slice.push(element));
    Ok(Some(slice.finish()))
}

/// A position between elements, counted from the beginning.
fn position(position: i64, count: usize) -> Result<usize, RowError> {
    let magnitude = usize::try_from(position.unsigned_abs()).ok();
    let from_beginning = match magnitude {
        Some(back) if position < 0 => count.checked_sub(back),
        magnitude => magnitude.filter(|position| *position <= count),
    };
    from_beginning.ok_or_else(|| {
        RowError::new(format!(
            "there is no position {position}: the array has {count} elements"
        ))
    })
}
