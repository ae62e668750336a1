//! The code that the journal and its checkpoints speak of: each file once, under its digest.
//!
//! A replay runs the code that ran, whatever lies in the rules directory by then. A file is put here before any mill is told of
//! it, and goes when no checkpoint that is kept, and nothing behind it, needs it.

use crate::rule::ContentDigest;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder.
#[derive(Clone, Debug)]
pub(in super::super) struct CodeStore {
    dir: PathBuf,
}

impl CodeStore {
    /// That of a data directory.
    pub(in super::super) fn new(data_dir: &Path) -> Self {
        CodeStore {
            dir: data_dir.join("code"),
        }
    }

    /// Keeps a file. It is on disk for good when this returns. Blocks for as long as the file system does.
    pub(in super::super) fn keep(&self, digest: ContentDigest, wasm: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        if let Ok(known) = std::fs::read(&path)
            && ContentDigest::of(&known) == digest
        {
            // So that it does not go before a checkpoint knows of it.
            let file = std::fs::File::options().append(true).open(&path)?;
            return file.set_modified(crate::clock::system());
        }
        if !self.dir.is_dir() {
            std::fs::create_dir_all(&self.dir)?;
            if let Some(data) = self.dir.parent() {
                std::fs::File::open(data)?.sync_all()?;
            }
        }
        let unfinished = path.with_extension("new");
        let mut file = std::fs::File::create(&unfinished)?;
        io::Write::write_all(&mut file, wasm)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        std::fs::File::open(&self.dir)?.sync_all()
    }

    /// A file. What is there but not what it should be counts as not there.
    pub(in super::super) fn find(&self, digest: ContentDigest) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.path(digest)) {
            Ok(wasm) if ContentDigest::of(&wasm) == digest => Ok(Some(wasm)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the files that are not among these, but for those that came while this was found out, or shortly before.
    pub(in super::super) fn retain(&self, needed: &BTreeSet<String>, took: Duration) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let now = crate::clock::system();
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            if !needed.contains(name) && age > took.saturating_add(YOUNG) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn path(&self, digest: ContentDigest) -> PathBuf {
        self.dir.join(format!("{digest}.wasm"))
    }
}

/// A file that came this lately may be on its way to a mill.
const YOUNG: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_digest_unless_it_is_another_one_by_now() {
        let folder = tempfile::tempdir().unwrap();
        let store = CodeStore::new(folder.path());
        let digest = ContentDigest::of(b"code");
        assert_eq!(store.find(digest).unwrap(), None);
        store.keep(digest, b"code").unwrap();
        store.keep(digest, b"code").unwrap();
        assert_eq!(store.find(digest).unwrap().unwrap(), b"code");
        std::fs::write(store.path(digest), b"other").unwrap();
        assert_eq!(store.find(digest).unwrap(), None);
        store.keep(digest, b"code").unwrap();
        assert_eq!(store.find(digest).unwrap().unwrap(), b"code");
    }

    #[test]
    fn what_nobody_needs_goes_when_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let store = CodeStore::new(folder.path());
        let [old, young, needed] = [&b"old"[..], b"young", b"needed"].map(|code| {
            let digest = ContentDigest::of(code);
            store.keep(digest, code).unwrap();
            digest
        });
        for digest in [old, needed] {
            let file = std::fs::File::options().append(true).open(store.path(digest)).unwrap();
            file.set_modified(crate::clock::system() - 2 * YOUNG).unwrap();
        }
        store.retain(&BTreeSet::from([needed.to_string()]), 3 * YOUNG).unwrap();
        assert!(store.find(old).unwrap().is_some());
        store
            .retain(&BTreeSet::from([needed.to_string()]), Duration::ZERO)
            .unwrap();
        assert_eq!(store.find(old).unwrap(), None);
        assert!(store.find(young).unwrap().is_some() && store.find(needed).unwrap().is_some());
    }
}
