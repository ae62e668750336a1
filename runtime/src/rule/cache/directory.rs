//! The directory of the code cache: files that nobody else may have written, replaced by renaming.

use crate::clock;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// A directory of which every file that is read is ours and written by nobody else.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The user that this process writes files as.
    owner: u32,
    /// Tells the unfinished files of this process apart.
    unfinished: AtomicU64,
}

/// A finished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) used: SystemTime,
}

impl Directory {
    /// Makes the directory, for its owner alone, or takes one that is there and only its owner may write.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let metadata = std::fs::symlink_metadata(&path)?;
        if !metadata.is_dir() {
            return Err(refusal(&path, "must be a directory, and no link to one"));
        }
        let mut directory = Directory {
            path,
            owner: metadata.uid(),
            unfinished: AtomicU64::new(0),
        };
        directory.check(&directory.path, &metadata)?;
        // Files that this process makes say whom it writes as; it also shows that it can.
        let (probe, file) = directory.unfinished_file()?;
        directory.owner = file.metadata()?.uid();
        std::fs::remove_file(probe)?;
        directory.check(&directory.path, &metadata)?;
        Ok(directory)
    }

    /// The finished files whose names end in `suffix`. Unfinished ones, which an earlier process left, are removed.
    pub(super) fn list(&self, suffix: &str) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(ToOwned::to_owned) else {
                continue;
            };
            if name.starts_with('.') && name.ends_with(UNFINISHED) {
                std::fs::remove_file(entry.path())?;
            } else if name.ends_with(suffix) {
                let metadata = entry.metadata()?;
                listed.push(Listed {
                    name,
                    bytes: metadata.len(),
                    used: metadata.modified()?,
                });
            }
        }
        Ok(listed)
    }

    /// Reads a file of at most `bytes_max` bytes, and notes that it was used. `None`: there is none. The error of
    /// kind `PermissionDenied` says that somebody else may have written it.
    pub(super) fn read(&self, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        match std::fs::symlink_metadata(&path) {
            // Not even opened: a named pipe would wait for somebody to write to it.
            Ok(metadata) if !metadata.is_file() => return Err(refusal(&path, "must be a regular file")),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        self.check(&self.path, &std::fs::symlink_metadata(&self.path)?)?;
        let file = File::open(&path)?;
        self.check(&path, &file.metadata()?)?;
        let mut bytes = Vec::new();
        (&file).take(bytes_max).read_to_end(&mut bytes)?;
        // Only the order of removal hangs on it.
        let _ = file.set_modified(clock::system());
        Ok(Some(bytes))
    }

    /// Writes a file beside its place and renames it, so that nobody ever sees a part of it. It need not reach the
    /// disk: an entry that a power cut tears is found out when it is read.
    pub(super) fn write(&self, name: &str, parts: [&[u8]; 2]) -> io::Result<()> {
        let (unfinished, mut file) = self.unfinished_file()?;
        let written = parts.iter().try_for_each(|part| file.write_all(part));
        let written = written.and_then(|()| std::fs::rename(&unfinished, self.path.join(name)));
        if written.is_err() {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes a file; one that is gone already is no error.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn unfinished_file(&self) -> io::Result<(PathBuf, File)> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let name = format!(".{}-{number}{UNFINISHED}", std::process::id());
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let file = match options.open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // An earlier process had this one's number.
                std::fs::remove_file(&path)?;
                options.open(&path)?
            }
            opened => opened?,
        };
        Ok((path, file))
    }

    /// What somebody else may write may hold anything, and it would be run as it is.
    fn check(&self, path: &Path, metadata: &Metadata) -> io::Result<()> {
        if metadata.uid() != self.owner {
            let problem = format!("must belong to user {}, not to {}", self.owner, metadata.uid());
            return Err(refusal(path, &problem));
        }
        let mode = metadata.mode() & 0o777;
        if mode & 0o022 != 0 {
            let problem = format!("must not be writable for group or others, and has mode {mode:03o}");
            return Err(refusal(path, &problem));
        }
        Ok(())
    }
}

fn refusal(path: &Path, problem: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, format!("{} {problem}", path.display()))
}

/// How the names of files end that are being written; they begin with a dot.
const UNFINISHED: &str = ".new";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_somebody_else_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut directory = Directory::open(folder.path().join("cache")).unwrap();
        directory.write("a", [b"one", b"two"]).unwrap();
        assert_eq!(directory.read("a", 100).unwrap().unwrap(), b"onetwo");
        directory.owner += 1;
        let error = directory.read("a", 100).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("must belong to user"), "{error}");
    }

    #[test]
    fn no_more_is_read_than_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path().join("cache")).unwrap();
        directory.write("a", [b"one", b"two"]).unwrap();
        assert_eq!(directory.read("a", 4).unwrap().unwrap(), b"onet");
    }
}
