//! What lies in the rules directory: which files changed, decided by their content.
//!
//! A file is read again when its metadata changed, when an event named it, or when it is so young that a further write
//! might not show in its metadata.

use super::super::identity::Identity;
use super::watch::Touched;
use crate::clock;
use crate::rule::ContentDigest;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The files of one guest: `NAME.wasm` and perhaps `NAME.toml`.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The name without `.wasm`.
    pub(super) name: String,
    /// The content of the `.wasm` file.
    pub(super) wasm: Vec<u8>,
    /// The content of the file beside it, if there is one.
    pub(super) sidecar: Option<String>,
    /// The identity of both.
    pub(super) identity: Identity,
}

/// What a look at the directory found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Guests that are new or have changed.
    pub(super) changed: Vec<Found>,
    /// Guests whose `.wasm` file is gone.
    pub(super) gone: Vec<String>,
    /// Files that could not be read: name and reason.
    pub(super) unreadable: Vec<(String, String)>,
}

/// Remembers what was seen, so that only changes are reported.
#[derive(Debug)]
pub(super) struct Scanner {
    dir: PathBuf,
    file_bytes_max: u64,
    seen: BTreeMap<String, Seen>,
    /// Guests that were reported as unreadable, so that their end is reported too.
    unreadable: BTreeSet<String>,
}

#[derive(Debug)]
struct Seen {
    wasm: Stamp,
    sidecar: Option<Stamp>,
    identity: Option<Identity>,
    /// When it was read.
    read_at: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Scanner {
    /// A scanner that has seen nothing yet.
    pub(super) fn new(dir: PathBuf, file_bytes_max: u64) -> Self {
        Scanner {
            dir,
            file_bytes_max,
            seen: BTreeMap::new(),
            unreadable: BTreeSet::new(),
        }
    }

    /// Sets the bound that files read from now on are held to.
    pub(super) fn set_file_bytes_max(&mut self, file_bytes_max: u64) {
        self.file_bytes_max = file_bytes_max;
    }

    /// Forgets what was seen of a guest, so that it counts as changed.
    pub(super) fn forget(&mut self, name: &str) {
        self.seen.remove(name);
    }

    /// Looks at the directory. Guests that are ready are read whatever their metadata says, and those that are being written
    /// are passed over, as if nothing had changed. The error is that of a
    /// directory that cannot be listed; what was seen stays as it is. This may block for as long as the file system does.
    pub(super) fn scan(&mut self, touched: &Touched) -> std::io::Result<Scan> {
        let mut scan = Scan::default();
        let mut names = self.names()?;
        // They may have no name at all for a moment.
        names.extend(
            touched
                .writing
                .iter()
                .filter(|name| self.seen.contains_key(*name))
                .cloned(),
        );
        names.retain(|name| match self.look_unless_written(name, touched) {
            Ok(found) => {
                self.unreadable.remove(name);
                scan.changed.extend(found);
                true
            }
            // It vanished since the directory was listed, or is a link to nothing.
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => {
                // What was seen of it no longer tells what it will be when it can be read again.
                self.seen.remove(name);
                self.unreadable.insert(name.clone());
                scan.unreadable.push((name.clone(), error.to_string()));
                true
            }
        });
        let known: BTreeSet<String> = self.seen.keys().chain(&self.unreadable).cloned().collect();
        for name in known.difference(&names) {
            self.seen.remove(name);
            self.unreadable.remove(name);
            scan.gone.push(name.clone());
        }
        Ok(scan)
    }

    /// The names of all `.wasm` files but hidden ones, which editors and copying tools use for unfinished files.
    fn names(&self) -> std::io::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let file = entry?.file_name();
            if let Some(name) = file.to_str().and_then(guest_name) {
                names.insert(name.to_owned());
            }
        }
        Ok(names)
    }

    fn look_unless_written(&mut self, name: &str, touched: &Touched) -> std::io::Result<Option<Found>> {
        if touched.writing.contains(name) {
            return Ok(None);
        }
        self.look(name, touched.ready.contains(name))
    }

    fn look(&mut self, name: &str, touched: bool) -> std::io::Result<Option<Found>> {
        let wasm_path = self.dir.join(format!("{name}.wasm"));
        let sidecar_path = self.dir.join(format!("{name}.toml"));
        let wasm_stamp = stamp(&wasm_path)?;
        let sidecar_stamp = unless_absent(stamp(&sidecar_path))?;
        let known = self.seen.get(name);
        if let Some(seen) = known
            && !touched
            && seen.settled(&wasm_stamp, sidecar_stamp.as_ref())
        {
            return Ok(None);
        }
        let read_at = clock::system();
        let found = Found::read(&self.dir, name, self.file_bytes_max)?;
        let changed = known.and_then(|seen| seen.identity) != Some(found.identity);
        self.seen.insert(
            name.to_owned(),
            Seen {
                wasm: wasm_stamp,
                sidecar: sidecar_stamp,
                identity: Some(found.identity),
                read_at,
            },
        );
        Ok(changed.then_some(found))
    }
}

