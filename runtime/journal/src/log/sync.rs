//! A file of which no sync is believed once one has failed, and syncs on another thread.

use super::sequence::Sequence;
use crate::storage::{StorageFile, append_all};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The file that a log appends to.
#[derive(Debug)]
pub(super) struct SyncedFile {
    file: Box<dyn StorageFile>,
    /// Held during a sync. The system tells of a failure once, perhaps to another thread than the one that has to know.
    failed: Mutex<bool>,
}

impl SyncedFile {
    pub(super) fn new(file: Box<dyn StorageFile>) -> Self {
        SyncedFile {
            file,
            failed: Mutex::new(false),
        }
    }

    pub(super) fn append(&self, bytes: &[u8]) -> io::Result<()> {
        append_all(self.file.as_ref(), bytes)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if *failed {
            return Err(io::Error::other("an earlier sync of it has failed"));
        }
        let done = self.file.sync();
        *failed = done.is_err();
        done
    }
}

/// A sync that can be done on another thread, while the log is appended to.
#[derive(Debug)]
pub struct SyncJob {
    pub(super) file: Arc<SyncedFile>,
    pub(super) to: Sequence,
    /// What there was to sync when it was begun.
    pub(super) bytes: u64,
}

impl SyncJob {
    /// Syncs. It may take as long as the disk likes.
    pub fn run(self) -> Synced {
        Synced {
            result: self.file.sync(),
            file: self.file,
            to: self.to,
            bytes: self.bytes,
        }
    }
}

/// What became of a [`SyncJob`]; the log has to know it.
#[derive(Debug)]
#[must_use = "the log has to know it"]
pub struct Synced {
    pub(super) file: Arc<SyncedFile>,
    pub(super) to: Sequence,
    pub(super) bytes: u64,
    pub(super) result: io::Result<()>,
}
