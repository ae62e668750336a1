use super::{AUDIENCE, Audience, BATCH, Entry, EntryError, MESSAGE, Message, Qos, SWITCH, Switch, TICK};
use crate::log::{Encode, Kind};
use proptest::prelude::*;

fn encoded(entry: &Entry<'_>) -> Vec<u8> {
    let mut bytes = b"before".to_vec();
    entry.encode(&mut bytes).unwrap();
    bytes.split_off(6)
}

fn message() -> Message<'static> {
    Message {
        source: "default",
        audience: 3,
        arrival_us: 1_790_000_000_123_456,
        qos: Qos::AtLeastOnce,
        retain: true,
        duplicate: false,
        topic: "devices/ä/messages",
        payload: b"{\"t\": 21.5}",
    }
}

fn entries() -> Vec<Entry<'static>> {
    let switch = |change| {
        Entry::Switch(Switch {
            mill: 3,
            position: 7_000_000_000,
            change,
        })
    };
    vec![
        Entry::Message(message()),
        Entry::Message(Message {
            source: "",
            audience: Message::FOR_ALL,
            arrival_us: i64::MIN,
            qos: Qos::AtMostOnce,
            retain: false,
            duplicate: true,
            topic: "",
            payload: b"",
        }),
        Entry::Message(Message {
            qos: Qos::ExactlyOnce,
            ..message()
        }),
        Entry::Audience(Audience {
            number: 1,
            here: vec!["devices/+/messages", "#"],
            nowhere: vec!["forbidden/#"],
        }),
        Entry::Audience(Audience {
            number: u32::MAX,
            here: vec![],
            nowhere: vec![],
        }),
        Entry::Tick { mill: 7, at_us: -1 },
        Entry::Batch {
            messages: u32::MAX,
            now_us: i64::MAX,
            last: None,
        },
        Entry::Batch {
            messages: 3,
            now_us: -1,
            last: Some(u64::MAX),
        },
        switch(b"{}"),
        switch(b""),
    ]
}

#[test]
fn entries_come_back_as_they_were() {
    for entry in entries() {
        let bytes = encoded(&entry);
        assert_eq!(Entry::decode(entry.kind(), &bytes), Ok(entry));
    }
}

#[test]
fn an_entry_that_ends_too_early_is_refused() {
    for entry in entries() {
        let bytes = encoded(&entry);
        let payload = match &entry {
            Entry::Message(message) => message.payload.len(),
            Entry::Switch(switch) => switch.change.len(),
            Entry::Audience(_) | Entry::Tick { .. } | Entry::Batch { .. } => 0,
        };
        for length in 0..bytes.len() - payload {
            let decoded = Entry::decode(entry.kind(), &bytes[..length]);
            assert!(
                matches!(decoded, Err(EntryError::Short(_))),
                "{entry:?} {length} {decoded:?}"
            );
        }
    }
}

#[test]
fn an_entry_that_goes_on_is_refused() {
    let open_ended = [MESSAGE, SWITCH];
    for entry in entries().iter().filter(|entry| !open_ended.contains(&entry.kind())) {
        let mut bytes = encoded(entry);
        bytes.push(0);
        assert_eq!(Entry::decode(entry.kind(), &bytes), Err(EntryError::Long(1)));
    }
}

#[test]
fn what_stands_for_nothing_is_refused() {
    let check = |kind: Kind, bytes: &[u8], expected: &str| {
        assert_eq!(Entry::decode(kind, bytes).unwrap_err().to_string(), expected);
    };
    let unknown = Kind::new(200).unwrap();
    check(unknown, &[], "the kind of entry is 200, which stands for nothing");
    check(MESSAGE, &[3], "the QoS is 3, which stands for nothing");
    check(MESSAGE, &[16], "a set of flags is 16, which stands for nothing");
    check(MESSAGE, &[0; 12], "it ends within the audience");
    let text = [&[0; 13][..], &[1, 0, 0xff, 0, 0]].concat();
    check(MESSAGE, &text, "the source is not UTF-8");
    check(
        AUDIENCE,
        &[0; 8],
        "an audience has number 0, which stands for everybody",
    );
    check(AUDIENCE, &[1, 0, 0, 0, 0xff, 0xff], "it ends within a filter");
    check(SWITCH, &[2, 0, 0, 0], "it ends within the position");
    check(BATCH, &[0; 4], "it ends within the time");
    check(TICK, &[0; 11], "it goes on for 1 bytes after its end");
}

#[test]
fn what_has_no_bytes_is_told() {
    let long = "x".repeat(65_536);
    let too_long = Message {
        topic: &long,
        ..message()
    };
    let error = too_long.encode(&mut Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a topic may have 65535 bytes on disk, this has 65536"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_an_entry_or_an_error(kind in 1..8_u8, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let kind = Kind::new(kind).unwrap();
        if let Ok(entry) = Entry::decode(kind, &bytes) {
            prop_assert_eq!(entry.kind(), kind);
            prop_assert_eq!(encoded(&entry), bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_an_entry_or_an_error(which in 0..9_usize, at: prop::sample::Index, value: u8) {
        let entry = &entries()[which];
        let mut bytes = encoded(entry);
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(entry) = Entry::decode(entry.kind(), &bytes) {
            prop_assert_eq!(encoded(&entry), bytes);
        }
    }
}
