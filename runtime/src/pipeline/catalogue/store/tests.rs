//! What is kept of guests, and what a damaged store costs.

use super::*;
use crate::message::Message;
use crate::rule::ContentDigest;
use bytes::Bytes;
use std::sync::Arc;

fn identity(content: &str) -> Identity {
    Identity {
        wasm: ContentDigest::of(content.as_bytes()),
        sidecar: None,
    }
}

fn files(content: &str) -> Files {
    Files {
        wasm: content.as_bytes().to_vec(),
        sidecar: None,
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path());
    (dir, store)
}

fn batch(payload: &'static [u8]) -> OffendingBatch {
    OffendingBatch {
        source: "default".into(),
        messages: vec![Message {
            topic: Arc::from("a/b"),
            payload: Bytes::from_static(payload),
            qos: 1,
            retain: false,
            arrival: Micros(5_000),
        }],
    }
}

#[test]
fn the_good_version_comes_back_with_its_sidecar() {
    let (_dir, store) = store();
    let good = Files {
        sidecar: Some("sinks = []".to_owned()),
        ..files("one")
    };
    let both = Identity {
        sidecar: Some(ContentDigest::of(b"sinks = []")),
        ..identity("one")
    };
    store.keep("mean", both, &good).unwrap();
    assert_eq!(store.good("mean"), None, "it is kept, and not yet good");
    store.set_good("mean", both).unwrap();
    assert_eq!(store.good("mean"), Some(good));
    assert!(store.record("mean").is_good(both));
}

#[test]
fn the_files_of_versions_that_nobody_goes_back_to_are_removed() {
    let (dir, store) = store();
    for content in ["one", "two", "three"] {
        store.keep("mean", identity(content), &files(content)).unwrap();
        store.set_good("mean", identity(content)).unwrap();
    }
    let kept = std::fs::read_dir(dir.path().join("guests/mean")).unwrap();
    let wasm = kept.filter(|entry| entry.as_ref().unwrap().path().extension() == Some("wasm".as_ref()));
    assert_eq!(wasm.count(), 2, "the good one and the one before it");
    assert_eq!(store.good("mean"), Some(files("three")));
}

#[test]
fn quarantine_outlives_the_file_and_can_be_lifted() {
    let (_dir, store) = store();
    store.keep("mean", identity("one"), &files("one")).unwrap();
    store.set_good("mean", identity("one")).unwrap();
    store
        .quarantine("mean", identity("two"), "it traps", Micros(7))
        .unwrap();
    store.forget_versions("mean").unwrap();
    assert_eq!(store.good("mean"), None);
    assert_eq!(
        store.record("mean").quarantined(identity("two")).unwrap().reason,
        "it traps"
    );
    assert!(store.record("mean").quarantined(identity("three")).is_none());
    assert!(store.lift_quarantine("mean").unwrap());
    assert!(store.record("mean").quarantined(identity("two")).is_none());
    assert!(!store.lift_quarantine("mean").unwrap());
}

#[test]
fn a_flood_of_bad_versions_forgets_the_oldest() {
    let (_dir, store) = store();
    for number in 0..=QUARANTINED_MAX {
        store
            .quarantine("mean", identity(&number.to_string()), "bad", Micros(0))
            .unwrap();
    }
    assert!(store.record("mean").quarantined(identity("0")).is_none());
    assert!(store.record("mean").quarantined(identity("1")).is_some());
}

#[test]
fn a_damaged_or_newer_state_counts_as_not_there() {
    let (dir, store) = store();
    store.quarantine("mean", identity("two"), "bad", Micros(0)).unwrap();
    let path = dir.path().join("guests/mean/state.json");
    for text in ["{", "{\"format\":2,\"good\":null,\"quarantined\":[]}", "[]", ""] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(store.record("mean"), Record::default(), "{text}");
    }
    store.quarantine("mean", identity("two"), "bad", Micros(0)).unwrap();
    assert!(store.record("mean").quarantined(identity("two")).is_some());
}

#[test]
fn the_newest_batches_are_kept_a_message_a_line() {
    let (dir, store) = store();
    for at in 1..=7 {
        store.keep_batch("mean", &batch(b"{\"t\":1}"), Micros(at)).unwrap();
    }
    let path = store.keep_batch("mean", &batch(b"\xff"), Micros(9)).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir.path().join("guests/mean"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "batch-4.jsonl",
        "batch-5.jsonl",
        "batch-6.jsonl",
        "batch-7.jsonl",
        "batch-9.jsonl",
    ];
    assert_eq!(names, expected);
    let text = std::fs::read_to_string(dir.path().join("guests/mean/batch-4.jsonl")).unwrap();
    let expected = r#"{"source":"default","topic":"a/b","qos":1,"arrival":5,"payload":"{\"t\":1}"}"#;
    assert_eq!(text.trim_end(), expected);
    assert!(std::fs::read_to_string(path).unwrap().contains("payload_base64"));
}
