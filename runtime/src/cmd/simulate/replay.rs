//! Messages from a file: CSV with a header, or one JSON text a line.

use super::check_topic;
use super::simulation::{Sample, Simulation};
use crate::cmd::base64;
use anyhow::{Context, anyhow, bail};
use rulemill_core::Micros;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;

/// A file that is read as its messages are needed. A message without a topic of its own gets the one that a simulated
/// device would publish to.
pub(super) struct Replay {
    rows: Rows,
    topics: Simulation,
    /// Rows or lines read so far.
    read: u64,
}

enum Rows {
    Csv {
        header: csv::StringRecord,
        rows: csv::StringRecordsIntoIter<File>,
    },
    JsonLines(Lines<BufReader<File>>),
}

impl Replay {
    /// Opens a `.csv`, `.jsonl` or `.ndjson` file; `topics` gives the topics.
    pub(super) fn open(path: &Path, topics: Simulation) -> anyhow::Result<Self> {
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let rows = match extension {
            "csv" => {
                let mut reader = csv::Reader::from_reader(file);
                let header = reader.headers().context("cannot read the header")?.clone();
                Rows::Csv {
                    header,
                    rows: reader.into_records(),
                }
            }
            "jsonl" | "ndjson" => Rows::JsonLines(BufReader::new(file).lines()),
            _ => bail!("the file must end with .csv, .jsonl or .ndjson, got {}", path.display()),
        };
        Ok(Replay { rows, topics, read: 0 })
    }

    /// The next message, or `None` at the end of the file.
    pub(super) fn next(&mut self, now: Micros) -> anyhow::Result<Option<Sample>> {
        let read = match &mut self.rows {
            Rows::Csv { header, rows } => rows.next().map(|row| Ok(csv_message(header, &row?))),
            Rows::JsonLines(lines) => {
                let mut lines = lines.filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty()));
                lines.next().map(|line| json_message(line?))
            }
        };
        self.read += 1;
        let Some((topic, payload)) = read.transpose().with_context(|| format!("row {}", self.read))? else {
            return Ok(None);
        };
        let default_topic = self.topics.next(now).topic;
        if let Some(topic) = &topic {
            check_topic(topic).map_err(|reason| anyhow!("row {}: the topic {reason}", self.read))?;
        }
        Ok(Some(Sample {
            topic: topic.unwrap_or(default_topic),
            payload,
        }))
    }
}

type Message = (Option<String>, Vec<u8>);

/// One object a row: numbers and booleans as such, empty fields as null, anything else as text.
fn csv_message(header: &csv::StringRecord, row: &csv::StringRecord) -> Message {
    let mut topic = None;
    let mut object = Map::new();
    for (name, field) in header.iter().zip(row) {
        if name == "topic" {
            topic = Some(field.to_owned());
            continue;
        }
        let value = match serde_json::from_str(field) {
            Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
            _ if field.is_empty() => Value::Null,
            _ => Value::String(field.to_owned()),
        };
        object.insert(name.to_owned(), value);
    }
    (topic, Value::Object(object).to_string().into_bytes())
}

/// The line as it is, unless it is an object with a topic and a payload, and nothing else but what dead letters and kept
/// batches say about a message.
fn json_message(line: String) -> anyhow::Result<Message> {
    let value: Value = serde_json::from_str(&line).context("not JSON")?;
    let Value::Object(mut object) = value else {
        return Ok((None, line.into_bytes()));
    };
    let kept = object.contains_key("payload") || object.contains_key("payload_base64");
    if !kept || !object.keys().all(|key| MESSAGE_KEYS.contains(&key.as_str())) {
        return Ok((None, line.into_bytes()));
    }
    if let (Some(Value::String(topic)), Some(Value::String(payload))) =
        (object.get("topic"), object.get("payload_base64"))
    {
        let payload = base64::decode(payload).context("payload_base64 is not base64")?;
        return Ok((Some(topic.clone()), payload));
    }
    match (object.remove("topic"), object.remove("payload")) {
        (Some(Value::String(topic)), Some(Value::String(payload))) => Ok((Some(topic), payload.into_bytes())),
        (Some(Value::String(topic)), Some(payload)) => Ok((Some(topic), payload.to_string().into_bytes())),
        _ => Ok((None, line.into_bytes())),
    }
}

