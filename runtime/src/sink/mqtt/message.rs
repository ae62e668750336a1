//! From an emission to the messages that carry it: one, or several by topic and by size.
//!
//! Pure. A row that no message can carry is handed back with the reason.

use super::topic::{TopicError, TopicTemplate};
use crate::config::SinkFormat;
use crate::emit::EncodedEmission;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};

/// One message, ready to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutMessage {
    /// Which message of its emission it is, from 0.
    pub(crate) number: usize,
    /// The topic.
    pub(crate) topic: String,
    /// The payload: an array, or one object.
    pub(crate) payload: Bytes,
}

/// A row that cannot be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// The row's object.
    pub(crate) row: Bytes,
    /// Why.
    pub(crate) reason: RejectReason,
}

/// Why a row cannot be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RejectReason {
    #[error(transparent)]
    Topic(#[from] TopicError),
    #[error("the row needs a payload of {bytes} bytes, the sink allows {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
}

/// How a sink wants its messages.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// The topic.
    pub(crate) topic: TopicTemplate,
    /// An array a message, or an object.
    pub(crate) format: SinkFormat,
    /// The largest payload, in bytes.
    pub(crate) payload_bytes_max: usize,
}

impl Shape {
    /// The messages for `emission`: rows keep their order within a topic, topics come in the order of their first row.
    /// Rows that cannot be sent are appended to `rejected`.
    pub(crate) fn messages(&self, emission: &EncodedEmission, rejected: &mut Vec<Rejected>) -> VecDeque<OutMessage> {
        let mut messages = VecDeque::new();
        if let Some(topic) = self.topic.fixed() {
            if self.format == SinkFormat::Array && emission.json.len() <= self.payload_bytes_max {
                messages.push_back(OutMessage {
                    number: 0,
                    topic: topic.to_owned(),
                    payload: emission.json.clone(),
                });
                return messages;
            }
            self.pack(topic, emission, 0..emission.ends.len(), &mut messages, rejected);
            return messages;
        }
        for (topic, rows) in self.by_topic(emission, rejected) {
            self.pack(&topic, emission, rows.into_iter(), &mut messages, rejected);
        }
        messages
    }

    fn by_topic(&self, emission: &EncodedEmission, rejected: &mut Vec<Rejected>) -> Vec<(String, Vec<usize>)> {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        let mut index = HashMap::new();
        for row in 0..emission.ends.len() {
            let json = row_of(emission, row);
            match self.topic.resolve(&json) {
                Ok(topic) => {
                    let group = *index.entry(topic).or_insert_with_key(|topic| {
                        groups.push((topic.clone(), Vec::new()));
                        groups.len() - 1
                    });
                    groups[group].1.push(row);
                }
                Err(error) => rejected.push(Rejected {
                    row: json,
                    reason: error.into(),
                }),
            }
        }
        groups
    }

    /// Fills messages with as many rows as fit.
    fn pack(
        &self,
        topic: &str,
        emission: &EncodedEmission,
        rows: impl Iterator<Item = usize>,
        messages: &mut VecDeque<OutMessage>,
        rejected: &mut Vec<Rejected>,
    ) {
        let brackets = match self.format {
            SinkFormat::Array => 2,
            SinkFormat::Single => 0,
        };
        let mut array = Vec::new();
        let mut push = |payload: Bytes| {
            messages.push_back(OutMessage {
                number: messages.len(),
                topic: topic.to_owned(),
                payload,
            });
        };
        for row in rows {
            let json = row_of(emission, row);
            let bytes = json.len() + brackets;
            if bytes > self.payload_bytes_max {
                let bytes_max = self.payload_bytes_max;
                rejected.push(Rejected {
                    row: json,
                    reason: RejectReason::TooLarge { bytes, bytes_max },
                });
                continue;
            }
            if self.format == SinkFormat::Single {
                push(json);
                continue;
            }
            // The open array, a comma, the row and the closing bracket.
            if !array.is_empty() && array.len() + 1 + json.len() + 1 > self.payload_bytes_max {
                push(closed(&mut array));
            }
            array.push(if array.is_empty() { b'[' } else { b',' });
            array.extend_from_slice(&json);
        }
        if !array.is_empty() {
            push(closed(&mut array));
        }
    }
}

impl OutMessage {
    /// The rows of `emission`, from which it was made, that it carries.
    pub(crate) fn rows<'e>(&self, emission: &'e EncodedEmission) -> impl Iterator<Item = &'e [u8]> {
        let mut left = self.payload.as_ref();
        emission.rows().map(|row| row.json).filter(move |row| {
            // They are in order, each after a bracket or a comma, unless it is the whole payload. An object that another
            // text begins with is all of its first value.
            let from = left
                .strip_prefix(b"[")
                .or_else(|| left.strip_prefix(b","))
                .unwrap_or(left);
            match from.strip_prefix(*row) {
                Some(rest) => {
                    left = rest;
                    true
                }
                None => false,
            }
        })
    }
}

/// Units of 5 KB of topic and payload, as AWS IoT Core bills a publish.
pub(crate) fn metered_units(message: &OutMessage) -> u64 {
    (message.topic.len() + message.payload.len()).div_ceil(5 * 1024).max(1) as u64
}

fn row_of(emission: &EncodedEmission, row: usize) -> Bytes {
    emission.json.slice(emission.start(row)..emission.ends[row] as usize)
}

