//! The topic of a sink: fixed, or with `{name}` for the value of an emitted column.

use crate::topic::is_unsafe;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// A parsed topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicTemplate {
    parts: Vec<Part>,
    limits: TopicLimits,
}

/// What the broker allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TopicLimits {
    /// MQTT: 65,535 bytes.
    Mqtt,
    /// AWS IoT Core: 256 bytes and 7 slashes, `$aws/rules/RULE/` not counted.
    AwsIotCore,
}

/// Why a row has no topic.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TopicError {
    #[error("the row has no column {0:?}, which the sink's topic needs")]
    Missing(String),
    #[error("column {0:?} of the sink's topic must be a text, a number or a boolean")]
    NotScalar(String),
    #[error(
        "column {0:?} gives {1:?}, which must not be empty or hold '+', '#', '/', control characters or what is no character of Unicode in a topic"
    )]
    Value(String, String),
    #[error("topic {0:?} has {1} bytes, at most {2} are allowed")]
    TooLong(String, usize, usize),
    #[error("topic {0:?} has {1} slashes, at most 7 are allowed")]
    TooDeep(String, usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(String),
}

impl TopicTemplate {
    /// Parses `text`. A brace without its partner is taken as it is.
    pub(crate) fn parse(text: &str, limits: TopicLimits) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, tail)) = after.split_once('}') else {
                break;
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Column(name.to_owned()));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        TopicTemplate { parts, limits }
    }

    /// The columns whose values it needs.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Column(name) => Some(name.as_str()),
        })
    }

    /// The topic, if it is the same for all rows.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(topic)] => Some(topic),
            _ => None,
        }
    }

    /// The topic for a row, given as its JSON object.
    pub(crate) fn resolve(&self, row: &[u8]) -> Result<String, TopicError> {
        let values = self.pick(row);
        let mut topic = String::new();
        for (part, value) in self.parts.iter().zip(values) {
            match part {
                Part::Text(text) => topic.push_str(text),
                Part::Column(name) => topic.push_str(&self.level(name, value)?),
            }
        }
        self.check(topic)
    }

    /// A value comes from a device, so it must not reach other topics: it is one level, unless it is the whole topic.
    fn level(&self, name: &str, value: Option<Value>) -> Result<String, TopicError> {
        let text = match value {
            None | Some(Value::Null) => return Err(TopicError::Missing(name.to_owned())),
            Some(Value::String(text)) => text,
            Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            Some(Value::Array(_) | Value::Object(_)) => return Err(TopicError::NotScalar(name.to_owned())),
        };
        let forbidden = |character| match character {
            '+' | '#' => true,
            '/' => self.parts.len() > 1,
            _ => is_unsafe(character),
        };
        if text.is_empty() || text.contains(forbidden) {
            return Err(TopicError::Value(name.to_owned(), text));
        }
        Ok(text)
    }

    fn check(&self, topic: String) -> Result<String, TopicError> {
        let bytes_max = match self.limits {
            TopicLimits::Mqtt => usize::from(u16::MAX),
            TopicLimits::AwsIotCore => 256,
        };
        let counted = match self.limits {
            TopicLimits::Mqtt => "",
            TopicLimits::AwsIotCore => without_basic_ingest(&topic),
        };
        let slashes = counted.matches('/').count();
        let bytes = match self.limits {
            TopicLimits::Mqtt => topic.len(),
            TopicLimits::AwsIotCore => counted.len(),
        };
        if bytes > bytes_max {
            return Err(TopicError::TooLong(topic, bytes, bytes_max));
        }
        if slashes > 7 {
            return Err(TopicError::TooDeep(topic, slashes));
        }
        Ok(topic)
    }

    /// The value for each part that is a column; the other fields of the row are skipped, not built.
    fn pick(&self, row: &[u8]) -> Vec<Option<Value>> {
        let mut values = vec![None; self.parts.len()];
        let picker = Picker {
            parts: &self.parts,
            values: &mut values,
        };
        // The row was written by the encoder; were it unreadable, its columns would count as missing.
        let _ = serde_json::Deserializer::from_slice(row).deserialize_map(picker);
        values
    }
}

