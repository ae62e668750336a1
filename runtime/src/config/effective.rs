//! The configuration in force as TOML, for people: file, environment and defaults in one, without secrets.

use super::node::{Table, Value};
use super::section::SECRETS;

/// The tree as TOML. The values of secret keys are replaced.
pub(super) fn toml(table: &Table) -> String {
    toml_of(table).to_string()
}

fn toml_of(table: &Table) -> toml::Table {
    table
        .iter()
        .map(|(key, node)| {
            let value = if SECRETS.contains(&key.as_str()) {
                hidden(&node.value)
            } else {
                value_of(&node.value)
            };
            (key.clone(), value)
        })
        .collect()
}

fn value_of(value: &Value) -> toml::Value {
    match value {
        // So that the text means the same when it is read again.
        Value::Text(text) | Value::Time(text) => toml::Value::String(text.replace("${", "$${")),
        Value::Int(number) => toml::Value::Integer(*number),
        Value::Float(number) => toml::Value::Float(*number),
        Value::Bool(value) => toml::Value::Boolean(*value),
        Value::List(list) => toml::Value::Array(list.iter().map(|node| value_of(&node.value)).collect()),
        Value::Table(table) => toml::Value::Table(toml_of(table)),
    }
}

/// A table keeps its keys: `headers` says which there are.
fn hidden(value: &Value) -> toml::Value {
    match value {
        Value::Table(table) => {
            let keys = table
                .keys()
                .map(|key| (key.clone(), toml::Value::String(HIDDEN.to_owned())));
            toml::Value::Table(keys.collect())
        }
        Value::Text(_) | Value::Time(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::List(_) => {
            toml::Value::String(HIDDEN.to_owned())
        }
    }
}

const HIDDEN: &str = "(hidden)";
