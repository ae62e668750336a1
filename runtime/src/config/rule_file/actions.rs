//! The actions of a rule file as sinks.

use super::Reader;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The sinks of all actions by name: that of the action's kind, with a number behind from the second of a kind on.
pub(super) fn sinks(reader: &mut Reader, rule: &Map<String, Value>) -> Vec<(String, toml::Table)> {
    let actions = match rule.get("actions") {
        Some(Value::Array(actions)) => actions.as_slice(),
        None => {
            reader.wrong("actions", "must be there: where results go, such as [{\"log\": {}}]");
            &[]
        }
        Some(_) => {
            reader.wrong("actions", "must be a list such as [{\"log\": {}}]");
            &[]
        }
    };
    let mut sinks = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (position, action) in actions.iter().enumerate() {
        let Some(kinds) = action.as_object() else {
            reader.wrong(
                &format!("actions[{position}]"),
                "must be an object such as {\"log\": {}}",
            );
            continue;
        };
        for (kind, properties) in kinds {
            let path = format!("actions[{position}].{kind}");
            let none = Map::new();
            let properties = match properties {
                Value::Object(properties) => properties,
                Value::Null => &none,
                _ => {
                    reader.wrong(&path, "must be an object");
                    continue;
                }
            };
            if let Some(sink) = sink(reader, kind, &path, properties) {
                let count = counts.entry(kind).or_default();
                *count += 1;
                let name = match count {
                    1 => kind.clone(),
                    count => format!("{kind}-{count}"),
                };
                sinks.push((name, sink));
            }
        }
    }
    sinks
}

/// One action as a section `[sink.NAME]`; none for one that sends nothing.
fn sink(reader: &mut Reader, kind: &str, path: &str, properties: &Map<String, Value>) -> Option<toml::Table> {
    let own: &[Property] = match kind {
        "log" | "nop" => &[],
        "mqtt" => MQTT,
        "rest" => REST,
        "file" => FILE,
        "memory" => {
            let message = "is not supported: rules do not read what other rules send; publish it with mqtt to a topic that they \
                           listen to";
            reader.wrong(path, message);
            return None;
        }
        _ => {
            let known = ["log", "mqtt", "rest", "file", "nop"];
            let suggestion = crate::config::section::suggestion(kind, &known);
            reader.wrong(path, format!("is not a known action; {suggestion}"));
            return None;
        }
    };
    let mut sink = toml::Table::new();
    sink.insert("type".to_owned(), if kind == "rest" { "http" } else { kind }.into());
    let names = || own.iter().chain(COMMON).map(|property| property.name);
    let known: Vec<&str> = names().collect();
    reader.only(properties, path, &known, PASSED_OVER);
    for property in own.iter().chain(COMMON) {
        property.read(reader, path, properties, &mut sink);
    }
    (kind != "nop").then_some(sink)
}

/// A property of an action.
struct Property {
    name: &'static str,
    what: What,
}

