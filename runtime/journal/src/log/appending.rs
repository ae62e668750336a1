//! The log itself: what is appended, committed and trimmed.

use super::error::LogError;
use super::format::{HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, VERSION, append_mark, begin_record, finish_record};
use super::names;
use super::segment::{Condition, Segment};
use super::sequence::{Durability, Encode, Sequence};
use super::sync::{SyncJob, Synced, SyncedFile};
use crate::storage::{DiskError, Storage};
use std::ops::Range;
use std::sync::Arc;

/// An open log. It belongs to one process, which must hold the lock of the storage.
#[derive(Debug)]
pub struct Log {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) options: LogOptions,
    /// In order, without gaps in what they were made for; the last is the one that is appended to, if there is one.
    pub(super) segments: Vec<Segment>,
    pub(super) active: Option<Active>,
    /// Records that are not written yet.
    pub(super) buffer: Vec<u8>,
    /// The number of the next record.
    pub(super) next: Sequence,
    pub(super) written: Sequence,
    pub(super) synced: Sequence,
    /// Written since the last sync that has succeeded.
    pub(super) unsynced_bytes: u64,
    /// The highest id of a segment.
    pub(super) last_id: u64,
    /// The bytes of all segments.
    pub(super) bytes: u64,
    /// Damaged segments whose records are trimmed or unreadable, from old to new.
    pub(super) kept_aside: Vec<String>,
    pub(super) broken: Option<String>,
}

/// How large a log may be.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// A segment that has reached this is followed by another.
    pub segment_bytes: u64,
    /// All segments together; what does not fit is not appended.
    pub bytes_max: u64,
    /// A number that is hard to guess, and another one at each start: see the format.
    pub salt: u32,
}

#[derive(Debug)]
pub(super) struct Active {
    pub(super) file: Arc<SyncedFile>,
    /// The last mark in it.
    pub(super) marked: Sequence,
}

impl Log {
    /// Takes records to be committed, all or none, and says which numbers they have.
    pub fn append<R: Encode>(&mut self, records: impl IntoIterator<Item = R>) -> Result<Range<Sequence>, LogError> {
        self.check()?;
        let (first, length) = (self.next, self.buffer.len());
        let mut appended = Ok(());
        for record in records {
            appended = self.encode(&record);
            if appended.is_err() {
                break;
            }
        }
        match appended.and_then(|()| self.fit(length)) {
            Ok(()) => Ok(first..self.next),
            Err(error) => {
                self.buffer.truncate(length);
                self.next = first;
                Err(error)
            }
        }
    }

    /// Makes what was appended as safe as asked, with one write, and says up to where all of it has been written.
    pub fn commit(&mut self, durability: Durability) -> Result<Sequence, LogError> {
        self.check()?;
        match durability {
            Durability::PowerLoss => self.sync()?,
            Durability::ProcessCrash => self.write()?,
            Durability::None if self.buffer.len() >= UNWRITTEN_BYTES_MAX => self.write()?,
            Durability::None => {}
        }
        Ok(self.written)
    }

