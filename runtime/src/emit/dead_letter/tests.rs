use super::*;
use crate::config::FileSinkConfig;
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::Path;

const TIMEOUT: Duration = Duration::from_secs(30);

fn start(path: &Path, metrics: &DeadLetterMetrics) -> DeadLetters {
    let config = DeadLetterConfig {
        file: FileSinkConfig {
            path: path.to_owned(),
            rotate_bytes: 1 << 20,
            keep: 1,
        },
        payload_bytes_max: 16,
    };
    DeadLetters::start(&config, metrics.clone()).unwrap()
}

fn message(payload: &[u8]) -> Message {
    Message {
        topic: Arc::from("devices/1/messages"),
        payload: Bytes::copy_from_slice(payload),
        qos: 1,
        retain: false,
        arrival: Micros(1_700_000_000_123_999),
    }
}

fn read(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| {
            let mut value: Value = serde_json::from_str(line).unwrap();
            assert!(value["time"].take().is_i64());
            value.as_object_mut().unwrap().remove("time");
            value
        })
        .collect()
}

#[test]
fn messages_are_kept_with_their_reason_and_payload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let metrics = DeadLetterMetrics::default();
    let letters = start(&path, &metrics);

    letters.message(
        Some("mean"),
        "default",
        &message(b"{\"a\":"),
        DeadLetterKind::Decode,
        "not JSON",
    );
    letters.message(
        None,
        "default",
        &message(b"\xff\xfe\xfd"),
        DeadLetterKind::Decode,
        "not UTF-8",
    );
    letters.message(
        None,
        "default",
        &message(&[b'x'; 17]),
        DeadLetterKind::Decode,
        "too long",
    );
    letters.message(
        None,
        "default",
        &message("aaaaaaaaaaaaaaa\u{e9}".as_bytes()),
        DeadLetterKind::Decode,
        "cut in a character",
    );

    assert!(letters.flush(TIMEOUT));
    let common = |reason: &str, rest: Value| {
        let mut line = json!({"kind": "decode", "reason": reason, "source": "default", "topic": "devices/1/messages",
            "qos": 1, "arrival": 1_700_000_000_123_i64});
        line.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        line
    };
    assert_eq!(
        read(&path),
        [
            common("not JSON", json!({"rule": "mean", "payload": "{\"a\":"})),
            common("not UTF-8", json!({"payload_base64": "//79"})),
            common("too long", json!({"payload": "xxxxxxxxxxxxxxxx", "truncated": true})),
            common(
                "cut in a character",
                json!({"payload": "aaaaaaaaaaaaaaa", "truncated": true})
            ),
        ]
    );
    assert_eq!(metrics.kept("mean", "decode").get(), 1);
    assert_eq!(metrics.kept("", "decode").get(), 3);
}

#[test]
fn rows_are_kept_with_their_window_and_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let letters = start(&path, &DeadLetterMetrics::default());
    let window = Some((Micros(10_000_000), Micros(20_000_000)));
    let row = |json| EncodedRow { json };

    letters.row(
        "mean",
        window,
        row(b"{\"device\":\"1\"}"),
        DeadLetterKind::Bound,
        "too many groups",
    );
    letters.row(
        "mean",
        None,
        row(b"{\"device\":\"12345678\"}"),
        DeadLetterKind::Row,
        "bad",
    );

    assert!(letters.flush(TIMEOUT));
    assert_eq!(
        read(&path),
        [
            json!({"kind": "bound", "reason": "too many groups", "rule": "mean", "window": [10000, 20000],
                "group": {"device": "1"}}),
            json!({"kind": "row", "reason": "bad", "rule": "mean", "group_text": "{\"device\":\"12345",
                "truncated": true}),
        ]
    );
}

#[test]
fn a_file_that_cannot_be_written_costs_letters_that_are_counted_and_nothing_else() {
    let metrics = DeadLetterMetrics::default();
    let letters = start(Path::new("/dev/full"), &metrics);
    for _ in 0..10 {
        letters.message(None, "default", &message(b"x"), DeadLetterKind::Decode, "not JSON");
    }
    assert!(letters.flush(TIMEOUT));
    assert_eq!(metrics.lost("write_failed").get(), 10);
}

#[test]
fn the_page_for_operators_names_every_kind() {
    let page = include_str!("../../../../docs/operations.md");
    for (number, kind) in DeadLetterKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, number, "each kind is listed once, in order");
        let row = format!("\n| `{}` | ", kind.label());
        assert_eq!(page.matches(&row).count(), 1, "{row}");
    }
    // The kind that is declared last; a new one has to be added above as well.
    assert_eq!(DeadLetterKind::Refused as usize + 1, DeadLetterKind::ALL.len());
}
