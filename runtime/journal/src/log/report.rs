//! What a recovery found, for the log and the metrics of whoever opens a log.

use super::sequence::Sequence;

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The next record will have this number.
    pub next: Sequence,
    /// The records that can be read.
    pub records: u64,
    /// The bytes of all segments.
    pub bytes: u64,
    /// The bytes that were cut off ends of segments: what was being written when the process or the machine stopped.
    pub cut_bytes: u64,
    /// The records that were copied because nothing proved that they had been synced.
    pub secured: u64,
    /// The segments in which something could not be read, renamed aside just now.
    pub quarantined: Vec<Quarantined>,
    /// All damaged segments that are there, also those that were renamed aside before.
    pub aside: Vec<String>,
    /// The records that should be there and are not: lost. Those that the caller said are covered do not count.
    pub missing: Vec<Missing>,
    /// Files that are not the log's; they were left alone.
    pub foreign: Vec<String>,
}

/// A segment that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// What it is called now.
    pub file: String,
    /// What is wrong.
    pub reason: String,
}

/// Records that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first of them.
    pub first: Sequence,
    /// The last of them.
    pub last: Sequence,
}

impl Missing {
    /// Whether a record is one of them.
    pub fn contains(&self, sequence: Sequence) -> bool {
        self.first <= sequence && sequence <= self.last
    }
}

/// Adds the records from `first` up to, not including, `end`. When there are very many ranges, the last one grows.
pub(super) fn add_missing(missing: &mut Vec<Missing>, first: Sequence, end: Sequence) {
    if first >= end {
        return;
    }
    let last = end.before();
    let many = missing.len() >= RANGES_MAX;
    match missing.last_mut() {
        Some(before) if many || before.last.next() >= first => before.last = before.last.max(last),
        _ => missing.push(Missing { first, last }),
    }
}

const RANGES_MAX: usize = 1024;
