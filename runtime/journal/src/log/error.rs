//! What goes wrong with a log.

use super::sequence::{Sequence, Unencodable};
use crate::storage::DiskError;
use std::io;
use thiserror::Error;

/// Why something was not appended, committed or trimmed.
#[derive(Debug, Error)]
pub enum LogError {
    /// There is no room. Nothing was appended; it helps to trim.
    #[error("the log has {bytes} of at most {bytes_max} bytes, and {wanted} more do not fit")]
    Full {
        /// What it has.
        bytes: u64,
        /// What it may have.
        bytes_max: u64,
        /// What was to be appended.
        wanted: u64,
    },
    /// It fits into no log of this size, however empty. Nothing was appended.
    #[error("{bytes} bytes are more than the {max} that may be appended at once")]
    TooLarge {
        /// What was to be appended.
        bytes: u64,
        /// What could be.
        max: u64,
    },
    /// It has no form on disk. Nothing was appended.
    #[error(transparent)]
    Unencodable(#[from] Unencodable),
    /// The disk failed. What was appended since the last commit may be there, or not. Open the log again.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The disk failed before. Open the log again.
    #[error("the log cannot be used since {since}")]
    Broken {
        /// What failed then.
        since: String,
    },
}

impl LogError {
    /// Whether the disk is full, so that it helps to make space.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, LogError::Disk(error) if error.is_disk_full())
    }
}

/// Why a log cannot be opened. Nothing was deleted.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A later version wrote it.
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
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl OpenError {
    /// Whether the disk is full, so that it helps to make space.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, OpenError::Disk(error) if error.is_disk_full())
    }
}

/// A record that cannot be read now. Reading on tries again.
#[derive(Debug, Error)]
#[error("record {sequence} in {file} cannot be read: {source}")]
pub struct ReadError {
    /// The record.
    pub sequence: Sequence,
    /// The file.
    pub file: String,
    /// What the system says.
    pub source: io::Error,
}