/// The keys of a kept message.
const MESSAGE_KEYS: [&str; 10] = [
    "topic",
    "payload",
    "payload_base64",
    "source",
    "qos",
    "arrival",
    "time",
    "kind",
    "reason",
    "rule",
];

#[cfg(test)]
mod tests {
    use super::super::template::Template;
    use super::*;

    fn check(name: &str, content: &str, expect: &[(&str, &str)]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        let topics = Simulation::new(2, "d/{id}".parse().unwrap(), Template::parse("").unwrap(), 0);
        let mut replay = Replay::open(&path, topics).unwrap();
        for (topic, payload) in expect {
            let sample = replay.next(Micros(0)).unwrap().unwrap();
            assert_eq!(
                (sample.topic.as_str(), std::str::from_utf8(&sample.payload).unwrap()),
                (*topic, *payload)
            );
        }
        assert_eq!(replay.next(Micros(0)).unwrap(), None);
    }

    #[test]
    fn csv_rows_become_objects() {
        check(
            "a.csv",
            "temperature,name,ok,note\n20.5,a,true,\n7,\"b,c\",false,0x1\n",
            &[
                ("d/1", r#"{"name":"a","note":null,"ok":true,"temperature":20.5}"#),
                ("d/2", r#"{"name":"b,c","note":"0x1","ok":false,"temperature":7}"#),
            ],
        );
        check("b.csv", "topic,t\nx/1,1\n", &[("x/1", r#"{"t":1}"#)]);
    }

    #[test]
    fn json_lines_are_payloads_or_name_their_topic() {
        check(
            "a.jsonl",
            "{\"b\":  1, \"a\": 2}\n\n[1]\n\
             {\"source\":\"s\",\"topic\":\"w\",\"qos\":1,\"arrival\":5,\"payload\":\"{}\"}\n{\"topic\":\"x\",\"payload\":{\"t\":1}}\n{\"topic\":\"y\",\"payload\":\"raw\"}\n\
             {\"topic\":\"v\",\"qos\":0,\"payload_base64\":\"d2FybQ==\"}\n\
             {\"topic\":\"z\",\"payload\":1,\"more\":2}\n",
            &[
                ("d/1", "{\"b\":  1, \"a\": 2}"),
                ("d/2", "[1]"),
                ("w", "{}"),
                ("x", r#"{"t":1}"#),
                ("y", "raw"),
                ("v", "warm"),
                ("d/1", "{\"topic\":\"z\",\"payload\":1,\"more\":2}"),
            ],
        );
    }

    #[test]
    fn a_bad_row_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (name, content, expect) in [
            ("a.jsonl", "1\n{\n", "row 2: not JSON"),
            ("a.csv", "a,b\n1,2\n1\n", "row 2: "),
            (
                "b.csv",
                "topic,b\nx,2\nx/#,1\n",
                "row 2: the topic must be a topic to publish to: + and # are for subscriptions, got \"x/#\"",
            ),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            let topics = Simulation::new(1, "d".parse().unwrap(), Template::parse("").unwrap(), 0);
            let mut replay = Replay::open(&path, topics).unwrap();
            replay.next(Micros(0)).unwrap();
            let error = format!("{:#}", replay.next(Micros(0)).unwrap_err());
            assert!(error.starts_with(expect), "{error}");
        }
        let topics = Simulation::new(1, "d".parse().unwrap(), Template::parse("").unwrap(), 0);
        let path = dir.path().join("a.txt");
        std::fs::write(&path, "").unwrap();
        let error = Replay::open(&path, topics).err().unwrap().to_string();
        assert!(
            error.starts_with("the file must end with .csv, .jsonl or .ndjson"),
            "{error}"
        );
    }
}
