//! The queue itself.

use super::done::Done;
use super::emission::{Content, Emission, EmissionId, NewCursor, NewEmission, record_bytes};
use super::error::OutboxError;
use crate::log::{Durability, Log, LogError, Reader, Sequence, SyncJob, Synced};
use std::collections::BTreeMap;

/// An open outbox. It belongs to one process, which must hold the lock of the storage.
#[derive(Debug)]
pub struct Outbox {
    pub(super) log: Log,
    pub(super) options: OutboxOptions,
    pub(super) done: Done,
    /// Where the next emission is taken, or dropped, from.
    pub(super) next: Reader,
    /// What was taken and is not done, with the bytes of each.
    pub(super) taken: BTreeMap<Sequence, u64>,
    /// Of what is not done.
    pub(super) waiting: u64,
    pub(super) waiting_bytes: u64,
    pub(super) dropped: u64,
    pub(super) saved: Saved,
}

/// Which cursor is on disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Saved {
    /// The last that was appended, and its own number.
    pub(super) cursor: Sequence,
    pub(super) record: Sequence,
    /// The last that is synced.
    pub(super) synced: Sequence,
}

/// How large an outbox may be.
#[derive(Clone, Copy, Debug)]
pub struct OutboxOptions {
    /// All emissions that are not done. The files take up to five segments more.
    pub bytes_max: u64,
    /// What becomes of more.
    pub on_full: OnFull,
    /// The size of a segment.
    pub segment_bytes: u64,
    /// See [`crate::log::LogOptions::salt`].
    pub salt: u32,
}

/// What becomes of an emission for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Whoever pushes waits: [`Pushed::Full`].
    Block,
    /// The oldest that were not taken yet make room.
    DropOldest,
    /// It is dropped itself.
    DropNewest,
}

/// What became of an emission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what is dropped is counted"]
pub enum Pushed {
    /// It is in the queue once it is committed. So many older ones were dropped for it.
    Queued {
        /// Its place.
        sequence: Sequence,
        /// How many were dropped.
        dropped: u64,
        /// Their bytes.
        dropped_bytes: u64,
    },
    /// It was dropped, and so were so many older ones, which did not make enough room.
    Dropped {
        /// How many older ones.
        older: u64,
        /// Their bytes.
        older_bytes: u64,
    },
    /// It was not taken, and can be pushed again when something is done.
    Full,
    /// It alone is larger than the queue may be.
    TooLarge,
}

impl Outbox {
    /// Adds an emission, whose bytes may come in parts; it is there for good once it is committed.
    pub fn push(&mut self, id: EmissionId, parts: &[&[u8]]) -> Result<Pushed, OutboxError> {
        let emission = NewEmission { id, parts };
        let bytes = emission.record_bytes();
        if bytes > self.options.bytes_max {
            return Ok(Pushed::TooLarge);
        }
        let (mut dropped, mut dropped_bytes) = (0, 0);
        self.make_room_on_disk(bytes)?;
        while !self.has_room(bytes) {
            let oldest = match self.options.on_full {
                OnFull::Block => return Ok(Pushed::Full),
                OnFull::DropNewest => None,
                OnFull::DropOldest => self.drop_oldest()?,
            };
            // What was taken may have arrived, so it is not dropped.
            let Some(bytes) = oldest else {
                return Ok(Pushed::Dropped {
                    older: dropped,
                    older_bytes: dropped_bytes,
                });
            };
            dropped += 1;
            dropped_bytes += bytes;
        }
        let sequence = match self.log.append([emission]) {
            Ok(range) => range.start,
            Err(LogError::TooLarge { .. }) => return Ok(Pushed::TooLarge),
            Err(error) => return Err(error.into()),
        };
        self.waiting += 1;
        self.waiting_bytes += bytes;
        Ok(Pushed::Queued {
            sequence,
            dropped,
            dropped_bytes,
        })
    }

    /// Makes what was pushed as safe as asked, and puts down what is done. Worth calling now and then also when nothing was
    /// pushed.
    pub fn commit(&mut self, durability: Durability) -> Result<(), OutboxError> {
        self.save_cursor()?;
        self.log.commit(durability)?;
        self.trim()
    }

    /// What there is to sync, to be done elsewhere; [`Outbox::finish_sync`] must be told.
    pub fn begin_sync(&mut self) -> Result<Option<SyncJob>, OutboxError> {
        Ok(self.log.begin_sync()?)
    }

    /// Takes note of a sync that was done elsewhere.
    pub fn finish_sync(&mut self, done: Synced) -> Result<(), OutboxError> {
        self.log.finish_sync(done)?;
        self.trim()
    }

