//! Writing a checkpoint: aside, synced, renamed, and the directory synced.

use super::error::CheckpointError;
use super::format::{Header, Place, SECTION_BYTES_MAX, SectionKind, VERSION, append_head};
use super::names;
use super::stock::Checkpoints;
use crate::storage::{StorageFile, is_full};
use std::io;

/// A checkpoint that is being written. It may take its time, on whatever thread; dropped, it has never been.
#[derive(Debug)]
pub struct CheckpointWriter<'c> {
    checkpoints: &'c mut Checkpoints,
    file: Box<dyn StorageFile>,
    unfinished: String,
    place: Place,
    buffer: Vec<u8>,
    bytes: u64,
}

impl<'c> CheckpointWriter<'c> {
    pub(super) fn begin(checkpoints: &'c mut Checkpoints) -> Result<Self, CheckpointError> {
        let number = checkpoints.next;
        // A number is used once, so that nothing is left of one that failed.
        checkpoints.next = number.saturating_add(1);
        let unfinished = names::unfinished(number);
        let mut created = checkpoints.storage.create(&unfinished);
        if created.as_ref().is_err_and(is_full) && checkpoints.give_up_reserve() {
            created = checkpoints.storage.create(&unfinished);
        }
        let file = created.map_err(CheckpointError::disk(&unfinished, "created"))?;
        let header = Header {
            version: VERSION,
            number,
        };
        Ok(CheckpointWriter {
            checkpoints,
            file,
            unfinished,
            place: Place { number, section: 0 },
            buffer: header.encode(),
            bytes: 0,
        })
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.place.number
    }

    /// Adds a section.
    pub fn section(&mut self, kind: SectionKind, payload: &[u8]) -> Result<(), CheckpointError> {
        if payload.len() > SECTION_BYTES_MAX {
            return Err(CheckpointError::TooLarge {
                bytes: payload.len(),
                max: SECTION_BYTES_MAX,
            });
        }
        append_head(&mut self.buffer, self.place, Some(kind), payload);
        self.place = self.place.next();
        self.buffer.extend_from_slice(payload);
        if self.buffer.len() >= BUFFER_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// Ends it. When this has succeeded it is the newest, and survives a loss of power. Gives its number and its bytes.
    pub fn finish(mut self) -> Result<(u64, u64), CheckpointError> {
        append_head(&mut self.buffer, self.place, None, &[]);
        self.write()?;
        let synced = self.file.sync();
        self.done(synced, "synced")?;
        let number = self.place.number;
        let name = names::checkpoint(number);
        let renamed = self.checkpoints.storage.rename(&self.unfinished, &name);
        self.done(renamed, "renamed")?;
        let synced = self.checkpoints.storage.sync_directory();
        self.done(synced, "made durable")?;
        // What is left over is removed the next time.
        let _ = self.checkpoints.finished(number);
        Ok((number, self.bytes))
    }

    fn write(&mut self) -> Result<(), CheckpointError> {
        let mut written = 0;
        while written < self.buffer.len() {
            match self.file.append(&self.buffer[written..]) {
                Ok(0) => return self.done(Err(io::ErrorKind::WriteZero.into()), "written"),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) && self.checkpoints.give_up_reserve() => {}
                Err(error) => return self.done(Err(error), "written"),
            }
        }
        self.bytes += written as u64;
        self.buffer.clear();
        Ok(())
    }

    /// After a failure the file goes, for it may be the space that is missing, and so does the reserve, so that there is
    /// more the next time.
    fn done(&mut self, result: io::Result<()>, action: &'static str) -> Result<(), CheckpointError> {
        let Err(error) = result else {
            return Ok(());
        };
        let _ = self.checkpoints.storage.remove(&self.unfinished);
        if is_full(&error) {
            self.checkpoints.give_up_reserve();
        }
        Err(CheckpointError::disk(&self.unfinished, action)(error))
    }
}

const BUFFER_BYTES: usize = 256 << 10;
