//! The log on a disk that does what it is told, and on one that does not.

mod damage;
mod reading;
mod recovery;
mod writing;

use super::{Durability, Kind, Log, LogOptions, Reader, Recovered, Sequence};
use crate::sim::SimDisk;
use crate::storage::Storage;
use std::sync::Arc;

const KIND: Kind = Kind::new(7).unwrap();

/// Small, so that a few records make several segments.
fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 200,
        bytes_max: 100_000,
        salt: 0x5a17,
    }
}

/// A log in the directory `d` of a simulated disk.
struct Bench {
    disk: SimDisk,
    log: Log,
    recovered: Recovered,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Bench::on(SimDisk::new(seed), Sequence::START)
    }

    fn on(disk: SimDisk, covered: Sequence) -> Self {
        let (log, recovered) = Log::open(disk.directory("d"), options(), covered).unwrap();
        Bench { disk, log, recovered }
    }

    /// Another process.
    fn reopened(self) -> Self {
        Bench::on(self.disk, Sequence::START)
    }

    /// Commits one record for each number, of some 40 bytes.
    fn commit(&mut self, numbers: impl IntoIterator<Item = u64>, durability: Durability) {
        for number in numbers {
            let appended = self.log.append([(KIND, payload(number).as_slice())]).unwrap();
            assert_eq!(appended.start, Sequence(number));
            self.log.commit(durability).unwrap();
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.disk.directory("d").list().unwrap();
        names.sort();
        names
    }

    /// The numbers of all records; their payloads are right.
    fn numbers(&self) -> Vec<u64> {
        read(&self.log, Sequence(1)).0
    }
}

fn payload(number: u64) -> Vec<u8> {
    format!("record {number:032}").into_bytes()
}

fn read(log: &Log, from: Sequence) -> (Vec<u64>, u64) {
    let mut reader = Reader::new(from);
    let mut numbers = Vec::new();
    while let Some(record) = reader.next(log).unwrap() {
        assert_eq!(record.payload, payload(record.sequence.0), "{}", record.sequence);
        assert_eq!(record.kind, KIND);
        numbers.push(record.sequence.0);
    }
    (numbers, reader.missing())
}

fn storage(disk: &SimDisk) -> Arc<dyn Storage> {
    disk.directory("d")
}

fn to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}
