//! Emissions and surroundings for the tests of sinks.

use super::context::Delivery;
use super::outbox::Outbox;
use crate::config::{DeadLetterConfig, FileSinkConfig, OnFull, SinkConfig, SinkFormat, SinkKind, SinkQueue};
use crate::emit::{DeadLetters, EncodedEmission};
use crate::telemetry::dead_letter::DeadLetterMetrics;
use crate::telemetry::sink::SinkMetrics;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;

/// An emission of the rows `rows`, each a JSON object.
pub(crate) fn rows(rows: &[&str]) -> EncodedEmission {
    let mut json = String::from("[");
    let mut ends = Vec::new();
    for row in rows {
        if !ends.is_empty() {
            json.push(',');
        }
        json.push_str(row);
        ends.push(u32::try_from(json.len()).unwrap());
    }
    json.push(']');
    EncodedEmission {
        rule: Arc::from("rule"),
        window: None,
        place: None,
        json: Bytes::from(json),
        ends,
    }
}

/// An emission of the row `{"name":NAME}`.
pub(crate) fn emission(name: &str) -> EncodedEmission {
    rows(&[&format!(r#"{{"name":"{name}"}}"#)])
}

/// A sink's surroundings with a queue of 1 MiB, and its dead letters in `folder`.
pub(crate) fn delivery(folder: &Path) -> Delivery {
    let config = SinkConfig {
        kind: SinkKind::Log,
        format: SinkFormat::Array,
        queue_bytes_max: 1 << 20,
        on_full: OnFull::DropNewest,
        queue: SinkQueue::Memory,
        id_field: None,
    };
    let counters = SinkMetrics::default().of(&Arc::from("test"));
    Delivery {
        outbox: Arc::new(Outbox::new(&config, counters.clone())),
        queue: SinkQueue::Memory,
        id_field: None,
        is_local: true,
        has_connection: false,
        counters,
        dead_letters: dead_letters(folder),
    }
}

/// A dead-letter output in `folder`.
pub(crate) fn dead_letters(folder: &Path) -> DeadLetters {
    let config = DeadLetterConfig {
        file: FileSinkConfig {
            path: folder.join("dead.jsonl"),
            rotate_bytes: 1 << 20,
            keep: 1,
        },
        payload_bytes_max: 1024,
    };
    DeadLetters::start(&config, DeadLetterMetrics::default()).unwrap()
}

/// The reasons of the dead letters in `folder`.
pub(crate) fn dead_reasons(delivery: &Delivery, folder: &Path) -> Vec<String> {
    assert!(delivery.dead_letters.flush(std::time::Duration::from_secs(30)));
    std::fs::read_to_string(folder.join("dead.jsonl"))
        .unwrap_or_default()
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["reason"].as_str().unwrap().to_owned()
        })
        .collect()
}
