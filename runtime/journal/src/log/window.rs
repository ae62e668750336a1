//! A file, read in pieces of some size.

use crate::storage::{StorageFile, read_full};
use std::io;
use std::ops::Range;

/// A part of a file in memory.
#[derive(Debug)]
pub(super) struct Window {
    file: Box<dyn StorageFile>,
    buffer: Vec<u8>,
    filled: usize,
    /// Where in the file the buffer begins.
    offset: u64,
}

impl Window {
    pub(super) fn new(file: Box<dyn StorageFile>) -> Self {
        Window {
            file,
            buffer: Vec::new(),
            filled: 0,
            offset: 0,
        }
    }

    /// Brings `length` bytes at `offset` into memory, and says where they are; nothing at or behind `end` is read. `None`
    /// when there are not as many.
    pub(super) fn bring(&mut self, offset: u64, length: usize, end: u64) -> io::Result<Option<Range<usize>>> {
        let available = end.saturating_sub(offset);
        if (length as u64) > available {
            return Ok(None);
        }
        if let Some(start) = self.position(offset)
            && start + length <= self.filled
        {
            return Ok(Some(start..start + length));
        }
        let wanted = usize::try_from(available)
            .unwrap_or(usize::MAX)
            .min(length.max(CHUNK_BYTES));
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        self.filled = 0;
        self.offset = offset;
        self.filled = self.read(offset, wanted, length)?;
        Ok((length <= self.filled).then_some(0..length))
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    fn position(&self, offset: u64) -> Option<usize> {
        usize::try_from(offset.checked_sub(self.offset)?).ok()
    }

    /// A disk may fail to read once and succeed the next time, so it is asked again; and then for no more than is needed, for
    /// what cannot be read may lie behind that.
    fn read(&mut self, offset: u64, wanted: usize, needed: usize) -> io::Result<usize> {
        let mut failed = None;
        for length in [wanted, wanted, needed] {
            match read_full(self.file.as_ref(), offset, &mut self.buffer[..length]) {
                Ok(count) => return Ok(count),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::ErrorKind::Other.into()))
    }
}

const CHUNK_BYTES: usize = 256 << 10;