impl Found {
    /// The files of a guest in `dir`, as they are now. Of the `.wasm` file no more is read than one byte beyond the bound.
    pub(super) fn read(dir: &Path, name: &str, file_bytes_max: u64) -> std::io::Result<Self> {
        let wasm = read_bounded(&dir.join(format!("{name}.wasm")), file_bytes_max)?;
        let sidecar = unless_absent(read_text(&dir.join(format!("{name}.toml"))))?;
        Ok(Found::new(name.to_owned(), wasm, sidecar))
    }

    /// The files of a guest, wherever they come from.
    pub(super) fn new(name: String, wasm: Vec<u8>, sidecar: Option<String>) -> Self {
        let identity = Identity {
            wasm: ContentDigest::of(&wasm),
            sidecar: sidecar.as_ref().map(|text| ContentDigest::of(text.as_bytes())),
        };
        Found {
            name,
            wasm,
            sidecar,
            identity,
        }
    }
}

impl Seen {
    /// Whether nothing can have changed since it was read.
    fn settled(&self, wasm: &Stamp, sidecar: Option<&Stamp>) -> bool {
        let old_enough = |stamp: &Stamp| {
            stamp.modified.is_some_and(|modified| {
                self.read_at
                    .duration_since(modified)
                    .is_ok_and(|age| age > TIMESTAMP_STEP)
            })
        };
        self.wasm == *wasm
            && self.sidecar.as_ref() == sidecar
            && old_enough(&self.wasm)
            && self.sidecar.as_ref().is_none_or(old_enough)
    }
}

/// The guest that a file belongs to, if any: `NAME.wasm` or `NAME.toml`.
pub(super) fn guest_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    guest_name(file).or_else(|| named(file, ".toml")).map(ToOwned::to_owned)
}

pub(super) fn guest_name(file: &str) -> Option<&str> {
    named(file, ".wasm")
}

fn named<'a>(file: &'a str, suffix: &str) -> Option<&'a str> {
    let name = file.strip_suffix(suffix)?;
    (!name.is_empty() && !name.starts_with('.')).then_some(name)
}

/// The metadata of a regular file. Nothing else is opened: a named pipe would block until somebody writes to it, and a
/// device never ends.
fn stamp(path: &Path) -> std::io::Result<Stamp> {
    let metadata = std::fs::metadata(path)?;
    check_regular(path, &metadata)?;
    Ok(Stamp {
        len: metadata.len(),
        modified: metadata.modified().ok(),
        inode: std::os::unix::fs::MetadataExt::ino(&metadata),
    })
}

fn check_regular(path: &Path, metadata: &std::fs::Metadata) -> std::io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let file = path.file_name().unwrap_or_default().display();
    Err(std::io::Error::other(format!(
        "{file} must be a regular file or a link to one"
    )))
}

/// Opens a regular file. One that becomes a named pipe between the look and the opening does not block.
fn open(path: &Path) -> std::io::Result<std::fs::File> {
    stamp(path)?;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    check_regular(path, &file.metadata()?)?;
    Ok(file)
}

fn unless_absent<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads at most one byte more than the bound, so that the loader can refuse the file without it being held whole.
fn read_bounded(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let bytes = read_bounded(path, SIDECAR_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))
}