/// What becomes of it.
enum What {
    /// A key of the sink, with a text.
    Text(&'static str),
    /// A key with a number.
    Count(&'static str),
    /// A key with true or false.
    Bool(&'static str),
    /// A key with milliseconds.
    Time(&'static str),
    /// A key with the texts of an object.
    Texts(&'static str),
    /// A topic, with `{{.name}}` where the sink has `{name}`.
    Topic,
    /// One object a message.
    Single,
    /// Only this value, in any case of letters, means what is done anyway.
    Only(&'static str),
    /// Nothing but absence, false, zero or an empty text means what is done; what to do instead.
    Never(&'static str),
}

impl Property {
    fn read(&self, reader: &mut Reader, path: &str, properties: &Map<String, Value>, sink: &mut toml::Table) {
        let Some(value) = properties.get(self.name) else {
            return;
        };
        let path = format!("{path}.{}", self.name);
        let mut put = |key: &str, value: toml::Value| drop(sink.insert(key.to_owned(), value));
        match &self.what {
            What::Text(key) => {
                if let Some(text) = reader.text(properties, &path) {
                    put(key, text.into());
                }
            }
            What::Count(key) => {
                if let Some(count) = reader.count(properties, &path) {
                    put(key, i64::try_from(count).unwrap_or(i64::MAX).into());
                }
            }
            What::Bool(key) => {
                if let Some(value) = reader.bool(properties, &path) {
                    put(key, value.into());
                }
            }
            What::Time(key) => {
                if let Some(time) = reader.duration(properties, &path) {
                    put(key, format!("{}ms", time.as_millis()).into());
                }
            }
            What::Texts(key) => match texts(value) {
                Some(texts) => put(key, texts.into()),
                None => reader.wrong(&path, "must be an object of texts"),
            },
            What::Topic => {
                if let Some(topic) = reader.text(properties, &path) {
                    match topic_of(&topic) {
                        Ok(topic) => put("topic", topic.into()),
                        Err(reason) => reader.wrong(&path, reason),
                    }
                }
            }
            What::Single => {
                if reader.bool(properties, &path) == Some(true) {
                    put("format", "single".into());
                }
            }
            What::Only(wanted) => {
                let fits = match value {
                    Value::String(text) => text.is_empty() || text.eq_ignore_ascii_case(wanted),
                    Value::Null => true,
                    Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
                };
                if !fits {
                    reader.wrong(&path, format!("may only be {wanted:?}, got {value}"));
                }
            }
            What::Never(instead) => {
                let nothing = match value {
                    Value::Null | Value::Bool(false) => true,
                    Value::Number(number) => number.as_f64() == Some(0.0),
                    Value::String(text) => text.is_empty() || text == "false",
                    Value::Array(list) => list.is_empty(),
                    Value::Object(object) => object.is_empty(),
                    Value::Bool(true) => false,
                };
                if !nothing {
                    reader.wrong(&path, format!("is not supported: {instead}"));
                }
            }
        }
    }
}

fn texts(value: &Value) -> Option<toml::Table> {
    let texts = value.as_object()?.iter().map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((name.clone(), toml::Value::String(text)))
    });
    texts.collect()
}

/// `devices/{{.id}}` as `devices/{id}`.
fn topic_of(template: &str) -> Result<String, String> {
    let wrong =
        || format!("may have {{{{.name}}}} for members of a row and nothing else in double braces, got {template:?}");
    let mut topic = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, tail) = after.split_once("}}").ok_or_else(wrong)?;
        let name = name.trim().strip_prefix('.').ok_or_else(wrong)?;
        let is_plain = |character: char| character.is_alphanumeric() || character == '_';
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(wrong());
        }
        topic.push_str(before);
        topic.push('{');
        topic.push_str(name);
        topic.push('}');
        rest = tail;
    }
    topic.push_str(rest);
    Ok(topic)
}

const fn property(name: &'static str, what: What) -> Property {
    Property { name, what }
}

const IN_THE_QUERY: &str = "name what is to be sent in the SELECT of the query";
const EACH_WINDOW: &str = "an emission is what a window gives; gather more with a longer window";

const MQTT: &[Property] = &[
    property("server", What::Text("server")),
    property("topic", What::Topic),
    property("clientId", What::Text("client_id")),
    property("qos", What::Count("qos")),
    property("retained", What::Bool("retain")),
    property("username", What::Text("username")),
    property("password", What::Text("password")),
    property("certificationPath", What::Text("cert")),
    property("privateKeyPath", What::Text("key")),
    property("rootCaPath", What::Text("ca")),
    property(
        "insecureSkipVerify",
        What::Never("name the authority that signed the broker's certificate with rootCaPath"),
    ),
    property("protocolVersion", What::Only("3.1.1")),
    property("compression", What::Never("payloads are sent as they are")),
];

const REST: &[Property] = &[
    property("url", What::Text("url")),
    property("method", What::Only("POST")),
    property("bodyType", What::Only("json")),
    property("headers", What::Texts("headers")),
    property("timeout", What::Time("timeout")),
    property("certificationPath", What::Text("cert")),
    property("privateKeyPath", What::Text("key")),
    property("rootCaPath", What::Text("ca")),
    property(
        "insecureSkipVerify",
        What::Never("name the authority that signed the server's certificate with rootCaPath"),
    ),
    property("compression", What::Never("requests are sent as they are")),
];

const FILE: &[Property] = &[
    property("path", What::Text("path")),
    property("fileType", What::Only("lines")),
    property("rollingSize", What::Count("rotate_bytes")),
    property("rollingCount", What::Count("keep")),
    property(
        "rollingInterval",
        What::Never("a file is renamed when it has reached rollingSize"),
    ),
    property("compression", What::Never("files are written as they are")),
];

/// What every action may have.
const COMMON: &[Property] = &[
    property("sendSingle", What::Single),
    property("format", What::Only("json")),
    property("dataTemplate", What::Never(IN_THE_QUERY)),
    property("dataField", What::Never(IN_THE_QUERY)),
    property("fields", What::Never(IN_THE_QUERY)),
    property("excludeFields", What::Never(IN_THE_QUERY)),
    property("batchSize", What::Never(EACH_WINDOW)),
    property("lingerInterval", What::Never(EACH_WINDOW)),
];

/// What is about how Kuiper sends: here every emission waits until it is delivered, and nothing is sent for an empty window.
const PASSED_OVER: &[&str] = &[
    "bufferLength",
    "bufferPageSize",
    "cacheLength",
    "cleanCacheAtStop",
    "concurrency",
    "debugResp",
    "enableCache",
    "log",
    "maxDiskCache",
    "memoryCacheThreshold",
    "omitIfEmpty",
    "resendInterval",
    "resourceId",
    "retryCount",
    "retryInterval",
    "runAsync",
];
