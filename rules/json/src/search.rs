//! Finding elements.

use crate::sets::Set;
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{Array, Kind, Number, Value};

/// Where the first element of `array` that is `value` stands, the first being 0; -1 when there is none, or no array.
#[function(immutable)]
#[example("[3,2,1]", "1" => 2)]
#[example("[1,1.0]", "1.0" => 0)]
#[example("[{\"a\":1,\"b\":2}]", "{\"b\":2,\"a\":1}" => 0)]
#[example("[1,null]", null => 1)]
#[example("[1]", "\"1\"" => -1)]
#[example("7", "7" => error)]
#[example(null, "1" => -1)]
pub fn array_position(array: Option<Json<'_>>, value: Option<Json<'_>>) -> Result<i64, RowError> {
    let wanted = Wanted::of(value)?;
    let position = present_array(array)?.and_then(|array| array.into_iter().position(|element| wanted.is(element)));
    Ok(index_of(position))
}

/// Where the last element of `array` that is `value` stands, the first being 0; -1 when there is none, or no array.
#[function(immutable)]
#[example("[5,null,5]", "5" => 2)]
#[example("[5,\"hello\",null]", null => 2)]
#[example("[5,null,5]", "\"hello\"" => -1)]
#[example("{}", "1" => error)]
#[example(null, "1" => -1)]
pub fn array_last_position(array: Option<Json<'_>>, value: Option<Json<'_>>) -> Result<i64, RowError> {
    let wanted = Wanted::of(value)?;
    let last = |array: Array<'_>| {
        let positions = array.into_iter().enumerate();
        positions
            .filter(|(_, element)| wanted.is(*element))
            .last()
            .map(|(position, _)| position)
    };
    Ok(index_of(present_array(array)?.and_then(last)))
}

/// Whether an element of `array` is `value`. False when there is no array.
#[function(immutable)]
#[example("[1,2]", "2" => true)]
#[example("[1,2]", "3" => false)]
#[example("[1,null]", null => true)]
#[example("[]", "null" => false)]
#[example("\"1\"", "1" => error)]
#[example(null, null => false)]
pub fn array_contains(array: Option<Json<'_>>, value: Option<Json<'_>>) -> Result<bool, RowError> {
    let wanted = Wanted::of(value)?;
    Ok(present_array(array)?.is_some_and(|array| array.into_iter().any(|element| wanted.is(element))))
}

/// Whether two arrays have an element in common. False when either is null.
#[function(immutable)]
#[example("[1,2]", "[3,2.0]" => true)]
#[example("[1,2]", "[3]" => false)]
#[example("[null]", "[null]" => true)]
#[example("[1]", "1" => error)]
#[example(null, "[4,\"hello\",6]" => false)]
pub fn array_contains_any(one: Option<Json<'_>>, other: Option<Json<'_>>) -> Result<bool, RowError> {
    let (Some(one), Some(other)) = (present_array(one)?, present_array(other)?) else {
        return Ok(false);
    };
    let one = Set::of(one);
    Ok(other.into_iter().any(|value| one.has(value)))
}

/// The element of an array at an index, the first being 0 and a negative index counting from the end, or the member of an
/// object by its name. An index without an element is an error, a name without a member gives null.
#[function(immutable)]
#[example("[1,2,3]", "1" => "2")]
#[example("[1,2,3]", "-1" => "3")]
#[example("[1,null]", "1" => null)]
#[example("[1,2,3]", "3" => error)]
#[example("[1]", "\"0\"" => error)]
#[example("{\"a\":1,\"b\":2}", "\"a\"" => "1")]
#[example("{\"a\":1}", "\"c\"" => null)]
#[example("{\"a\":1}", "2" => error)]
#[example("7", "0" => error)]
#[example(null, "0" => null)]
#[example("[1]", null => null)]
pub fn element_at<'j>(value: Json<'j>, index: Json<'_>) -> Result<Option<Json<'j>>, RowError> {
    let (value, index) = (Value::of(value)?, Value::of(index)?);
    match (value.kind(), index.kind()) {
        (Kind::Null, _) | (_, Kind::Null) => Ok(None),
        (Kind::Object(object), _) => Ok(object.member(&index.text()?.characters()).and_then(Value::json)),
        (Kind::Array(array), Kind::Number(Number::Int(at))) => match array.element(at) {
            Some(element) => Ok(element.json()),
            None => {
                let count = array.count();
                Err(RowError::new(format!(
                    "there is no element {at}: the array has {count} elements"
                )))
            }
        },
        (Kind::Array(_), _) => Err(index.unlike("an index that is an int")),
        _ => Err(value.unlike("an array or an object")),
    }
}

/// What is looked for; a null of a column stands for that of JSON.
struct Wanted<'j>(Option<Value<'j>>);

impl<'j> Wanted<'j> {
    fn of(value: Option<Json<'j>>) -> Result<Self, RowError> {
        Value::present(value).map(Wanted)
    }

    fn is(&self, element: Value<'_>) -> bool {
        self.0.map_or(element.is_null(), |value| value.equals(element))
    }
}

fn index_of(position: Option<usize>) -> i64 {
    position.and_then(|position| i64::try_from(position).ok()).unwrap_or(-1)
}

/// The array; `None` when it is null.
pub(crate) fn present_array(json: Option<Json<'_>>) -> Result<Option<Array<'_>>, RowError> {
    Value::present(json)?.map(Value::array).transpose()
}
