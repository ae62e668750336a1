//! The only way to the disk: a directory of named files.
//!
//! The trait has what the formats need and nothing more. In particular nobody appends to a file that was written before:
//! a new process begins new files, so the tail of an old one is never trusted twice.

mod directory;
#[cfg(test)]
mod tests;

pub use directory::{Directory, DirectoryError};

use std::fmt::Debug;
use std::io;
use thiserror::Error;

/// A flat directory of files.
///
/// Nothing is durable by itself: the bytes of a file are after [`StorageFile::sync`], names (of files that were created, renamed
/// or removed) are after [`Storage::sync_directory`].
pub trait Storage: Debug + Send + Sync {
    /// A new, empty file to append to. One of that name is replaced.
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// A file to read.
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Shortens a file to `bytes`, and syncs it.
    fn cut(&self, name: &str, bytes: u64) -> io::Result<()>;

    /// Gives a file another name, in one step. A file that had it is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// How large a file is.
    fn size(&self, name: &str) -> io::Result<u64>;

    /// Makes durable which files there are.
    fn sync_directory(&self) -> io::Result<()>;

    /// How much more this user can write.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Takes the directory for this process, until the lock is dropped or the process ends.
    fn lock(&self) -> Result<Box<dyn Lock>, LockError>;
}

/// A file of a [`Storage`].
pub trait StorageFile: Debug + Send + Sync {
    /// Appends the beginning of `bytes`, and says how much that was; only to a file that was created. See [`append_all`].
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads what fits into `into`, and says how much that was: 0 at the end.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Makes durable what was appended. After it has failed, what was appended before may never become durable, even if a
    /// later call succeeds.
    fn sync(&self) -> io::Result<()>;
}

/// A directory that nobody else may use until this is dropped.
pub trait Lock: Debug + Send + Sync {}

/// Why a directory cannot be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{directory} is in use by {holder}; stop that, or set another directory")]
    InUse {
        /// The directory.
        directory: String,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// It cannot be tried.
    #[error("{directory} cannot be locked: {source}")]
    Io {
        /// The directory.
        directory: String,
        /// What the system says.
        source: io::Error,
    },
}

/// The disk did not do what it was asked.
#[derive(Debug, Error)]
#[error("{file} cannot be {action}: {source}")]
pub struct DiskError {
    /// The file.
    pub file: String,
    /// What was tried.
    pub action: &'static str,
    /// What the system says.
    pub source: io::Error,
}

impl DiskError {
    /// What to make of the system's error when `file` was to be `action`.
    pub(crate) fn of<'f>(file: &'f str, action: &'static str) -> impl FnOnce(io::Error) -> DiskError + 'f {
        move |source| DiskError {
            file: file.to_owned(),
            action,
            source,
        }
    }

    /// Whether the disk is full, so that it helps to make space.
    pub fn is_disk_full(&self) -> bool {
        is_full(&self.source)
    }
}

/// Appends all of `bytes`. When it fails, a part of them may be there.
pub fn append_all(file: &dyn StorageFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.append(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an error means that there is no space left, so that it helps to make some.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Reads at `offset` until `into` is full or the file ends, and says how much that was.
pub fn read_full(file: &dyn StorageFile, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(offset + filled as u64, rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