struct Picker<'a> {
    parts: &'a [Part],
    values: &'a mut [Option<Value>],
}

impl<'de> Visitor<'de> for Picker<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            let is_key = |part: &Part| matches!(part, Part::Column(name) if *name == key);
            if !self.parts.iter().any(is_key) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: Value = map.next_value()?;
            for (part, slot) in self.parts.iter().zip(self.values.iter_mut()) {
                if is_key(part) {
                    *slot = Some(value.clone());
                }
            }
        }
        Ok(())
    }
}

fn without_basic_ingest(topic: &str) -> &str {
    topic
        .strip_prefix("$aws/rules/")
        .and_then(|rest| rest.split_once('/'))
        .map_or(topic, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(template: &str, limits: TopicLimits, row: &str) -> Result<String, String> {
        TopicTemplate::parse(template, limits)
            .resolve(row.as_bytes())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_filled_in() {
        let row = r#"{"device":"a b","n":7,"on":true,"other":[1,{"device":"x"}]}"#;
        for (template, expect) in [
            ("devices/result", "devices/result"),
            ("d/{device}/x", "d/a b/x"),
            ("{n}/{on}/{n}", "7/true/7"),
            ("{device}", "a b"),
            ("a{b", "a{b"),
        ] {
            assert_eq!(resolve(template, TopicLimits::Mqtt, row), Ok(expect.to_owned()));
        }
    }

    #[test]
    fn a_value_cannot_reach_other_topics() {
        for value in [
            "",
            "+",
            "a#",
            "a/b",
            "a\\u0000",
            "a\\u0001",
            "\\u009f",
            "\\uffff",
            "\\ud83f\\udffe",
        ] {
            let row = format!(r#"{{"device":"{value}"}}"#);
            let error = resolve("d/{device}", TopicLimits::Mqtt, &row).unwrap_err();
            assert!(error.contains("must not be empty or hold"), "{error}");
        }
        let row = r#"{"topic":"a/b"}"#;
        assert_eq!(resolve("{topic}", TopicLimits::Mqtt, row), Ok("a/b".to_owned()));
    }

    #[test]
    fn rows_without_the_column_have_no_topic() {
        for (row, expect) in [
            ("{}", "the row has no column \"device\", which the sink's topic needs"),
            (
                r#"{"device":null}"#,
                "the row has no column \"device\", which the sink's topic needs",
            ),
            (
                r#"{"device":[1]}"#,
                "column \"device\" of the sink's topic must be a text, a number or a boolean",
            ),
        ] {
            assert_eq!(
                resolve("d/{device}", TopicLimits::Mqtt, row),
                Err(expect.to_owned()),
                "{row}"
            );
        }
    }

    #[test]
    fn aws_limits_hold_for_the_result_and_basic_ingest_is_not_counted() {
        let row = |len: usize| format!(r#"{{"d":"{}"}}"#, "x".repeat(len));
        let aws = TopicLimits::AwsIotCore;
        assert!(resolve("a/{d}", aws, &row(254)).is_ok());
        assert!(
            resolve("a/{d}", aws, &row(255))
                .unwrap_err()
                .contains("has 257 bytes, at most 256")
        );
        assert!(resolve("1/2/3/4/5/6/7/{d}", aws, &row(1)).is_ok());
        assert!(
            resolve("1/2/3/4/5/6/7/8/{d}", aws, &row(1))
                .unwrap_err()
                .contains("has 8 slashes")
        );
        assert!(resolve("$aws/rules/r/1/2/3/4/5/6/7/{d}", aws, &row(1)).is_ok());
        assert!(resolve("1/2/3/4/5/6/7/8/{d}", TopicLimits::Mqtt, &row(300)).is_ok());
    }
}
