//! Arrays as sets of values. The results have no value twice, except that of `array_remove`.

use crate::search::present_array;
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{ArrayWriter, Value, sort_values};

/// The elements of `other` that are in `one` too.
#[function(immutable)]
#[example("[1,1,2,3]", "[1,3,4]" => "[1,3]")]
#[example("[\"hello\",\"ekuiper\",2,3]", "[\"ekuiper\",3,4]" => "[\"ekuiper\",3]")]
#[example("[1]", "[1.0,1]" => "[1.0]")]
#[example("[1]", "{}" => error)]
#[example(null, "[1]" => null)]
#[example("[1]", null => null)]
pub fn array_intersect(one: Json<'_>, other: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let (Some(one), Some(other)) = (present_array(Some(one))?, present_array(Some(other))?) else {
        return Ok(None);
    };
    let one = Set::of(one);
    Ok(Some(write(
        distinct(other.into_iter().collect())
            .into_iter()
            .filter(|value| one.has(*value)),
    )))
}

/// The elements of `one`, and then those of `other` that are not among them.
#[function(immutable)]
#[example("[1,1,2,3]", "[1,3,4]" => "[1,2,3,4]")]
#[example("[]", "[]" => "[]")]
#[example("[null]", "[null]" => "[null]")]
#[example("7", "[1]" => error)]
#[example(null, "[1]" => null)]
pub fn array_union(one: Json<'_>, other: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let (Some(one), Some(other)) = (present_array(Some(one))?, present_array(Some(other))?) else {
        return Ok(None);
    };
    Ok(Some(write(
        distinct(one.into_iter().chain(other).collect()).into_iter(),
    )))
}

/// The elements of `one` that are not in `other`.
#[function(immutable)]
#[example("[1,2,3]", "[1,3,4]" => "[2]")]
#[example("[1,2,1,2,3]", "[1,2,1,1,2,2,4]" => "[3]")]
#[example("[3,3]", "[]" => "[3]")]
#[example("[1]", "\"1\"" => error)]
#[example(null, "[1]" => null)]
pub fn array_except(one: Json<'_>, other: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let (Some(one), Some(other)) = (present_array(Some(one))?, present_array(Some(other))?) else {
        return Ok(None);
    };
    let other = Set::of(other);
    Ok(Some(write(
        distinct(one.into_iter().collect())
            .into_iter()
            .filter(|value| !other.has(*value)),
    )))
}

/// The elements of `array`, each only where it comes first.
#[function(immutable)]
#[example("[1,2,2,1]" => "[1,2]")]
#[example("[[1],[1.0],{\"a\":1},{\"a\":1}]" => "[[1],{\"a\":1}]")]
#[example("[]" => "[]")]
#[example("{}" => error)]
#[example(null => null)]
pub fn array_distinct(array: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let array = present_array(Some(array))?;
    Ok(array.map(|array| write(distinct(array.into_iter().collect()).into_iter())))
}

/// The elements of `array` that are not `value`.
#[function(immutable)]
#[example("[1,2,3,4,3]", "3" => "[1,2,4]")]
#[example("[3,3,3]", "3.0" => "[]")]
#[example("[1,null]", null => "[1]")]
#[example("7", "7" => error)]
#[example(null, "1" => null)]
pub fn array_remove(array: Json<'_>, value: Option<Json<'_>>) -> Result<Option<JsonString>, RowError> {
    let value = Value::present(value)?;
    let is_it = |element: &Value<'_>| value.map_or(element.is_null(), |value| value.equals(*element));
    let array = present_array(Some(array))?;
    Ok(array.map(|array| write(array.into_iter().filter(|element| !is_it(element)))))
}

/// Values in their order, for looking one up.
pub(crate) struct Set<'j>(Vec<(Value<'j>, usize)>);

impl<'j> Set<'j> {
    pub(crate) fn of(values: impl IntoIterator<Item = Value<'j>>) -> Self {
        let mut values: Vec<_> = values.into_iter().map(|value| (value, 0)).collect();
        sort_values(&mut values);
        Set(values)
    }

    pub(crate) fn has(&self, value: Value<'_>) -> bool {
        self.0.binary_search_by(|(other, _)| other.compare(value)).is_ok()
    }
}

/// The values that equal none before them.
fn distinct(values: Vec<Value<'_>>) -> Vec<Value<'_>> {
    let mut order: Vec<_> = values.iter().copied().zip(0..).collect();
    sort_values(&mut order);
    let mut is_first = vec![true; values.len()];
    // Of equal values the first stays the first.
    for pair in order.windows(2) {
        let ((one, _), (other, position)) = (pair[0], pair[1]);
        is_first[position] = !one.equals(other);
    }
    let firsts = values.into_iter().zip(is_first);
    firsts
        .filter_map(|(value, is_first)| is_first.then_some(value))
        .collect()
}

fn write<'j>(values: impl Iterator<Item = Value<'j>>) -> JsonString {
    let mut array = ArrayWriter::new();
    values.for_each(|value| array.push(value));
    array.finish()
}
