//! One dead letter, read from its line.

use crate::cmd::base64;
use crate::cmd::simulate::{Sample, check_topic};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A line of the dead-letter file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Letter {
    /// What it is called: it is the same as long as the line is.
    pub(super) id: String,
    /// The line, without its end.
    pub(super) line: String,
    value: Value,
}

impl Letter {
    /// `None`: the line is no dead letter.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        value.get("kind")?.as_str()?;
        let digest = Sha256::digest(line.as_bytes());
        let id = digest.iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Some(Letter {
            id,
            line: line.to_owned(),
            value,
        })
    }

    /// A field that is a text; empty, if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.value[name].as_str().unwrap_or_default()
    }

    /// All fields, in the order of the line.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// A time, for people; empty, if there is none.
    pub(super) fn time(&self, name: &str) -> String {
        let millis = self.value[name].as_i64();
        let time =
            millis.and_then(|millis| OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok());
        time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
    }

    /// The payload as it came; `None`: it is a row of a result.
    pub(super) fn payload(&self) -> Option<Vec<u8>> {
        match (&self.value["payload"], &self.value["payload_base64"]) {
            (Value::String(text), _) => Some(text.clone().into_bytes()),
            (_, Value::String(text)) => base64::decode(text),
            _ => None,
        }
    }

    /// What tells its message from others.
    pub(super) fn identity(&self) -> String {
        let fields = ["source", "topic", "arrival", "payload", "payload_base64"].map(|name| &self.value[name]);
        fields.map(ToString::to_string).join(" ")
    }

    /// The message, to be published again; or why that cannot be done.
    pub(super) fn message(&self) -> Result<Sample, &'static str> {
        if self.value["truncated"].as_bool() == Some(true) {
            return Err("only a part of it was kept (dead_letter.payload_bytes_max)");
        }
        match (self.text("topic"), self.payload()) {
            ("", _) | (_, None) => Err("it is a row of a result, not a message"),
            (topic, _) if check_topic(topic).is_err() => Err("nobody can publish to its topic"),
            (topic, Some(payload)) => Ok(Sample {
                topic: topic.to_owned(),
                payload,
            }),
        }
    }
}

const ID_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_can_be_published_again() {
        let letter = Letter::parse(
            r#"{"time":1795693833635,"kind":"decode","reason":"r","source":"s","topic":"a/b","qos":1,"arrival":1,"payload":"warm"}"#,
        );
        let letter = letter.unwrap();
        let sample = letter.message().unwrap();
        assert_eq!((sample.topic.as_str(), &sample.payload[..]), ("a/b", &b"warm"[..]));
        assert_eq!(letter.time("time"), "2026-11-26T11:50:33.635Z");
        assert_eq!(letter.id.len(), 8);
        let binary = Letter::parse(r#"{"kind":"decode","topic":"a","payload_base64":"/w=="}"#).unwrap();
        assert_eq!(binary.message().unwrap().payload, [0xff]);
    }

    #[test]
    fn rows_and_parts_cannot_be_published_again() {
        let row = Letter::parse(r#"{"kind":"row","rule":"r","window":[0,1],"group":{"a":1}}"#).unwrap();
        assert!(row.message().unwrap_err().contains("a row of a result"));
        let cut = Letter::parse(r#"{"kind":"decode","topic":"a","payload":"wa","truncated":true}"#).unwrap();
        assert!(cut.message().unwrap_err().contains("only a part"));
        let wild = Letter::parse(r#"{"kind":"decode","topic":"a/#","payload":"warm"}"#).unwrap();
        assert!(wild.message().unwrap_err().contains("publish to its topic"));
    }

    #[test]
    fn a_message_that_failed_in_two_rules_is_one_message() {
        let letter = |rule: &str, arrival: i64| {
            let line = format!(r#"{{"kind":"row","rule":"{rule}","topic":"a","arrival":{arrival},"payload":"x"}}"#);
            Letter::parse(&line).unwrap()
        };
        assert_eq!(letter("a", 1).identity(), letter("b", 1).identity());
        assert_ne!(letter("a", 1).identity(), letter("a", 2).identity());
        assert_ne!(letter("a", 1).id, letter("b", 1).id);
    }

    #[test]
    fn other_lines_are_no_dead_letters() {
        for line in ["", "x", "[]", "{}", r#"{"kind":3}"#, r#"{"kind":"decode""#] {
            assert_eq!(Letter::parse(line), None, "{line}");
        }
    }
}
