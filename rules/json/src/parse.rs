//! JSON as text.

use rulemill_guest::prelude::*;
use rulemill_guest_values::json::Value;

/// The value as the text of its JSON.
#[function(immutable)]
#[example("{\"a\":[1]}" => "{\"a\":[1]}")]
#[example("\"foo\"" => "\"foo\"")]
#[example(" 1 " => "1")]
#[example("nul" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn to_json(value: Json<'_>) -> Result<Option<&str>, RowError> {
    Ok(Value::present(Some(value))?.map(Value::raw))
}

/// The value that is written in `text` as JSON. A text that is not JSON is an error.
#[function(immutable)]
#[example("{\"key1\":\"bar\"}" => "{\"key1\":\"bar\"}")]
#[example(" [1, 2]\n" => "[1, 2]")]
#[example("{'a':1}" => error)]
#[example("" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn parse_json(text: &str) -> Result<Option<Json<'_>>, RowError> {
    Ok(Value::of(Json(text))?.json())
}

/// The same as `parse_json`, by its older name.
#[function(immutable)]
#[example("[{\"key1\":\"bar\"}]" => "[{\"key1\":\"bar\"}]")]
#[example("[" => error)]
#[example(null => null)]
pub fn from_json(text: &str) -> Result<Option<Json<'_>>, RowError> {
    parse_json(text)
}
