//! What an earlier version wrote is read for ever: the files in `formats/` are of each version that there has been. They are
//! read, and what the present version writes is compared with the newest. `BLESS=1` writes them anew, which is right only
//! while a version has not been released.

use crate::checkpoint::{Checkpoints, SectionKind};
use crate::log::{Durability, Kind, Log, LogOptions, Reader, Sequence};
use crate::outbox::{EmissionId, OnFull, Outbox, OutboxOptions, Pushed};
use crate::sim::SimDisk;
use crate::{Audience, Entry, Message, Qos, Storage, Switch};
use std::path::{Path, PathBuf};

fn folder(version: &str, format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/formats")
        .join(version)
        .join(format)
}

/// A disk with the files of a version.
fn kept(version: &str, format: &str) -> SimDisk {
    let disk = SimDisk::new(1);
    for entry in std::fs::read_dir(folder(version, format)).unwrap() {
        let entry = entry.unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        disk.put(format, &entry.file_name().into_string().unwrap(), bytes);
    }
    disk
}

/// Whether what was written now is what was kept, byte by byte.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that writes files anew is told so by the environment"
)]
fn compare(disk: &SimDisk, version: &str, format: &str) {
    let folder = folder(version, format);
    let bless = std::env::var("BLESS").is_ok_and(|value| value == "1");
    if bless {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
    }
    let mut names = disk.directory(format).list().unwrap();
    names.sort();
    for name in &names {
        let bytes = disk.contents(format, name).unwrap();
        if bless {
            std::fs::write(folder.join(name), &bytes).unwrap();
        }
        assert_eq!(
            std::fs::read(folder.join(name)).unwrap(),
            bytes,
            "{version}/{format}/{name}"
        );
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), names.len());
}

fn entries() -> Vec<Entry<'static>> {
    let message = |number: i64| {
        Entry::Message(Message {
            source: "default",
            audience: 1,
            arrival_us: 1_790_000_000_000_000 + number,
            qos: Qos::AtLeastOnce,
            retain: number == 2,
            duplicate: number == 3,
            topic: "devices/d1/messages",
            payload: b"{\"temperature\":21.5}",
        })
    };
    let switch = |mill, position, change| Entry::Switch(Switch { mill, position, change });
    vec![
        switch(0, 0, b"{\"put\":\"library text\"}"),
        switch(1, 0, b"{\"put\":\"rule device_temperature\"}"),
        Entry::Audience(Audience {
            number: 1,
            here: vec!["devices/+/messages"],
            nowhere: vec!["refused/#"],
        }),
        message(1),
        message(2),
        Entry::Batch {
            messages: 2,
            now_us: 1_790_000_000_000_003,
            last: None,
        },
        Entry::Tick {
            mill: 1,
            at_us: 1_790_000_010_000_000,
        },
        message(3),
        Entry::Batch {
            messages: 1,
            now_us: 1_780_000_000_000_000,
            last: None,
        },
        switch(1, 9, b"{\"remove\":\"device_temperature\"}"),
    ]
}

fn log_options() -> LogOptions {
    LogOptions {
        segment_bytes: 400,
        bytes_max: 1 << 20,
        salt: 0x1234_5678,
    }
}

fn assert_holds_the_entries(disk: &SimDisk) {
    let (log, recovered) = Log::open(disk.directory("log"), log_options(), Sequence::START).unwrap();
    assert!(recovered.quarantined.is_empty() && recovered.missing.is_empty());
    assert_eq!((recovered.cut_bytes, recovered.secured), (0, 0));
    let mut reader = Reader::new(Sequence(1));
    for expected in entries() {
        let record = reader.next(&log).unwrap().unwrap();
        assert_eq!(Entry::decode(record.kind, record.payload), Ok(expected));
    }
    assert!(reader.next(&log).unwrap().is_none());
}

#[test]
fn a_log_of_version_1_is_read() {
    assert_holds_the_entries(&kept("v1", "log"));
}

#[test]
fn a_log_is_written_like_version_1() {
    let disk = SimDisk::new(1);
    let (mut log, _) = Log::open(disk.directory("log"), log_options(), Sequence::START).unwrap();
    for entries in entries().chunks(2) {
        log.append(entries).unwrap();
        log.commit(Durability::PowerLoss).unwrap();
    }
    log.close().unwrap();
    compare(&disk, "v1", "log");
}

fn sections() -> Vec<(SectionKind, Vec<u8>)> {
    let kind = |number| SectionKind::new(number).unwrap();
    vec![
        (kind(1), b"positions".to_vec()),
        (kind(2), vec![7; 300]),
        (kind(2), Vec::new()),
        (kind(9), vec![0; 64]),
    ]
}

#[test]
fn a_checkpoint_of_version_1_is_read() {
    let disk = kept("v1", "checkpoint");
    let (checkpoints, found) = Checkpoints::open(disk.directory("checkpoint"), 0).unwrap();
    assert_eq!((found.newest, found.rejected.len()), (Some(1), 0));
    let mut reader = checkpoints.newest().unwrap().unwrap();
    let mut bytes = Vec::new();
    for (kind, expected) in sections() {
        assert_eq!(reader.next_section(&mut bytes).unwrap(), Some(kind));
        assert_eq!(bytes, expected);
    }
    assert_eq!(reader.next_section(&mut bytes).unwrap(), None);
}

#[test]
fn a_checkpoint_is_written_like_version_1() {
    let disk = SimDisk::new(1);
    let (mut checkpoints, _) = Checkpoints::open(disk.directory("checkpoint"), 0).unwrap();
    let mut writer = checkpoints.begin().unwrap();
    for (kind, bytes) in sections() {
        writer.section(kind, &bytes).unwrap();
    }
    writer.finish().unwrap();
    compare(&disk, "v1", "checkpoint");
}

fn outbox_options() -> OutboxOptions {
    OutboxOptions {
        bytes_max: 1 << 20,
        on_full: OnFull::Block,
        segment_bytes: 200,
        salt: 0x1234_5678,
    }
}

#[test]
fn an_outbox_of_version_1_is_read() {
    let disk = kept("v1", "outbox");
    let (mut outbox, recovered) = Outbox::open(disk.directory("outbox"), outbox_options()).unwrap();
    assert_eq!((recovered.waiting, recovered.unknown), (4, 0));
    for number in 3..=6 {
        let emission = outbox.take().unwrap().unwrap();
        assert_eq!(emission.id, EmissionId([number; 16]));
        assert_eq!(emission.bytes, b"[{\"mean\":21.5}]");
    }
    assert!(outbox.take().unwrap().is_none());
}

#[test]
fn an_outbox_is_written_like_version_1() {
    let disk = SimDisk::new(1);
    let (mut outbox, _) = Outbox::open(disk.directory("outbox"), outbox_options()).unwrap();
    for number in 1..=6 {
        let pushed = outbox
            .push(EmissionId([number; 16]), &[b"[{\"mean\":", b"21.5}]"])
            .unwrap();
        assert!(matches!(pushed, Pushed::Queued { .. }));
        outbox.commit(Durability::ProcessCrash).unwrap();
    }
    for _ in 1..=2 {
        let sequence = outbox.take().unwrap().unwrap().sequence;
        assert!(outbox.acknowledge(sequence));
    }
    outbox.close().unwrap();
    compare(&disk, "v1", "outbox");
}

#[test]
fn kinds_are_numbers_above_zero() {
    assert!(Kind::new(0).is_none());
    assert!(SectionKind::new(0).is_none());
}
