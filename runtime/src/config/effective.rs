//! The configuration in force as TOML, for people: file, environment and defaults in one, without secrets. Without them it
//! means the same when it is read again.

use super::node::{Node, Table, Value};
use super::raw::{
    RawData, RawDeadLetter, RawFileSink, RawHttp, RawHttpSink, RawLimits, RawListener, RawMqttSink, RawReload,
    RawRules, RawSink, RawSource, RawTop,
};
use super::section::{Key, SECRETS};

/// The tree as TOML. The values of secret keys are replaced.
pub(super) fn toml(table: &Table) -> String {
    let whole: toml::Table = table
        .iter()
        .map(|(name, node)| {
            let value = match (node.table(), section(name)) {
                (Some(table), Some(Section::Once(keys))) => toml::Value::Table(section_of(table, keys)),
                (Some(table), Some(Section::Named(keys))) => toml::Value::Table(named(table, keys)),
                (_, _) => value_at(name, node, TOP),
            };
            (name.clone(), value)
        })
        .collect();
    whole.to_string()
}

/// A section by how often it may be there, with the keys that it may have.
enum Section {
    Once(&'static [&'static [Key]]),
    Named(&'static [&'static [Key]]),
}

fn section(name: &str) -> Option<Section> {
    Some(match name {
        "rules" => Section::Once(&[RawRules::KEYS]),
        "data" => Section::Once(&[RawData::KEYS]),
        "listener" => Section::Once(&[RawListener::KEYS]),
        "dead_letter" => Section::Once(&[RawDeadLetter::KEYS]),
        "http" => Section::Once(&[RawHttp::KEYS]),
        "reload" => Section::Once(&[RawReload::KEYS]),
        "limits" => Section::Once(&[RawLimits::KEYS]),
        "source" => Section::Named(&[RawSource::KEYS]),
        // A key that two types of sinks have takes the same values in both.
        "sink" => Section::Named(&[RawSink::KEYS, RawMqttSink::KEYS, RawFileSink::KEYS, RawHttpSink::KEYS]),
        _ => return None,
    })
}

fn named(table: &Table, keys: &[&[Key]]) -> toml::Table {
    let sections = table.iter().filter_map(|(name, node)| {
        let section = section_of(node.table()?, keys);
        Some((name.clone(), toml::Value::Table(section)))
    });
    sections.collect()
}

fn section_of(table: &Table, keys: &[&[Key]]) -> toml::Table {
    let values = table
        .iter()
        .map(|(name, node)| (name.clone(), value_at(name, node, keys)));
    values.collect()
}

fn value_at(name: &str, node: &Node, keys: &[&[Key]]) -> toml::Value {
    if SECRETS.contains(&name) {
        return hidden(&node.value);
    }
    let key = keys.iter().copied().flatten().find(|key| key.name == name);
    // The environment gives texts; in the file a number or a list is written as one.
    if let Some(value) = key.and_then(|key| (key.in_file)(node)) {
        return value_of(&value);
    }
    match &node.value {
        Value::Text(text) if name == "url" => value_of(&Value::Text(without_query(text))),
        value => value_of(value),
    }
}

fn value_of(value: &Value) -> toml::Value {
    match value {
        // So that the text means the same when it is read again.
        Value::Text(text) | Value::Time(text) => toml::Value::String(text.replace("${", "$${")),
        Value::Int(number) => toml::Value::Integer(*number),
        Value::Float(number) => toml::Value::Float(*number),
        Value::Bool(value) => toml::Value::Boolean(*value),
        Value::List(list) => toml::Value::Array(list.iter().map(|node| value_of(&node.value)).collect()),
        Value::Table(table) => {
            let values = table.iter().map(|(key, node)| (key.clone(), value_of(&node.value)));
            toml::Value::Table(values.collect())
        }
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

/// A query often holds a token. A user name and a password are not there: they are refused in an address.
fn without_query(url: &str) -> String {
    match url.split_once('?') {
        Some((address, _)) => format!("{address}?{HIDDEN}"),
        None => url.to_owned(),
    }
}

const TOP: &[&[Key]] = &[RawTop::KEYS];
const HIDDEN: &str = "(hidden)";
