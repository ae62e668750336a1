//! The real disk.

use super::{Lock, LockError, Storage, StorageFile};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A directory of the file system.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Open for as long as this lives, so that it can be synced also when descriptors are short.
    handle: File,
}

/// A directory that cannot be used.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// It cannot be made.
    #[error("{path} cannot be created: {source}")]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be opened or synced.
    #[error("{path} must be a directory that this user can read and write: {source}")]
    Open {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Directory {
    /// The directory at `path`; made, durably, if it is not there.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        create_durably(path).map_err(|source| DirectoryError::Create {
            path: path.to_owned(),
            source,
        })?;
        let broken = |source| DirectoryError::Open {
            path: path.to_owned(),
            source,
        };
        let handle = File::open(path).map_err(broken)?;
        if !handle.metadata().map_err(broken)?.is_dir() {
            return Err(broken(io::ErrorKind::NotADirectory.into()));
        }
        Ok(Directory {
            path: path.to_owned(),
            handle,
        })
    }

    fn at(&self, name: &str) -> PathBuf {
        debug_assert!(!name.contains('/') && name != "..", "{name} is the name of a file");
        self.path.join(name)
    }

    fn in_lock_error(&self, source: io::Error) -> LockError {
        LockError::Io {
            directory: self.path.display().to_string(),
            source,
        }
    }
}

impl Storage for Directory {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.at(name))?;
        Ok(Box::new(DirectoryFile { file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = File::open(self.at(name))?;
        Ok(Box::new(DirectoryFile { file }))
    }

    fn cut(&self, name: &str, bytes: u64) -> io::Result<()> {
        let file = File::options().write(true).open(self.at(name))?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // A name that is not UTF-8 is not ours.
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.at(name))?.len())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let found = rustix::fs::fstatvfs(&self.handle)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn lock(&self) -> Result<Box<dyn Lock>, LockError> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.at(LOCK_FILE))
            .map_err(|source| self.in_lock_error(source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::InUse {
                    directory: self.path.display().to_string(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(self.in_lock_error(source)),
        }
        // Only for the message that another process gives, so it need not succeed.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Box::new(FileLock { _file: file }))
    }
}

/// The file whose advisory lock stands for the directory. It stays when the lock is given up: removing it would let two
/// processes lock two files of the same name.
pub(super) const LOCK_FILE: &str = "lock";

/// Makes a directory and those above it, and syncs the directories that have a new entry.
fn create_durably(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.exists() {
        return Ok(());
    }
    let above = path.parent().unwrap_or(Path::new(""));
    create_durably(above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let above = if above.as_os_str().is_empty() {
        Path::new(".")
    } else {
        above
    };
    File::open(above)?.sync_all()
}

/// Who holds the lock, from what it wrote into the file.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(process) if read.is_ok() => format!("process {process}"),
        _ => "another process".to_owned(),
    }
}

const HOLDER_BYTES_MAX: u64 = 32;

#[derive(Debug)]
struct DirectoryFile {
    file: File,
}

impl StorageFile for DirectoryFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        // The file is ours alone and was empty, so its position is its end.
        (&self.file).write(bytes)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[derive(Debug)]
struct FileLock {
    _file: File,
}

impl Lock for FileLock {}
