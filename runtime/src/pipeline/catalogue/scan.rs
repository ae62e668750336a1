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
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The files of one guest: `NAME.wasm`, `NAME.sql` or `NAME.json`, and perhaps `NAME.toml`.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The name without `.wasm`, `.sql` or `.json`.
    pub(super) name: String,
    /// What the file is written in.
    pub(super) form: Form,
    /// The content of the file.
    pub(super) wasm: Vec<u8>,
    /// The content of the file beside it, if there is one.
    pub(super) sidecar: Option<String>,
    /// The identity of both.
    pub(super) identity: Identity,
}

/// What a guest is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `NAME.wasm`.
    Wasm,
    /// `NAME.sql`: definitions of streams, and perhaps a query.
    Sql,
    /// `NAME.json`: a rule with its query, its actions and its options.
    Json,
}

impl Form {
    /// All of them.
    pub(super) const ALL: [Form; 3] = [Form::Wasm, Form::Sql, Form::Json];

    /// Whether it is compiled from text.
    pub(super) fn is_text(self) -> bool {
        self != Form::Wasm
    }

    /// What such a file's name ends with.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Form::Wasm => ".wasm",
            Form::Sql => ".sql",
            Form::Json => ".json",
        }
    }
}

/// What a look at the directory found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Guests that are new or have changed.
    pub(super) changed: Vec<Found>,
    /// Guests whose file is gone.
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
    /// When anything of it changed, in seconds and nanoseconds: what was copied over it may keep length and time.
    changed: (i64, i64),
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

    /// The names of all `.wasm`, `.sql` and `.json` files but hidden ones, which editors and copying tools use for unfinished files.
    fn names(&self) -> std::io::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let file = entry?.file_name();
            if let Some((name, _)) = file.to_str().and_then(guest_name) {
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
        let form = form_of(&self.dir, name)?;
        let sidecar_path = self.dir.join(format!("{name}.toml"));
        let wasm_stamp = stamp(&path_of(&self.dir, name, form))?;
        let sidecar_stamp = unless_absent(stamp(&sidecar_path))?;
        let known = self.seen.get(name);
        if let Some(seen) = known
            && !touched
            && seen.settled(&wasm_stamp, sidecar_stamp.as_ref())
        {
            return Ok(None);
        }
        let read_at = clock::system();
        let found = Found::read(&self.dir, name, form, self.file_bytes_max)?;
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
    /// The files of a guest in `dir`, as they are now. Of the guest itself no more is read than one byte beyond the bound.
    pub(super) fn read(dir: &Path, name: &str, form: Form, file_bytes_max: u64) -> std::io::Result<Self> {
        let wasm = read_bounded(&path_of(dir, name, form), file_bytes_max)?;
        let sidecar = unless_absent(read_text(&dir.join(format!("{name}.toml"))))?;
        Ok(Found {
            form,
            ..Found::new(name.to_owned(), wasm, sidecar)
        })
    }

    /// The files of a guest, wherever they come from.
    pub(super) fn new(name: String, wasm: Vec<u8>, sidecar: Option<String>) -> Self {
        let identity = Identity {
            wasm: ContentDigest::of(&wasm),
            sidecar: sidecar.as_ref().map(|text| ContentDigest::of(text.as_bytes())),
        };
        Found {
            name,
            form: Form::Wasm,
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

/// The guest that a file belongs to, if any: `NAME.wasm`, `NAME.sql`, `NAME.json` or `NAME.toml`.
pub(super) fn guest_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let guest = guest_name(file).map(|(name, _)| name);
    guest.or_else(|| named(file, ".toml")).map(ToOwned::to_owned)
}

/// The guest that a file is, if it is one, and what it is written in.
pub(super) fn guest_name(file: &str) -> Option<(&str, Form)> {
    Form::ALL
        .into_iter()
        .find_map(|form| Some((named(file, form.suffix())?, form)))
}

/// The file of the guest of that name.
pub(super) fn path_of(dir: &Path, name: &str, form: Form) -> PathBuf {
    dir.join(format!("{name}{}", form.suffix()))
}

/// What the guest of that name is written in. It can be one thing only.
pub(super) fn form_of(dir: &Path, name: &str) -> std::io::Result<Form> {
    let is_there = |form: &Form| path_of(dir, name, *form).symlink_metadata().is_ok();
    let mut forms = Form::ALL.into_iter().filter(is_there);
    match (forms.next(), forms.next()) {
        (Some(one), Some(other)) => {
            let (one, other) = (one.suffix(), other.suffix());
            Err(std::io::Error::other(format!(
                "there are {name}{one} and {name}{other}; a guest has one file, so give one of them another name"
            )))
        }
        (form, _) => Ok(form.unwrap_or(Form::Wasm)),
    }
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
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
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
mod tests;
