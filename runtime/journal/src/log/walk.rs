//! Through a segment, record by record.

use super::format::{HEAD_BYTES, HEADER_BYTES, Head, PAYLOAD_BYTES_MAX};
use super::sequence::{Kind, Sequence};
use super::window::Window;
use crate::storage::StorageFile;
use std::io;
use std::ops::Range;

/// A place in a segment.
#[derive(Debug)]
pub(super) struct Walk {
    window: Window,
    salt: u32,
    offset: u64,
    /// Where what may be read ends.
    end: u64,
    /// The number of the next record.
    expected: Sequence,
    /// The next record may have a higher number.
    after_damage: bool,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    Record(Found),
    /// Everything up to here was synced when it was written.
    Mark(Sequence),
    /// What is here cannot be understood. The walk goes on where a record can be, or ends.
    Damage,
    End,
}

/// A record, and where its payload is in memory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) sequence: Sequence,
    pub(super) kind: Kind,
    payload: Range<usize>,
}

impl Walk {
    /// From the first record on.
    pub(super) fn new(file: Box<dyn StorageFile>, salt: u32, first: Sequence, end: u64) -> Self {
        Walk {
            window: Window::new(file),
            salt,
            offset: HEADER_BYTES as u64,
            end,
            expected: first,
            after_damage: false,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn expected(&self) -> Sequence {
        self.expected
    }

    /// Goes on, perhaps further than before: the segment has grown.
    pub(super) fn extend(&mut self, end: u64) {
        self.end = end;
    }

    pub(super) fn payload(&self, found: &Found) -> &[u8] {
        self.window.bytes(found.payload.clone())
    }

    /// What is next. After an error it is tried again.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        if self.offset >= self.end {
            return Ok(Step::End);
        }
        let found = match self.head_at(self.offset)? {
            Some(head) if self.follows(&head) => self.checked(self.offset, head)?,
            Some(_) | None => None,
        };
        let Some((head, record)) = found else {
            self.offset = self.look_further()?;
            self.after_damage = true;
            return Ok(Step::Damage);
        };
        self.offset += head.record_bytes() as u64;
        let Some(kind) = head.kind else {
            return Ok(Step::Mark(head.sequence));
        };
        self.after_damage = false;
        self.expected = head.sequence.next();
        Ok(Step::Record(Found {
            sequence: head.sequence,
            kind,
            payload: record.start + HEAD_BYTES..record.end,
        }))
    }

    /// Whether a record with this head can come next.
    fn follows(&self, head: &Head) -> bool {
        let in_order = head.sequence == self.expected || self.after_damage && head.sequence > self.expected;
        head.kind.is_none() || in_order
    }

    /// Where the next record is, behind the one that cannot be understood; the end when there is none.
    ///
    /// Every byte may be its first. What looks like a head is believed when its checksum is right; as a file may be
    /// full of what only looks like heads, this has a bound.
    fn look_further(&mut self) -> io::Result<u64> {
        let mut checked_bytes = 0;
        let mut offset = self.offset + 1;
        while offset < self.end && checked_bytes < CHECKED_BYTES_MAX {
            // As many records as fit may have been lost.
            let lost_max = (offset - self.offset) / HEAD_BYTES as u64 + 1;
            let latest = Sequence(self.expected.0.saturating_add(lost_max));
            let head = self.head_at(offset)?;
            let possible = |head: &Head| head.kind.is_none() || (self.expected..=latest).contains(&head.sequence);
            if let Some(head) = head.filter(possible) {
                checked_bytes += head.record_bytes() as u64;
                if self.checked(offset, head)?.is_some() {
                    return Ok(offset);
                }
            }
            offset += 1;
        }
        Ok(self.end)
    }

    fn head_at(&mut self, offset: u64) -> io::Result<Option<Head>> {
        let range = self.window.bring(offset, HEAD_BYTES, self.end)?;
        Ok(range.and_then(|range| Head::decode(self.window.bytes(range))))
    }

    /// The record with this head, if its checksum is right, and where it is in memory.
    fn checked(&mut self, offset: u64, head: Head) -> io::Result<Option<(Head, Range<usize>)>> {
        let Some(range) = self.window.bring(offset, head.record_bytes(), self.end)? else {
            return Ok(None);
        };
        let fits = head.fits(self.window.bytes(range.clone()), self.salt);
        Ok(fits.then_some((head, range)))
    }
}

/// How much is checked to find the next record behind one that cannot be understood.
const CHECKED_BYTES_MAX: u64 = 4 * PAYLOAD_BYTES_MAX as u64;
