//! Values at paths, written as in JSONPath.
//!
//! `$` is the value itself, `.name` or `['name']` a member, `[0]` and `[-1]` an element, `[1:3]` a slice, `[0,2]` several of
//! them, `.*` and `[*]` all, `..name` a member at any depth, and `[?(@.a > 1)]` the elements or members for which a
//! comparison holds; `[?(@.a)]` those that have a member. Other filters are not understood.

mod filter;
mod find;
mod read;

use find::find;
use read::{Path, read};
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{ArrayWriter, Kind, Value};

/// What is at `path` in `value`: the value itself, null when there is none, for a path that leads to one place; for others
/// the array of all that is found.
#[function(immutable)]
#[example("{\"a\":[{\"b\":1},{\"b\":2}]}", "$.a[1].b" => "2")]
#[example("{\"a\":[{\"b\":1},{\"b\":2}]}", "$.a[*].b" => "[1,2]")]
#[example("{\"a\":[{\"b\":1},{\"b\":2}]}", "$..b" => "[1,2]")]
#[example("[{\"b\":1},{\"b\":2}]", "$[?(@.b > 1)]" => "[{\"b\":2}]")]
#[example("{\"a b\":1}", "$['a b']" => "1")]
#[example("{\"a\":1}", "$.b" => null)]
#[example("[1,2]", "$[-4294967297:4294967297]" => "[1,2]")]
#[example("{\"a\":1}", "$.b[*]" => "[]")]
#[example("{\"a\":1}", "a" => "1")]
#[example("{\"a\":1}", "$.[" => error)]
#[example(null, "$.a" => null)]
#[example("{}", null => null)]
pub fn json_path_query(value: Json<'_>, path: &str) -> Result<Option<JsonString>, RowError> {
    let path = read(path)?;
    let found = found(value, &path)?;
    if path.is_single() {
        return Ok(found
            .first()
            .and_then(|value| value.json())
            .map(|json| JsonString(json.0.to_owned())));
    }
    let mut all = ArrayWriter::new();
    found.into_iter().for_each(|value| all.push(value));
    Ok(Some(all.finish()))
}

/// The first that is at `path` in `value`; of an array to which a path without a choice leads, its first element. Null when
/// there is none.
#[function(immutable)]
#[example("{\"a\":[{\"b\":1},{\"b\":2}]}", "$..b" => "1")]
#[example("{\"a\":[[3],4]}", "$.a" => "[3]")]
#[example("{\"a\":[[3],4]}", "$.a[*]" => "[3]")]
#[example("{\"a\":1}", "$.a" => "1")]
#[example("{\"a\":1}", "$..b" => null)]
#[example("{\"a\":[]}", "$.a" => null)]
#[example("{\"a\":1}", "$[" => error)]
#[example(null, "$.a" => null)]
pub fn json_path_query_first<'j>(value: Json<'j>, path: &str) -> Result<Option<Json<'j>>, RowError> {
    let path = read(path)?;
    let first = found(value, &path)?.into_iter().next();
    let first = match first.map(Value::kind) {
        Some(Kind::Array(array)) if path.is_single() => array.into_iter().next(),
        _ => first,
    };
    Ok(first.and_then(Value::json))
}

/// Whether there is anything but null at `path` in `value`. False when `value` is null.
#[function(immutable)]
#[example("{\"a\":[1]}", "$.a[0]" => true)]
#[example("{\"a\":[1]}", "$.a[1]" => false)]
#[example("{\"a\":null}", "$.a" => false)]
#[example("{\"a\":[{\"b\":1}]}", "$..b" => true)]
#[example("{\"a\":1}", "$[" => error)]
#[example(null, "$.a" => false)]
pub fn json_path_exists(value: Option<Json<'_>>, path: &str) -> Result<bool, RowError> {
    let path = read(path)?;
    let Some(value) = value else {
        return Ok(false);
    };
    Ok(found(value, &path)?.into_iter().any(|value| !value.is_null()))
}

fn found<'j>(value: Json<'j>, path: &Path) -> Result<Vec<Value<'j>>, RowError> {
    find(Value::of(value)?, path)
}
