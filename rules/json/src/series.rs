//! Arrays from single values.

use crate::limits::check_len;
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{ArrayWriter, Value};

/// The array of these values.
#[function(immutable)]
#[example("1", "\"2\"", "[3]" => "[1,\"2\",[3]]")]
#[example("1", null, "null" => "[1,null,null]")]
#[example("1 2" => error)]
#[example(=> "[]")]
pub fn array_create(values: &[Option<Json<'_>>]) -> Result<JsonString, RowError> {
    let mut array = ArrayWriter::new();
    for value in values {
        push(&mut array, Value::present(*value)?);
    }
    Ok(array.finish())
}

/// The array that has `value` so many times. A negative count, or a result of more than 64 KiB, is an error.
#[function(immutable)]
#[example("1", 5 => "[1,1,1,1,1]")]
#[example("\"a\"", 2 => "[\"a\",\"a\"]")]
#[example("1", 0 => "[]")]
#[example("1", -1 => error)]
#[example("1", 9223372036854775807 => error)]
#[example(null, 2 => "[null,null]")]
#[example("1", null => null)]
pub fn repeat(value: Option<Json<'_>>, count: i64) -> Result<JsonString, RowError> {
    let value = Value::present(value)?;
    if count < 0 {
        return Err(RowError::new(format!("the count must be at least 0, got {count}")));
    }
    let times = usize::try_from(count).unwrap_or(usize::MAX);
    let len = value.map_or(4, |value| value.raw().len());
    check_len(times.saturating_mul(len + 1))?;
    let mut array = ArrayWriter::new();
    (0..times).for_each(|_| push(&mut array, value));
    Ok(array.finish())
}

/// The ints from `start` up or down to `stop`, both included, in steps of 1 or of a third argument. A step of 0, or a
/// result of more than 64 KiB, is an error; when `stop` lies in the other direction the array is empty.
#[function(immutable)]
#[example(1, 4 => "[1,2,3,4]")]
#[example(2, -1 => "[2,1,0,-1]")]
#[example(1, 6, 2 => "[1,3,5]")]
#[example(1, 6, -1 => "[]")]
#[example(3, 3 => "[3]")]
#[example(1, 6, 0 => error)]
#[example(1, 6, 1, 1 => error)]
#[example(-9223372036854775808, 9223372036854775807 => error)]
#[example(9223372036854775806, 9223372036854775807 => "[9223372036854775806,9223372036854775807]")]
#[example(null, 1 => null)]
pub fn sequence(start: i64, stop: i64, step: &[i64]) -> Result<JsonString, RowError> {
    let step = match step {
        [] if start <= stop => 1,
        [] => -1,
        [0] => return Err(RowError::new("the step must not be 0")),
        [step] => *step,
        more => {
            let got = more.len() + 2;
            return Err(RowError::new(format!("sequence takes 2 or 3 arguments, got {got}")));
        }
    };
    let mut array = ArrayWriter::new();
    let mut next = Some(start);
    while let Some(int) = next.filter(|int| if step > 0 { *int <= stop } else { *int >= stop }) {
        array.push_raw(&int.to_string());
        check_len(array.len())?;
        next = int.checked_add(step);
    }
    Ok(array.finish())
}

fn push(array: &mut ArrayWriter, value: Option<Value<'_>>) {
    array.push_raw(value.map_or("null", Value::raw));
}