    /// Writes what was appended, and waits until the disk has it.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.write()?;
        if self.synced < self.written {
            self.sync_active()?;
        }
        Ok(())
    }

    /// What there is to sync, to be done elsewhere; [`Log::finish_sync`] must be told. `None` when there is nothing.
    pub fn begin_sync(&mut self) -> Result<Option<SyncJob>, LogError> {
        self.check()?;
        let active = self.active.as_ref().filter(|_| self.synced < self.written);
        Ok(active.map(|active| SyncJob {
            file: Arc::clone(&active.file),
            to: self.written,
            bytes: self.unsynced_bytes,
        }))
    }

    /// Takes note of a sync that was done elsewhere.
    pub fn finish_sync(&mut self, done: Synced) -> Result<(), LogError> {
        self.check()?;
        let same = |active: &&Active| Arc::ptr_eq(&active.file, &done.file);
        if self.active.as_ref().filter(same).is_none() {
            // Another segment has begun since, and before that this one was synced.
            return Ok(());
        }
        match done.result {
            Ok(()) if done.to > self.synced => {
                self.synced = done.to;
                self.unsynced_bytes = self.unsynced_bytes.saturating_sub(done.bytes);
            }
            Ok(()) => {}
            Err(source) => return Err(self.fail(DiskError::of(&self.active_name(), "synced")(source))),
        }
        Ok(())
    }

    /// Removes the segments that only hold records below `below`, and says how many bytes that was.
    pub fn trim(&mut self, below: Sequence) -> Result<u64, LogError> {
        self.check()?;
        let below = below.min(self.written.next());
        if self.segments.last().is_some_and(|last| {
            let large = last.end > HEADER_BYTES as u64 && last.size >= self.options.segment_bytes / 4;
            large && last.next <= below && self.buffer.is_empty()
        }) {
            // So that a log that is small altogether can be emptied.
            self.begin_segment()?;
        }
        let before = self.bytes;
        while let [oldest, _, ..] = self.segments.as_slice()
            && oldest.next <= below
        {
            match oldest.condition {
                Condition::Whole => remove(self.storage.as_ref(), &oldest.name)?,
                Condition::Aside => self.kept_aside.push(oldest.name.clone()),
            }
            self.bytes -= oldest.size;
            self.segments.remove(0);
        }
        while self.kept_aside.len() > ASIDE_MAX {
            remove(self.storage.as_ref(), &self.kept_aside[0])?;
            self.kept_aside.remove(0);
        }
        Ok(before - self.bytes)
    }

    /// Commits everything and leaves a mark, so that the next start has nothing to copy.
    pub fn close(mut self) -> Result<(), LogError> {
        self.check()?;
        self.sync()?;
        if self.active.as_ref().is_some_and(|active| active.marked < self.synced) {
            self.add_mark();
            self.append_buffer()?;
            self.sync_active()?;
        }
        Ok(())
    }

    /// The number that the next record will have.
    pub fn next(&self) -> Sequence {
        self.next
    }

    /// The last record that was written: it survives the end of the process.
    pub fn written(&self) -> Sequence {
        self.written
    }

    /// The last record that is synced: it survives a loss of power.
    pub fn synced(&self) -> Sequence {
        self.synced
    }

    /// What was written and may not be synced. The next segment waits for it, so whoever appends much begins a sync elsewhere
    /// when it has grown to a few megabytes.
    pub fn unsynced_bytes(&self) -> u64 {
        self.unsynced_bytes
    }

    /// The oldest record that may still be there.
    pub fn first(&self) -> Sequence {
        self.segments.first().map_or(self.next, |segment| segment.first)
    }

    /// The bytes on disk and those that wait for a commit.
    pub fn bytes(&self) -> u64 {
        self.bytes + self.buffer.len() as u64
    }

    /// Whether the disk has failed, so that the log has to be opened again.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(super) fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Where to look for a record: the first segment that reaches so far, else the last.
    pub(super) fn segment_of(&self, position: Sequence) -> Option<&Segment> {
        let at = self.segments.partition_point(|segment| segment.next <= position);
        self.segments.get(at).or(self.segments.last())
    }

    /// Begins the segment for the next record that is written. It has its name once its header, and what `contents` adds, are
    /// on disk, and its place in the directory too.
    pub(super) fn begin_segment_with(&mut self, contents: &[u8]) -> Result<(), LogError> {
        let first = self.written.next();
        let (unfinished, name) = (names::unfinished(first), names::segment(first));
        let header = Header {
            version: VERSION,
            salt: self.options.salt,
            first,
        };
        let created = self.storage.create(&unfinished).map(SyncedFile::new);
        let file = created.map_err(|source| self.fail(DiskError::of(&unfinished, "created")(source)))?;
        let begun = file.append(&header.encode()).and_then(|()| file.append(contents));
        begun.map_err(|source| self.fail(DiskError::of(&unfinished, "written")(source)))?;
        let synced = file.sync();
        synced.map_err(|source| self.fail(DiskError::of(&unfinished, "synced")(source)))?;
        let renamed = self.storage.rename(&unfinished, &name);
        renamed.map_err(|source| self.fail(DiskError::of(&unfinished, "renamed")(source)))?;
        let synced = self.storage.sync_directory();
        synced.map_err(|source| self.fail(DiskError::of("the directory", "synced")(source)))?;
        let replaced = self.segments.pop_if(|last| last.name == name);
        self.bytes -= replaced.map_or(0, |segment| segment.size);
        let size = (HEADER_BYTES + contents.len()) as u64;
        self.bytes += size;
        self.last_id += 1;
        self.segments.push(Segment {
            id: self.last_id,
            name,
            salt: self.options.salt,
            first,
            next: first,
            end: size,
            size,
            condition: Condition::Whole,
        });
        self.active = Some(Active {
            file: Arc::new(file),
            marked: Sequence::START,
        });
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<(), LogError> {
        if self.active.is_some() && self.synced < self.written {
            self.sync_active()?;
        }
        self.begin_segment_with(&[])
    }

    fn encode(&mut self, record: &impl Encode) -> Result<(), LogError> {
        let start = begin_record(&mut self.buffer);
        record.encode(&mut self.buffer)?;
        let sequence = self.next;
        if !finish_record(&mut self.buffer, start, sequence, record.kind(), self.options.salt) {
            return Err(LogError::TooLarge {
                bytes: (self.buffer.len() - start) as u64,
                max: PAYLOAD_BYTES_MAX as u64,
            });
        }
        self.next = sequence.next();
        Ok(())
    }

    /// Whether what was appended behind the first `length` bytes of the buffer has room.
    fn fit(&self, length: usize) -> Result<(), LogError> {
        let wanted = (self.buffer.len() - length) as u64;
        // A segment of its own, and a mark.
        let max = self.options.bytes_max.saturating_sub(OVERHEAD_BYTES);
        if wanted > max {
            return Err(LogError::TooLarge { bytes: wanted, max });
        }
        if wanted > 0 && self.bytes + self.buffer.len() as u64 > max {
            return Err(LogError::Full {
                bytes: self.bytes + length as u64,
                bytes_max: self.options.bytes_max,
                wanted,
            });
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), LogError> {
        self.check()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let length = self.buffer.len() as u64;
        let has_room = self.active.is_some()
            && self.segments.last().is_some_and(|segment| {
                segment.end == HEADER_BYTES as u64 || segment.end + length <= self.options.segment_bytes
            });
        if !has_room {
            self.begin_segment()?;
        }
        self.add_mark();
        self.append_buffer()
    }

    /// Puts down, once, up to where this segment is synced.
    fn add_mark(&mut self) {
        let first = self.segments.last().map(|segment| segment.first);
        if let (Some(active), Some(first)) = (&mut self.active, first)
            && self.synced >= first
            && self.synced > active.marked
        {
            active.marked = self.synced;
            append_mark(&mut self.buffer, self.synced, self.options.salt);
        }
    }

    fn append_buffer(&mut self) -> Result<(), LogError> {
        let (Some(active), Some(segment)) = (&self.active, self.segments.last_mut()) else {
            return Ok(());
        };
        if let Err(source) = active.file.append(&self.buffer) {
            let error = DiskError::of(&segment.name, "written")(source);
            return Err(self.fail(error));
        }
        let length = self.buffer.len() as u64;
        segment.end += length;
        segment.size += length;
        segment.next = self.next;
        self.bytes += length;
        self.unsynced_bytes += length;
        self.written = self.next.before();
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }

    fn sync_active(&mut self) -> Result<(), LogError> {
        let synced = self.active.as_ref().map_or(Ok(()), |active| active.file.sync());
        synced.map_err(|source| self.fail(DiskError::of(&self.active_name(), "synced")(source)))?;
        self.synced = self.written;
        self.unsynced_bytes = 0;
        Ok(())
    }

    fn active_name(&self) -> String {
        self.segments
            .last()
            .map(|segment| segment.name.clone())
            .unwrap_or_default()
    }

    fn check(&self) -> Result<(), LogError> {
        match &self.broken {
            Some(since) => Err(LogError::Broken { since: since.clone() }),
            None => Ok(()),
        }
    }

    fn fail(&mut self, error: DiskError) -> LogError {
        self.broken = Some(error.to_string());
        LogError::Disk(error)
    }
}

fn remove(storage: &dyn Storage, name: &str) -> Result<(), LogError> {
    match storage.remove(name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => Ok(removed.map_err(DiskError::of(name, "removed"))?),
    }
}

/// What is not written at once with [`Durability::None`].
const UNWRITTEN_BYTES_MAX: usize = 256 << 10;
/// What the buffer keeps of what it once needed.
const BUFFER_BYTES_KEPT: usize = 4 << 20;
/// So many damaged segments that are not needed any more are kept.
const ASIDE_MAX: usize = 8;
const OVERHEAD_BYTES: u64 = 64;
