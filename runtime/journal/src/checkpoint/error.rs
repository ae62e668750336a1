//! What goes wrong with checkpoints.

use crate::storage::{DiskError, is_full};
use std::io;
use thiserror::Error;

/// Why a checkpoint was not written, or cannot be read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A later version wrote it. Nothing was changed.
    #[error(
        "{file} has format {version}, and this version of rulemill reads formats up to {supported}; use the version that wrote it"
    )]
    FutureVersion {
        /// The file.
        file: String,
        /// Its version.
        version: u16,
        /// The highest that is known.
        supported: u16,
    },
    /// It is not what was written.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A section is larger than may be written at once.
    #[error("a section may have {max} bytes, this has {bytes}; divide it")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What it may have.
        max: usize,
    },
    /// The disk failed. The checkpoint that was being written is gone; the ones before are there.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl CheckpointError {
    /// Whether the disk is full, so that it helps to make space. The reserve has been given up by then.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, CheckpointError::Disk(error) if is_full(&error.source))
    }

    pub(super) fn disk<'f>(file: &'f str, action: &'static str) -> impl FnOnce(io::Error) -> CheckpointError + 'f {
        move |source| CheckpointError::Disk(DiskError::of(file, action)(source))
    }
}
