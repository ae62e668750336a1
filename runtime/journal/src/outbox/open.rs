//! Opening an outbox: how far the sink had come, and what waits.

use super::done::Done;
use super::emission::{Content, EmissionId, record_bytes};
use super::error::OutboxOpenError;
use super::queue::{DONE_SEGMENTS_MAX, Outbox, OutboxOptions, Saved};
use crate::log::{Log, LogOptions, Missing, ReadError, Reader, Recovered, Sequence};
use crate::storage::Storage;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was found when an outbox was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxRecovered {
    /// What was found of its log. What is missing there are emissions that were lost.
    pub log: Recovered,
    /// How many emissions wait.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// How many records were no emissions.
    pub unknown: u64,
}

impl Outbox {
    /// Opens the outbox in `storage`, or begins it. What was not acknowledged, as far as is known, comes again in order. The
    /// caller must hold the lock of the storage.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: OutboxOptions,
    ) -> Result<(Outbox, OutboxRecovered), OutboxOpenError> {
        let log_options = LogOptions {
            segment_bytes: options.segment_bytes,
            bytes_max: options.bytes_max + (DONE_SEGMENTS_MAX + 1) * options.segment_bytes + CURSORS_BYTES,
            salt: options.salt,
        };
        let (log, mut found) = Log::open(storage, log_options, Sequence::START)?;
        let saved = last_cursor(&log)?;
        let cursor = saved.cursor;
        let lost = found.missing.iter().filter(|missing| missing.last > cursor);
        found.missing = lost
            .map(|missing| Missing {
                first: missing.first.max(cursor.next()),
                last: missing.last,
            })
            .collect();
        let mut outbox = Outbox {
            saved,
            log,
            options,
            done: Done::up_to(cursor),
            next: Reader::new(cursor.next()),
            taken: BTreeMap::new(),
            waiting: 0,
            waiting_bytes: 0,
            dropped: 0,
        };
        let unknown = outbox.count()?;
        let recovered = OutboxRecovered {
            log: found,
            waiting: outbox.waiting,
            waiting_bytes: outbox.waiting_bytes,
            unknown,
        };
        Ok((outbox, recovered))
    }

    /// The ids of all emissions that are still on disk, those that are done included. What is done stays until its segment goes.
    pub fn ids(&self) -> Result<Vec<EmissionId>, ReadError> {
        let mut reader = Reader::new(self.log.first());
        let mut ids = Vec::new();
        while let Some(record) = reader.next(&self.log)? {
            if let Content::Emission(id, _) = Content::of(&record) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Counts what waits, notes what is not there, and says how many records are unknown.
    fn count(&mut self) -> Result<u64, OutboxOpenError> {
        let mut reader = Reader::new(self.done.cursor().next());
        let mut unknown = 0;
        while let Some(record) = reader.next(&self.log)? {
            let sequence = record.sequence;
            if record.missing > 0 {
                let first = Sequence(sequence.0 - record.missing);
                self.done.add_range(first, sequence.before());
            }
            match Content::of(&record) {
                Content::Emission(_, bytes) => {
                    self.waiting += 1;
                    self.waiting_bytes += record_bytes(bytes.len());
                }
                Content::Cursor(_) => self.done.add(sequence),
                Content::Nothing => {
                    self.done.add(sequence);
                    unknown += 1;
                }
            }
        }
        // The end may be missing.
        self.done.add_range(reader.position(), self.log.written());
        Ok(unknown)
    }
}

/// The last cursor that was put down.
fn last_cursor(log: &Log) -> Result<Saved, OutboxOpenError> {
    let mut reader = Reader::new(log.first());
    // The first commit trims what the process before did not.
    let mut last = Saved::default();
    while let Some(record) = reader.next(log)? {
        if let Content::Cursor(cursor) = Content::of(&record) {
            last.cursor = last.cursor.max(cursor);
            last.record = record.sequence;
        }
    }
    Ok(last)
}

/// Room for cursors when there is none for emissions.
const CURSORS_BYTES: u64 = 64 << 10;
