//! Reading a checkpoint, section by section.

use super::error::CheckpointError;
use super::format::{HEAD_BYTES, HEADER_BYTES, Head, Header, Place, SectionKind, VERSION};
use crate::storage::{Storage, StorageFile, read_full};
use std::io;

/// A checkpoint that is being read. All of it was checked when it was opened, and each section is checked again.
#[derive(Debug)]
pub struct CheckpointReader {
    file: Box<dyn StorageFile>,
    name: String,
    size: u64,
    offset: u64,
    place: Place,
}

impl CheckpointReader {
    /// Opens a file and reads all of it once, without keeping it.
    pub(super) fn open(storage: &dyn Storage, name: &str, number: u64) -> Result<Self, CheckpointError> {
        let size = storage.size(name).map_err(CheckpointError::disk(name, "looked at"))?;
        let file = storage.open(name).map_err(CheckpointError::disk(name, "opened"))?;
        let mut reader = CheckpointReader {
            file,
            name: name.to_owned(),
            size,
            offset: 0,
            place: Place { number, section: 0 },
        };
        reader.read_header(number)?;
        let mut piece = Vec::new();
        while reader.check_section(&mut piece)? {}
        reader.offset = HEADER_BYTES as u64;
        reader.place.section = 0;
        Ok(reader)
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.place.number
    }

    /// Reads the next section into `into`, which is emptied before, and says what it is; `None` at the end.
    pub fn next_section(&mut self, into: &mut Vec<u8>) -> Result<Option<SectionKind>, CheckpointError> {
        into.clear();
        let head = self.read_head()?;
        let Some(kind) = head.kind else {
            return Ok(None);
        };
        into.resize(head.length, 0);
        self.fill(into)?;
        let crc = crc32c::crc32c_append(head.begin(self.place), into);
        self.end_section(head, crc)?;
        Ok(Some(kind))
    }

    fn read_header(&mut self, number: u64) -> Result<(), CheckpointError> {
        let mut bytes = [0; HEADER_BYTES];
        let length = self.read(0, &mut bytes)?;
        let header = Header::decode(&bytes[..length]).map_err(|reason| self.damaged(reason))?;
        if header.version > VERSION {
            return Err(CheckpointError::FutureVersion {
                file: self.name.clone(),
                version: header.version,
                supported: VERSION,
            });
        }
        if header.number != number {
            return Err(self.damaged("it has the name of another checkpoint"));
        }
        self.offset = HEADER_BYTES as u64;
        Ok(())
    }

    /// Checks a section piece by piece. False at the end.
    fn check_section(&mut self, piece: &mut Vec<u8>) -> Result<bool, CheckpointError> {
        let head = self.read_head()?;
        let mut crc = head.begin(self.place);
        let mut left = head.length;
        while left > 0 {
            piece.resize(left.min(PIECE_BYTES), 0);
            self.fill(piece)?;
            crc = crc32c::crc32c_append(crc, piece);
            left -= piece.len();
        }
        self.end_section(head, crc)?;
        if head.kind.is_none() && self.offset != self.size {
            return Err(self.damaged("it goes on after its end"));
        }
        Ok(head.kind.is_some())
    }

    fn read_head(&mut self) -> Result<Head, CheckpointError> {
        let mut bytes = [0; HEAD_BYTES];
        self.fill(&mut bytes)?;
        let head = Head::decode(&bytes).filter(|head| head.length as u64 <= self.size.saturating_sub(self.offset));
        head.ok_or_else(|| self.damaged("a section is not what was written"))
    }

    fn end_section(&mut self, head: Head, crc: u32) -> Result<(), CheckpointError> {
        if !head.ends_with(crc) {
            return Err(self.damaged("the checksum of a section is wrong"));
        }
        self.place = self.place.next();
        Ok(())
    }

    /// Reads as much as fits into `into`, which must be there.
    fn fill(&mut self, into: &mut [u8]) -> Result<(), CheckpointError> {
        let length = self.read(self.offset, into)?;
        if length < into.len() {
            return Err(self.damaged("it ends too early"));
        }
        self.offset += length as u64;
        Ok(())
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, CheckpointError> {
        let mut attempt = 1;
        loop {
            let read: io::Result<usize> = read_full(self.file.as_ref(), offset, into);
            match read {
                Err(_) if attempt < READ_ATTEMPTS => attempt += 1,
                read => return read.map_err(CheckpointError::disk(&self.name, "read")),
            }
        }
    }

    fn damaged(&self, reason: &'static str) -> CheckpointError {
        CheckpointError::Damaged {
            file: self.name.clone(),
            reason,
        }
    }
}

const PIECE_BYTES: usize = 256 << 10;
/// A disk may fail to read once and succeed the next time.
const READ_ATTEMPTS: u32 = 3;
