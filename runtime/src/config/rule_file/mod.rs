//! `NAME.json`: a rule as Kuiper writes it, with its query, its actions and its options. It becomes the text of a query and of a
//! file beside it.

mod actions;

use serde_json::{Map, Value};
use std::time::Duration;

/// What a rule file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Its `id`, when it has one.
    pub id: Option<String>,
    /// The query.
    pub sql: String,
    /// What stands at the top of a file beside it: whether it is stopped.
    top: String,
    /// Its actions as sinks, in sections.
    sections: String,
    /// Which time its windows go by.
    pub timing: RuleTiming,
}

/// Which time windows go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleTiming {
    /// The time of arrival.
    Arrival,
    /// The time in the messages, of which some may be late by so much.
    Event(Duration),
}

impl RuleFile {
    /// Reads the text of a rule file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let Value::Object(rule) = value else {
            return Err("it must be a JSON object with sql and actions".to_owned());
        };
        let mut reader = Reader::default();
        reader.only(&rule, "", KEYS, PASSED_OVER);
        let id = reader.text(&rule, "id");
        let sql = reader.text(&rule, "sql");
        let stopped = reader.bool(&rule, "triggered") == Some(false);
        let timing = reader.timing(&rule);
        let sinks = actions::sinks(&mut reader, &rule);
        if sql.is_none() && rule.get("sql").is_none() {
            let graph = if rule.contains_key("graph") {
                "; a graph is not supported"
            } else {
                ""
            };
            reader.wrong("sql", format!("must be there: the query{graph}"));
        }
        match (sql, reader.problems.is_empty()) {
            (Some(sql), true) => {
                let (top, sections) = sidecar(sinks, stopped)?;
                Ok(RuleFile {
                    id,
                    sql,
                    top,
                    sections,
                    timing,
                })
            }
            _ => Err(reader.problems.join("; ")),
        }
    }

    /// What a file `NAME.toml` would say of it, together with what one says that is there.
    pub fn sidecar(&self, beside: Option<&str>) -> String {
        format!("{}{}\n{}", self.top, beside.unwrap_or_default(), self.sections)
    }
}

/// The same text with `triggered` set.
///
/// # Errors
/// It is not a JSON object.
pub fn with_triggered(text: &str, triggered: bool) -> Result<String, String> {
    with_member(text, "triggered", Value::Bool(triggered))
}

/// The same text with `id` set.
///
/// # Errors
/// It is not a JSON object.
pub fn with_id(text: &str, id: &str) -> Result<String, String> {
    with_member(text, "id", Value::String(id.to_owned()))
}

fn with_member(text: &str, name: &str, value: Value) -> Result<String, String> {
    let mut rule: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("it is not a JSON object: {error}"))?;
    rule.insert(name.to_owned(), value);
    let text = serde_json::to_string_pretty(&rule).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

fn sidecar(sinks: Vec<(String, toml::Table)>, stopped: bool) -> Result<(String, String), String> {
    let mut top = toml::Table::new();
    if stopped {
        top.insert("stopped".to_owned(), true.into());
    }
    // All actions may be such that nothing goes out.
    if sinks.is_empty() {
        top.insert("sinks".to_owned(), toml::Value::Array(Vec::new()));
    }
    let sinks = sinks.into_iter().map(|(name, sink)| (name, toml::Value::Table(sink)));
    let sinks: toml::Table = sinks.collect();
    let mut sections = toml::Table::new();
    if !sinks.is_empty() {
        sections.insert("sink".to_owned(), toml::Value::Table(sinks));
    }
    let text = |table: &toml::Table| toml::to_string(table).map_err(|error| error.to_string());
    Ok((text(&top)?, text(&sections)?))
}

/// The keys of a rule.
const KEYS: &[&str] = &["id", "sql", "actions", "options", "triggered"];
/// Those that describe it, and change nothing of what it does.
const PASSED_OVER: &[&str] = &["name", "description", "version", "tags", "temp", "graph"];
/// The options of a rule.
const OPTIONS: &[&str] = &["isEventTime", "lateTolerance", "lateTol"];
/// Those that are about how Kuiper does its work. Here nothing is lost with any of them.
const OPTIONS_PASSED_OVER: &[&str] = &[
    "bufferLength",
    "checkpointInterval",
    "concurrency",
    "debug",
    "disableBufferFullDiscard",
    "logFilename",
    "notifySub",
    "qos",
    "restartStrategy",
    "sendError",
    "sendMetaToSink",
];

/// Reads members, and collects what is wrong.
#[derive(Debug, Default)]
struct Reader {
    problems: Vec<String>,
}

impl Reader {
    fn wrong(&mut self, path: &str, message: impl std::fmt::Display) {
        self.problems.push(format!("{path} {message}"));
    }

    /// Reports members that nobody knows.
    fn only(&mut self, object: &Map<String, Value>, path: &str, known: &[&str], passed_over: &[&str]) {
        let all: Vec<&str> = known.iter().chain(passed_over).copied().collect();
        for key in object.keys().filter(|key| !all.contains(&key.as_str())) {
            let suggestion = super::section::suggestion(key, &all);
            self.wrong(
                &super::problems::join(path, key),
                format!("is not a known key; {suggestion}"),
            );
        }
    }

    /// Numbers and booleans are texts too where one is wanted.
    fn text(&mut self, object: &Map<String, Value>, path: &str) -> Option<String> {
        match object.get(last(path))? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null => None,
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.wrong(path, "must be a text");
                None
            }
        }
    }

    fn bool(&mut self, object: &Map<String, Value>, path: &str) -> Option<bool> {
        match object.get(last(path))? {
            Value::Bool(value) => Some(*value),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            Value::Null => None,
            _ => {
                self.wrong(path, "must be true or false");
                None
            }
        }
    }

    fn count(&mut self, object: &Map<String, Value>, path: &str) -> Option<u64> {
        let value = object.get(last(path))?;
        let count = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            Value::Null => return None,
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        if count.is_none() {
            self.wrong(path, format!("must be a whole number, got {value}"));
        }
        count
    }

    /// Milliseconds, or a text such as `1s`.
    fn duration(&mut self, object: &Map<String, Value>, path: &str) -> Option<Duration> {
        match object.get(last(path))? {
            Value::String(text) if text.parse::<u64>().is_err() => match humantime::parse_duration(text) {
                Ok(duration) => Some(duration),
                Err(_) => {
                    self.wrong(
                        path,
                        format!("must be milliseconds or a time such as \"1s\", got {text:?}"),
                    );
                    None
                }
            },
            _ => self.count(object, path).map(Duration::from_millis),
        }
    }

    fn timing(&mut self, rule: &Map<String, Value>) -> RuleTiming {
        let options = match rule.get("options") {
            None | Some(Value::Null) => return RuleTiming::Arrival,
            Some(Value::Object(options)) => options,
            Some(_) => {
                self.wrong("options", "must be an object");
                return RuleTiming::Arrival;
            }
        };
        self.only(options, "options", OPTIONS, OPTIONS_PASSED_OVER);
        let late = self
            .duration(options, "options.lateTolerance")
            .or(self.duration(options, "options.lateTol"));
        match self.bool(options, "options.isEventTime") {
            Some(true) => RuleTiming::Event(late.unwrap_or_default()),
            Some(false) | None => RuleTiming::Arrival,
        }
    }
}

/// The member at the end of a path.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
