//! Objects taken apart, in the order of their names.

use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{ArrayWriter, Object, Value, json_of_text};

/// The names of the members of `object`.
#[function(immutable)]
#[example("{\"b\":1,\"a\":2}" => "[\"a\",\"b\"]")]
#[example("{\"gr\\u00f6ße\":1}" => "[\"größe\"]")]
#[example("{}" => "[]")]
#[example("[1]" => error)]
#[example(null => null)]
pub fn keys(object: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let object = present_object(Some(object))?;
    Ok(object.map(|object| {
        let mut names = ArrayWriter::new();
        object.sorted().iter().for_each(|(name, _)| names.push_text(name));
        names.finish()
    }))
}

/// The values of the members of `object`.
#[function(immutable)]
#[example("{\"b\":1,\"a\":[2]}" => "[[2],1]")]
#[example("{\"a\":null}" => "[null]")]
#[example("\"a\"" => error)]
#[example(null => null)]
pub fn values(object: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let object = present_object(Some(object))?;
    Ok(object.map(|object| {
        let mut values = ArrayWriter::new();
        object.sorted().iter().for_each(|(_, value)| values.push(*value));
        values.finish()
    }))
}

/// The members of `object` as arrays of two, the name and the value.
#[function(immutable)]
#[example("{\"a\":1,\"b\":2}" => "[[\"a\",1],[\"b\",2]]")]
#[example("{\"k2\":null}" => "[[\"k2\",null]]")]
#[example("1" => error)]
#[example(null => null)]
pub fn items(object: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let object = present_object(Some(object))?;
    Ok(object.map(|object| {
        let mut items = ArrayWriter::new();
        for (name, value) in object.sorted() {
            items.push_raw(&format!("[{},{}]", json_of_text(&name).0, value.raw()));
        }
        items.finish()
    }))
}

/// How many members `object` has; 0 when it is null.
#[function(immutable)]
#[example("{\"a\":1,\"b\":[\"foo\",\"bar\"]}" => 2)]
#[example("{\"a\":1,\"a\":2}" => 1)]
#[example("[1]" => error)]
#[example(null => 0)]
pub fn object_size(object: Option<Json<'_>>) -> Result<i64, RowError> {
    let object = present_object(object)?;
    Ok(object.map_or(0, |object| i64::try_from(object.sorted().len()).unwrap_or(i64::MAX)))
}

/// The object; `None` when it is null.
pub(crate) fn present_object(json: Option<Json<'_>>) -> Result<Option<Object<'_>>, RowError> {
    Value::present(json)?.map(Value::object).transpose()
}