fn closed(array: &mut Vec<u8>) -> Bytes {
    array.push(b']');
    Bytes::from(std::mem::take(array))
}

#[cfg(test)]
mod tests {
    use super::super::topic::TopicLimits;
    use super::*;
    use crate::sink::test::rows;

    fn shape(topic: &str, format: SinkFormat, payload_bytes_max: usize) -> Shape {
        Shape {
            topic: TopicTemplate::parse(topic, TopicLimits::Mqtt),
            format,
            payload_bytes_max,
        }
    }

    fn messages(shape: &Shape, emission: &EncodedEmission) -> (Vec<(String, String)>, Vec<String>) {
        let mut rejected = Vec::new();
        let messages = shape
            .messages(emission, &mut rejected)
            .into_iter()
            .map(|message| (message.topic, String::from_utf8(message.payload.to_vec()).unwrap()))
            .collect();
        (messages, rejected.iter().map(|row| row.reason.to_string()).collect())
    }

    fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|&(topic, payload)| (topic.to_owned(), payload.to_owned()))
            .collect()
    }

    #[test]
    fn an_emission_that_fits_is_one_message_without_a_copy() {
        let emission = rows(&[r#"{"a":1}"#, r#"{"a":2}"#]);
        let all = shape("t", SinkFormat::Array, 17).messages(&emission, &mut Vec::new());
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].payload.as_ptr(), emission.json.as_ptr());
    }

    #[test]
    fn an_emission_too_large_is_split_between_rows_into_arrays_that_fit() {
        let emission = rows(&[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#]);
        let (sent, rejected) = messages(&shape("t", SinkFormat::Array, 17), &emission);
        assert_eq!(sent, of(&[("t", r#"[{"a":1},{"a":2}]"#), ("t", r#"[{"a":3}]"#)]));
        assert_eq!(rejected, [""; 0]);
        let (sent, _) = messages(&shape("t", SinkFormat::Array, 16), &emission);
        assert_eq!(sent.len(), 3);
    }

    #[test]
    fn a_row_too_large_is_handed_back_and_its_neighbours_are_sent() {
        let emission = rows(&[r#"{"a":1}"#, r#"{"a":"xxxxxxxx"}"#, r#"{"a":3}"#]);
        let (sent, rejected) = messages(&shape("t", SinkFormat::Array, 17), &emission);
        assert_eq!(sent, of(&[("t", r#"[{"a":1},{"a":3}]"#)]));
        assert_eq!(rejected, ["the row needs a payload of 18 bytes, the sink allows 17"]);
    }

    #[test]
    fn single_sends_one_object_a_row() {
        let emission = rows(&[r#"{"a":1}"#, r#"{"a":2}"#]);
        let (sent, _) = messages(&shape("t", SinkFormat::Single, 7), &emission);
        assert_eq!(sent, of(&[("t", r#"{"a":1}"#), ("t", r#"{"a":2}"#)]));
        let (sent, rejected) = messages(&shape("t", SinkFormat::Single, 6), &emission);
        assert_eq!((sent.len(), rejected.len()), (0, 2));
    }

    #[test]
    fn rows_of_one_topic_travel_together_in_order() {
        let emission = rows(&[
            r#"{"d":"b","n":1}"#,
            r#"{"d":"a","n":2}"#,
            r#"{"n":3}"#,
            r#"{"d":"b","n":4}"#,
        ]);
        let (sent, rejected) = messages(&shape("r/{d}", SinkFormat::Array, 1000), &emission);
        assert_eq!(
            sent,
            of(&[
                ("r/b", r#"[{"d":"b","n":1},{"d":"b","n":4}]"#),
                ("r/a", r#"[{"d":"a","n":2}]"#)
            ])
        );
        assert_eq!(rejected, ["the row has no column \"d\", which the sink's topic needs"]);
    }

    #[test]
    fn the_rows_of_a_message_are_found_again() {
        let emission = rows(&[
            r#"{"d":"b","n":1}"#,
            r#"{"d":"a","n":2}"#,
            r#"{"n":3}"#,
            r#"{"d":"b","n":4}"#,
        ]);
        for (format, expect) in [
            (SinkFormat::Array, vec![vec![0, 3], vec![1]]),
            (SinkFormat::Single, vec![vec![0], vec![3], vec![1]]),
        ] {
            let messages = shape("r/{d}", format, 1000).messages(&emission, &mut Vec::new());
            let all: Vec<&[u8]> = emission.rows().map(|row| row.json).collect();
            let found: Vec<Vec<usize>> = messages
                .iter()
                .map(|message| {
                    let rows = message.rows(&emission);
                    rows.map(|row| all.iter().position(|other| *other == row).unwrap())
                        .collect()
                })
                .collect();
            assert_eq!(found, expect);
            let numbers: Vec<usize> = messages.iter().map(|message| message.number).collect();
            assert_eq!(numbers, (0..messages.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn units_are_begun_5_kb_of_topic_and_payload() {
        let of = |topic: usize, payload: usize| {
            metered_units(&OutMessage {
                number: 0,
                topic: "t".repeat(topic),
                payload: Bytes::from(vec![0; payload]),
            })
        };
        assert_eq!([of(1, 0), of(20, 5100), of(20, 5101), of(0, 131_072)], [1, 1, 2, 26]);
    }
}
