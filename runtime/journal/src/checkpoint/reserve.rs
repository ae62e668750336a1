//! Space that is taken while there is enough, to have it when there is none.

use super::error::CheckpointError;
use super::names::RESERVE;
use crate::storage::{Storage, append_all, is_full};

/// The file that holds the space.
#[derive(Debug)]
pub(super) struct Reserve {
    bytes: u64,
    is_there: bool,
}

impl Reserve {
    /// The file as an earlier process left it.
    pub(super) fn find(storage: &dyn Storage, bytes: u64) -> Self {
        Reserve {
            bytes,
            is_there: storage.size(RESERVE).is_ok_and(|size| size == bytes && size > 0),
        }
    }

    pub(super) fn restore(&mut self, storage: &dyn Storage) -> Result<bool, CheckpointError> {
        if self.is_there || self.bytes == 0 {
            return Ok(self.is_there);
        }
        let free = storage.free_bytes();
        let free = free.map_err(CheckpointError::disk("the directory", "asked for free space"))?;
        // Whoever fills the disk needs as much again, or it would be given up at once.
        if free < self.bytes.saturating_mul(2) {
            return Ok(false);
        }
        match self.take(storage) {
            Ok(()) => self.is_there = true,
            Err(error) => {
                self.give_up(storage);
                if !is_full(&error) {
                    return Err(CheckpointError::disk(RESERVE, "written")(error));
                }
            }
        }
        Ok(self.is_there)
    }

    /// Frees the space, and says whether there was any.
    pub(super) fn give_up(&mut self, storage: &dyn Storage) -> bool {
        self.is_there = false;
        // When this fails there is no space, which whoever asked will notice.
        let freed = storage.remove(RESERVE).is_ok();
        freed && storage.sync_directory().is_ok()
    }

    fn take(&self, storage: &dyn Storage) -> std::io::Result<()> {
        let file = storage.create(RESERVE)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut left = self.bytes;
        let mut number = 0x9E37_79B9_u32;
        while left > 0 {
            for byte in &mut piece {
                // A file system that compresses would store zeros in no space at all.
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = number.to_be_bytes()[0];
            }
            let length = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            append_all(file.as_ref(), &piece[..length])?;
            left -= length as u64;
        }
        file.sync()?;
        storage.sync_directory()
    }
}

const PIECE_BYTES: usize = 64 << 10;
