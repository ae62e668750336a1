//! What can be read of one segment, and what cannot.

use super::report::{Missing, add_missing};
use super::sequence::Sequence;
use super::walk::{Step, Walk};
use crate::storage::StorageFile;

/// A segment as it was found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The records that can be read and count.
    pub(super) records: u64,
    /// The one after the last that counts.
    pub(super) next: Sequence,
    /// Where the last record that counts ends.
    pub(super) end: u64,
    /// Up to here everything had been synced for certain.
    pub(super) proven: Sequence,
    /// What was synced for certain, and is not there.
    pub(super) missing: Vec<Missing>,
    /// What is wrong, if it is more than a torn end.
    pub(super) damage: Option<String>,
}

/// What comes behind the segment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Successor {
    /// Another one, which begins with this record. So everything up to there had been synced.
    At(Sequence),
    /// Nothing: its end may be torn.
    None,
}

/// A place that could not be understood, and what had been counted up to there.
#[derive(Debug)]
struct Hole {
    offset: u64,
    expected: Sequence,
    /// The record behind it, if there is one.
    resumed: Option<Sequence>,
    records: u64,
    /// What is written cannot be read, rather than that something else is written.
    unreadable: bool,
    reason: String,
}

/// Reads a segment of `size` bytes that begins with `first`, and checks all of it.
pub(super) fn scan(file: Box<dyn StorageFile>, salt: u32, first: Sequence, size: u64, successor: Successor) -> Scan {
    let mut walk = Walk::new(file, salt, first, size);
    let found = walk_through(&mut walk, first, successor);
    let proven = match successor {
        Successor::At(next) => next.before(),
        Successor::None => found.marked.max(first.before()),
    };
    let mut scan = Scan {
        records: found.records,
        next: found.next,
        end: found.end,
        proven,
        ..Scan::default()
    };
    for hole in found.holes {
        if hole.expected > proven {
            // Here the segment was torn. What lies behind is out of order, and was promised to nobody. If it cannot be
            // read nobody knows, so it must not be cut off.
            scan.records = hole.records;
            scan.next = hole.expected;
            scan.end = hole.offset;
            if hole.unreadable {
                scan.damage.get_or_insert(hole.reason);
            }
            break;
        }
        let resumed = hole.resumed.unwrap_or(proven.next()).min(proven.next());
        add_missing(&mut scan.missing, hole.expected, resumed);
        scan.damage.get_or_insert(hole.reason);
    }
    if scan.next <= proven {
        // It ends early, perhaps in the midst of nothing.
        add_missing(&mut scan.missing, scan.next, proven.next());
    }
    scan
}

#[derive(Debug, Default)]
struct Found {
    records: u64,
    next: Sequence,
    end: u64,
    marked: Sequence,
    holes: Vec<Hole>,
}

impl Found {
    fn begin_hole(&mut self, offset: u64, expected: Sequence, reason: String) {
        self.holes.push(Hole {
            offset,
            expected,
            resumed: None,
            records: self.records,
            unreadable: false,
            reason,
        });
    }

    fn end_unreadable(&mut self) {
        if let Some(last) = self.holes.last_mut() {
            last.unreadable = true;
        }
    }
}

fn walk_through(walk: &mut Walk, first: Sequence, successor: Successor) -> Found {
    let mut found = Found {
        next: first,
        end: walk.offset(),
        ..Found::default()
    };
    let mut in_hole = false;
    while found.holes.len() < HOLES_MAX {
        let offset = walk.offset();
        let expected = walk.expected();
        match walk.step() {
            Ok(Step::End) => break,
            Ok(Step::Record(record)) => {
                if matches!(successor, Successor::At(next) if record.sequence >= next) {
                    break;
                }
                if let Some(hole) = found.holes.last_mut().filter(|_| in_hole) {
                    hole.resumed = Some(record.sequence);
                }
                in_hole = false;
                found.records += 1;
                found.next = record.sequence.next();
                found.end = walk.offset();
            }
            Ok(Step::Mark(synced)) => {
                found.marked = found.marked.max(synced);
                if !in_hole {
                    found.end = walk.offset();
                }
            }
            Ok(Step::Damage) if in_hole => {}
            Ok(Step::Damage) => {
                let reason = format!("record {expected} at byte {offset} is not what was written");
                found.begin_hole(offset, expected, reason);
                in_hole = true;
            }
            Err(_) if in_hole => {
                found.end_unreadable();
                break;
            }
            Err(error) => {
                let reason = format!("record {expected} at byte {offset} cannot be read: {error}");
                found.begin_hole(offset, expected, reason);
                found.end_unreadable();
                break;
            }
        }
    }
    found
}

/// With more, the rest of the segment counts as lost.
const HOLES_MAX: usize = 10_000;