    /// The next emission that was committed and not taken; `None` when there is none.
    pub fn take(&mut self) -> Result<Option<Emission<'_>>, OutboxError> {
        let Some((sequence, bytes)) = self.advance()? else {
            return Ok(None);
        };
        self.taken.insert(sequence, bytes);
        let found = self.next.last().map(|record| Content::of(&record));
        let emission = match found {
            Some(Content::Emission(id, bytes)) => Some(Emission { sequence, id, bytes }),
            Some(Content::Cursor(_) | Content::Nothing) | None => None,
        };
        Ok(emission)
    }

    /// An emission that was taken has arrived, or will never: it is done. False when it was not taken, or is done already.
    pub fn acknowledge(&mut self, sequence: Sequence) -> bool {
        let Some(bytes) = self.taken.remove(&sequence) else {
            return false;
        };
        self.finish(sequence, bytes);
        true
    }

    /// Whatever was taken and is not done is taken again, in order: the connection is lost.
    pub fn rewind(&mut self) {
        self.taken.clear();
        self.next = Reader::new(self.done.cursor().next());
    }

    /// Commits everything, so that the next start has nothing to copy.
    pub fn close(mut self) -> Result<(), OutboxError> {
        self.commit(Durability::PowerLoss)?;
        Ok(self.log.close()?)
    }

    /// How many emissions are not done.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The bytes of those that are not done.
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// How many emissions of the queue were dropped for others since it was opened, also for one whose push failed then.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// See [`Log::unsynced_bytes`].
    pub fn unsynced_bytes(&self) -> u64 {
        self.log.unsynced_bytes()
    }

    /// Everything up to here is done.
    pub fn cursor(&self) -> Sequence {
        self.done.cursor()
    }

    /// Whether the disk has failed, so that the outbox has to be opened again.
    pub fn is_broken(&self) -> bool {
        self.log.is_broken()
    }

    /// The next emission that is not done, passing over what is; and its bytes on disk.
    fn advance(&mut self) -> Result<Option<(Sequence, u64)>, OutboxError> {
        loop {
            let Some(record) = self.next.next(&self.log)? else {
                return Ok(None);
            };
            let sequence = record.sequence;
            if record.missing > 0 {
                let first = Sequence(sequence.0 - record.missing);
                self.done.add_range(first, sequence.before());
            }
            match Content::of(&record) {
                Content::Emission(..) if self.done.contains(sequence) => {}
                Content::Emission(_, bytes) => return Ok(Some((sequence, record_bytes(bytes.len())))),
                Content::Cursor(_) | Content::Nothing => self.done.add(sequence),
            }
        }
    }

    /// Drops the oldest that was not taken, and says how many bytes that was; `None` when all were taken.
    fn drop_oldest(&mut self) -> Result<Option<u64>, OutboxError> {
        let mut oldest = self.advance()?;
        if oldest.is_none() {
            // It may not be written yet.
            self.log.commit(Durability::ProcessCrash)?;
            oldest = self.advance()?;
        }
        let Some((sequence, bytes)) = oldest else {
            return Ok(None);
        };
        self.finish(sequence, bytes);
        self.dropped += 1;
        Ok(Some(bytes))
    }

    fn finish(&mut self, sequence: Sequence, bytes: u64) {
        self.done.add(sequence);
        self.waiting = self.waiting.saturating_sub(1);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        if self.done.cursor().next() == self.log.next() {
            // What turned out to be unreadable was counted and never came.
            self.waiting = 0;
            self.waiting_bytes = 0;
        }
    }

    /// Whether there is room among what waits, and on disk: one that is not done holds everything behind it.
    fn has_room(&self, bytes: u64) -> bool {
        self.waiting_bytes + bytes <= self.options.bytes_max && self.log.bytes() + bytes <= self.disk_bytes_max()
    }

    /// When the disk is full of what is done, it only has to be said there.
    fn make_room_on_disk(&mut self, bytes: u64) -> Result<(), OutboxError> {
        let is_unsaid = self.cursor_is_news() || self.saved.cursor > self.saved.synced;
        if is_unsaid && self.log.bytes() + bytes > self.disk_bytes_max() {
            self.commit(Durability::PowerLoss)?;
        }
        Ok(())
    }

    fn disk_bytes_max(&self) -> u64 {
        self.options.bytes_max + DONE_SEGMENTS_MAX * self.options.segment_bytes
    }

    /// Whether more is done than was put down. A cursor is done itself, which is no news, or it would never end.
    fn cursor_is_news(&self) -> bool {
        let cursor = self.done.cursor();
        let is_only_itself = cursor == self.saved.record && self.saved.cursor.next() == self.saved.record;
        cursor > self.saved.cursor && !is_only_itself
    }

    fn save_cursor(&mut self) -> Result<(), OutboxError> {
        if !self.cursor_is_news() {
            return Ok(());
        }
        let cursor = self.done.cursor();
        let record = match self.log.append([NewCursor(cursor)]) {
            Ok(range) => range.start,
            // Some emissions come once more.
            Err(LogError::Full { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.done.add(record);
        self.saved.cursor = cursor;
        self.saved.record = record;
        Ok(())
    }

    /// Removes what a synced cursor says is done.
    fn trim(&mut self) -> Result<(), OutboxError> {
        let is_news = self.saved.cursor > self.saved.synced;
        if is_news && self.log.synced() >= self.saved.record {
            self.saved.synced = self.saved.cursor;
            self.log.trim(self.saved.synced.next())?;
        }
        Ok(())
    }
}

/// So many segments of what is done may be there, because something before it is not.
pub(super) const DONE_SEGMENTS_MAX: u64 = 4;