/// The coarsest step of modification times that file systems in use have.
const TIMESTAMP_STEP: Duration = Duration::from_secs(2);
/// The most bytes read of a `.toml` file.
const SIDECAR_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(scan: &Scan) -> Vec<&str> {
        scan.changed.iter().map(|found| found.name.as_str()).collect()
    }

    fn scanner() -> (tempfile::TempDir, Scanner) {
        let dir = tempfile::tempdir().unwrap();
        let scanner = Scanner::new(dir.path().to_owned(), 1000);
        (dir, scanner)
    }

    #[test]
    fn a_file_that_is_being_written_is_not_looked_at() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
        scanner.scan(&Touched::default()).unwrap();
        let writing = Touched {
            writing: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
            ..Touched::default()
        };
        std::fs::write(dir.path().join("a.wasm"), b"hal").unwrap();
        std::fs::write(dir.path().join("b.wasm"), b"").unwrap();
        let scan = scanner.scan(&writing).unwrap();
        assert!(scan.changed.is_empty() && scan.gone.is_empty());
        std::fs::remove_file(dir.path().join("a.wasm")).unwrap();
        assert!(scanner.scan(&writing).unwrap().gone.is_empty());
        assert_eq!(scanner.scan(&Touched::default()).unwrap().gone, ["a"]);
    }

    #[test]
    fn the_same_content_is_reported_once() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
        assert_eq!(names(&scanner.scan(&Touched::default()).unwrap()), ["a"]);
        std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
        assert!(scanner.scan(&Touched::default()).unwrap().changed.is_empty());
    }

    #[test]
    fn a_rewrite_of_the_same_length_is_seen_at_once() {
        let (dir, mut scanner) = scanner();
        for content in [b"one", b"two", b"six"] {
            std::fs::write(dir.path().join("a.wasm"), content).unwrap();
            let scan = scanner.scan(&Touched::default()).unwrap();
            assert_eq!(scan.changed[0].wasm, content);
        }
    }

    #[test]
    fn a_changed_sidecar_is_a_change() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
        scanner.scan(&Touched::default()).unwrap();
        std::fs::write(dir.path().join("a.toml"), "sinks = []").unwrap();
        let scan = scanner.scan(&Touched::default()).unwrap();
        assert_eq!(scan.changed[0].sidecar.as_deref(), Some("sinks = []"));
        std::fs::remove_file(dir.path().join("a.toml")).unwrap();
        assert_eq!(scanner.scan(&Touched::default()).unwrap().changed[0].sidecar, None);
    }

    #[test]
    fn hidden_and_other_files_are_not_guests() {
        let (dir, mut scanner) = scanner();
        for file in [".a.wasm", "a.wasm~", "a.wasm.tmp", ".wasm", "a.toml", "readme.md"] {
            std::fs::write(dir.path().join(file), b"x").unwrap();
        }
        assert!(scanner.scan(&Touched::default()).unwrap().changed.is_empty());
    }

    #[test]
    fn a_removed_file_is_gone_once() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
        scanner.scan(&Touched::default()).unwrap();
        std::fs::remove_file(dir.path().join("a.wasm")).unwrap();
        assert_eq!(scanner.scan(&Touched::default()).unwrap().gone, ["a"]);
        assert!(scanner.scan(&Touched::default()).unwrap().gone.is_empty());
    }

    #[test]
    fn a_missing_directory_changes_nothing() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
        scanner.scan(&Touched::default()).unwrap();
        let away = dir.path().with_extension("away");
        std::fs::rename(dir.path(), &away).unwrap();
        assert!(scanner.scan(&Touched::default()).is_err());
        std::fs::rename(&away, dir.path()).unwrap();
        let scan = scanner.scan(&Touched::default()).unwrap();
        assert!(scan.changed.is_empty() && scan.gone.is_empty());
    }

    #[test]
    fn a_file_beyond_the_bound_is_read_one_byte_beyond_it() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("a.wasm"), vec![0; 5000]).unwrap();
        assert_eq!(scanner.scan(&Touched::default()).unwrap().changed[0].wasm.len(), 1001);
    }

    #[test]
    fn a_file_of_ten_gigabytes_is_not_read_into_memory() {
        let (dir, mut scanner) = scanner();
        let file = std::fs::File::create(dir.path().join("a.wasm")).unwrap();
        // It takes no room on the disk.
        file.set_len(10 << 30).unwrap();
        assert_eq!(scanner.scan(&Touched::default()).unwrap().changed[0].wasm.len(), 1001);
    }

    #[test]
    fn a_device_and_a_link_to_a_folder_are_refused() {
        let (dir, mut scanner) = scanner();
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("a.wasm")).unwrap();
        std::os::unix::fs::symlink(".", dir.path().join("b.wasm")).unwrap();
        std::os::unix::fs::symlink("c.wasm", dir.path().join("c.wasm")).unwrap();
        let scan = scanner.scan(&Touched::default()).unwrap();
        let refused: Vec<&str> = scan.unreadable.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(refused, ["a", "b", "c"], "the last is a link to itself");
        assert!(scan.changed.is_empty());
    }

    #[test]
    fn a_named_pipe_is_refused_without_being_opened() {
        let (dir, mut scanner) = scanner();
        let made = std::process::Command::new("mkfifo")
            .arg(dir.path().join("a.wasm"))
            .status();
        assert!(made.unwrap().success());
        let scan = scanner.scan(&Touched::default()).unwrap();
        assert_eq!(
            scan.unreadable,
            [(
                "a".to_owned(),
                "a.wasm must be a regular file or a link to one".to_owned()
            )]
        );
    }

    #[test]
    fn a_named_pipe_as_sidecar_is_refused_without_being_opened() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(dir.path().join("a.toml"))
            .status();
        assert!(made.unwrap().success());
        let scan = scanner.scan(&Touched::default()).unwrap();
        assert!(scan.changed.is_empty());
        assert!(scan.unreadable[0].1.contains("a.toml must be a regular file"));
    }

    #[test]
    fn a_link_to_nothing_is_absent() {
        let (dir, mut scanner) = scanner();
        std::os::unix::fs::symlink("nowhere.wasm", dir.path().join("a.wasm")).unwrap();
        let scan = scanner.scan(&Touched::default()).unwrap();
        assert!(scan.changed.is_empty() && scan.unreadable.is_empty() && scan.gone.is_empty());
    }

    #[test]
    fn a_link_whose_target_went_is_gone_once() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("target"), b"one").unwrap();
        std::os::unix::fs::symlink("target", dir.path().join("a.wasm")).unwrap();
        assert_eq!(names(&scanner.scan(&Touched::default()).unwrap()), ["a"]);
        std::fs::remove_file(dir.path().join("target")).unwrap();
        assert_eq!(scanner.scan(&Touched::default()).unwrap().gone, ["a"]);
        assert!(scanner.scan(&Touched::default()).unwrap().gone.is_empty());
    }

    #[test]
    fn a_guest_that_was_never_readable_is_gone_when_it_goes() {
        let (dir, mut scanner) = scanner();
        std::fs::create_dir(dir.path().join("a.wasm")).unwrap();
        assert_eq!(scanner.scan(&Touched::default()).unwrap().unreadable.len(), 1);
        std::fs::remove_dir(dir.path().join("a.wasm")).unwrap();
        assert_eq!(scanner.scan(&Touched::default()).unwrap().gone, ["a"]);
        assert!(scanner.scan(&Touched::default()).unwrap().gone.is_empty());
    }

    #[test]
    fn a_guest_that_can_be_read_again_is_reported_again() {
        let (dir, mut scanner) = scanner();
        std::fs::write(dir.path().join("a.wasm"), b"one").unwrap();
        scanner.scan(&Touched::default()).unwrap();
        std::fs::create_dir(dir.path().join("a.toml")).unwrap();
        assert_eq!(scanner.scan(&Touched::default()).unwrap().unreadable.len(), 1);
        std::fs::remove_dir(dir.path().join("a.toml")).unwrap();
        let scan = scanner.scan(&Touched::default()).unwrap();
        assert_eq!(names(&scan), ["a"]);
        assert!(scan.gone.is_empty());
    }
}
