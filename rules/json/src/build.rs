//! Objects put together. Of several members of one name the last one stays.

use crate::members::present_object;
use crate::search::present_array;
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{Array, ObjectWriter, Value, sort_members};
use std::borrow::Cow;

/// The object with these names and these values, both arrays of the same length.
#[function(immutable)]
#[example("[\"a\",\"b\"]", "[1,2]" => "{\"a\":1,\"b\":2}")]
#[example("[\"k1\"]", "[null]" => "{\"k1\":null}")]
#[example("[\"a\",\"a\"]", "[1,2]" => "{\"a\":2}")]
#[example("[\"a\"]", "[1,2]" => error)]
#[example("[1]", "[1]" => error)]
#[example("1", "[1,2]" => error)]
#[example(null, "[1]" => null)]
pub fn object(keys: Json<'_>, values: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let (Some(keys), Some(values)) = (present_array(Some(keys))?, present_array(Some(values))?) else {
        return Ok(None);
    };
    let (key_count, value_count) = (keys.count(), values.count());
    if key_count != value_count {
        return Err(RowError::new(format!(
            "object needs as many keys as values, got {key_count} and {value_count}"
        )));
    }
    let pairs = keys.into_iter().zip(values);
    let members: Result<_, RowError> = pairs
        .map(|(key, value)| Ok((key.text()?.characters(), value)))
        .collect();
    Ok(Some(write(members?)))
}

/// The object made of an array of arrays of two, the name and the value.
#[function(immutable)]
#[example("[[\"a\",1],[\"b\",2]]" => "{\"a\":1,\"b\":2}")]
#[example("[]" => "{}")]
#[example("[1,2]" => error)]
#[example("[[\"a\"]]" => error)]
#[example("[[\"a\",1,2]]" => error)]
#[example("[[1,2]]" => error)]
#[example(null => null)]
pub fn zip(entries: Json<'_>) -> Result<Option<JsonString>, RowError> {
    object_of(entries, |entry| {
        let pair = entry.array()?;
        match (pair.element(0), pair.element(1), pair.element(2)) {
            (Some(key), Some(value), None) => Ok((key.text()?.characters(), value)),
            _ => Err(entry.unlike("entries of a name and a value")),
        }
    })
}

/// The object made of an array of objects, each with a `key` and a `value`.
#[function(immutable)]
#[example("[{\"key\":\"key1\",\"value\":1},{\"value\":2,\"key\":\"key2\"}]" => "{\"key1\":1,\"key2\":2}")]
#[example("[{\"key\":\"a\",\"value\":null}]" => "{\"a\":null}")]
#[example("[{\"key\":\"a\"}]" => error)]
#[example("[{\"value\":1}]" => error)]
#[example("[1]" => error)]
#[example(null => null)]
pub fn kvpair_array_to_obj(pairs: Json<'_>) -> Result<Option<JsonString>, RowError> {
    object_of(pairs, |pair| {
        let object = pair.object()?;
        match (object.member("key"), object.member("value")) {
            (Some(key), Some(value)) => Ok((key.text()?.characters(), value)),
            _ => Err(pair.unlike("objects with key and value")),
        }
    })
}

/// The object of these members, each a name and a value in turn. A member whose name is null is left out.
#[function(immutable)]
#[example("\"key1\"", "\"bar\"", "\"key2\"", "1" => "{\"key1\":\"bar\",\"key2\":1}")]
#[example(null, "\"v1\"", "\"k2\"", "\"v2\"" => "{\"k2\":\"v2\"}")]
#[example("\"k1\"", null => "{\"k1\":null}")]
#[example("\"k1\"" => error)]
#[example("1", "2" => error)]
#[example(=> "{}")]
pub fn object_construct(names_and_values: &[Option<Json<'_>>]) -> Result<JsonString, RowError> {
    let (pairs, rest) = names_and_values.as_chunks::<2>();
    if !rest.is_empty() {
        let got = names_and_values.len();
        return Err(RowError::new(format!(
            "object_construct takes names and values in turn, got {got} arguments"
        )));
    }
    let mut members = Vec::with_capacity(pairs.len());
    for [name, value] in pairs {
        let Some(name) = Value::present(*name)? else {
            continue;
        };
        let value = Value::of(value.unwrap_or(Json("null")))?;
        members.push((name.text()?.characters(), value));
    }
    Ok(write(members))
}

/// The members of all these objects; of several with one name that of the last object. Nulls are passed over.
#[function(immutable)]
#[example("{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}", "{\"a\":2,\"d\":1}" => "{\"a\":2,\"b\":3,\"c\":4,\"d\":1}")]
#[example("{\"a\":1}", null => "{\"a\":1}")]
#[example("{}", "[]" => error)]
#[example(null => "{}")]
pub fn object_concat(objects: &[Option<Json<'_>>]) -> Result<JsonString, RowError> {
    let mut members = Vec::new();
    for object in objects {
        for (name, value) in present_object(*object)?.into_iter().flatten() {
            members.push((name.characters(), value));
        }
    }
    Ok(write(members))
}

/// The object with one member for each element.
fn object_of<'j>(
    array: Json<'j>,
    member: impl Fn(Value<'j>) -> Result<(Cow<'j, str>, Value<'j>), RowError>,
) -> Result<Option<JsonString>, RowError> {
    let array: Option<Array<'j>> = present_array(Some(array))?;
    let members: Option<Result<Vec<_>, RowError>> = array.map(|array| array.into_iter().map(member).collect());
    Ok(members.transpose()?.map(write))
}

fn write(members: Vec<(Cow<'_, str>, Value<'_>)>) -> JsonString {
    let mut object = ObjectWriter::new();
    sort_members(members)
        .iter()
        .for_each(|(name, value)| object.push(name, *value));
    object.finish()
}
