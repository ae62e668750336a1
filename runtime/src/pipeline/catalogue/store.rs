//! What the catalogue keeps on disk about each guest: its last good version, the versions that were worse, and the batches
//! that showed it.
//!
//! ```text
//! DATA/guests/NAME/state.json          which version is good, which are quarantined and why
//! DATA/guests/NAME/IDENTITY.wasm       a version, as it lay in the rules directory
//! DATA/guests/NAME/IDENTITY.toml       the file beside it, if there was one
//! DATA/guests/NAME/batch-TIME.jsonl    the messages of a batch on which a version was worse, one a line
//! ```
//!
//! Files are written under another name and renamed. What cannot be read counts as not there, with a warning: rules run
//! without it. Everything here may block for as long as the file system does.

use super::super::identity::Identity;
use super::super::mill::OffendingBatch;
use crate::emit::message_line;
use rulemill_core::Micros;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The folder of all guests.
#[derive(Clone, Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

/// What is known of one guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    format: u32,
    /// The identity of the last good version.
    good: Option<String>,
    /// The versions that were worse than the good one, the newest last.
    quarantined: Vec<Quarantined>,
    /// The identity of the version that was promoted last: it runs, whatever the file beside it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promoted: Option<String>,
}

/// A version that was worse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quarantined {
    identity: String,
    /// Why, for people.
    pub(super) reason: String,
    /// When, in microseconds since the epoch.
    at: i64,
}

/// The files of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) wasm: Vec<u8>,
    pub(super) sidecar: Option<String>,
}

impl Store {
    /// The store in the data directory.
    pub(super) fn new(data_dir: &Path) -> Self {
        Store {
            dir: data_dir.join("guests"),
        }
    }

    /// What is known of a guest.
    pub(super) fn record(&self, guest: &str) -> Record {
        let path = self.state_path(guest);
        let record = read_if_there(&path).and_then(|text| match text {
            None => Ok(Record::default()),
            Some(text) => serde_json::from_slice::<Record>(&text).map_err(io::Error::from),
        });
        match record {
            Ok(record) if record.format <= FORMAT => record,
            Ok(record) => {
                let format = record.format;
                tracing::warn!(path = %path.display(), format, "written by a newer rulemill; it is passed over");
                Record::default()
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "what was known of the guest cannot be read");
                Record::default()
            }
        }
    }

    /// Keeps the files of a version, if they are not there yet.
    pub(super) fn keep(&self, guest: &str, identity: Identity, files: &Files) -> io::Result<()> {
        let wasm = self.path(guest, &identity.to_string(), "wasm");
        if std::fs::metadata(&wasm).is_ok_and(|metadata| metadata.len() == files.wasm.len() as u64) {
            return Ok(());
        }
        std::fs::create_dir_all(self.dir.join(guest))?;
        if let Some(sidecar) = &files.sidecar {
            write_whole(&self.path(guest, &identity.to_string(), "toml"), sidecar.as_bytes())?;
        }
        write_whole(&wasm, &files.wasm)
    }

    /// From now on this version is the good one. The files of all others but the good one before are removed.
    pub(super) fn set_good(&self, guest: &str, identity: Identity) -> io::Result<()> {
        let mut record = self.record(guest);
        let identity = identity.to_string();
        if record.good.as_ref() == Some(&identity) {
            return Ok(());
        }
        let before = record.good.replace(identity.clone());
        self.write(guest, record)?;
        let kept = [Some(identity), before];
        self.remove_files(guest, |stem| !kept.iter().flatten().any(|kept| kept == stem))
    }

    /// The files of the last good version, and its identity as text.
    pub(super) fn good(&self, guest: &str) -> Option<Files> {
        let good = self.record(guest).good?;
        let read = |extension| read_if_there(&self.path(guest, &good, extension));
        let files = read("wasm").and_then(|wasm| {
            let sidecar = read("toml")?.map(String::from_utf8).transpose();
            let sidecar = sidecar.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            Ok(wasm.map(|wasm| Files { wasm, sidecar }))
        });
        match files {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(guest, %error, "the last good version cannot be read");
                None
            }
        }
    }

    /// The guests that have a last good version. What cannot be read has none.
    pub(super) fn names_of_good(&self) -> BTreeSet<String> {
        let Ok(folders) = std::fs::read_dir(&self.dir) else {
            return BTreeSet::new();
        };
        let names = folders.filter_map(|folder| folder.ok()?.file_name().into_string().ok());
        names.filter(|name| self.record(name).good.is_some()).collect()
    }

    /// Notes that a version was worse than the good one.
    pub(super) fn quarantine(&self, guest: &str, identity: Identity, reason: &str, at: Micros) -> io::Result<()> {
        let mut record = self.record(guest);
        let identity = identity.to_string();
        record.quarantined.retain(|known| known.identity != identity);
        record.quarantined.push(Quarantined {
            identity,
            reason: reason.to_owned(),
            at: at.0,
        });
        let excess = record.quarantined.len().saturating_sub(QUARANTINED_MAX);
        record.quarantined.drain(..excess);
        self.write(guest, record)
    }

    /// Lifts the quarantine of all versions of a guest. True: there were some.
    pub(super) fn lift_quarantine(&self, guest: &str) -> io::Result<bool> {
        let mut record = self.record(guest);
        if record.quarantined.is_empty() {
            return Ok(false);
        }
        record.quarantined.clear();
        self.write(guest, record)?;
        Ok(true)
    }

    /// Notes that a version is to run, and not in the shadow of another one.
    pub(super) fn set_promoted(&self, guest: &str, identity: Identity) -> io::Result<()> {
        let mut record = self.record(guest);
        record.promoted = Some(identity.to_string());
        self.write(guest, record)
    }

    /// Keeps the messages of a batch, and at most [`BATCHES_MAX`] batches of a guest. Gives the file.
    pub(super) fn keep_batch(&self, guest: &str, batch: &OffendingBatch, at: Micros) -> io::Result<PathBuf> {
        let dir = self.dir.join(guest);
        std::fs::create_dir_all(&dir)?;
        let mut lines = Vec::new();
        for message in &batch.messages {
            lines.extend(message_line(&batch.source, message));
        }
        let path = dir.join(format!("{BATCH_PREFIX}{}.jsonl", at.0));
        write_whole(&path, &lines)?;
        let mut batches: Vec<PathBuf> = std::fs::read_dir(&dir)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_batch(path))
            .collect();
        batches.sort();
        let excess = batches.len().saturating_sub(BATCHES_MAX);
        for old in &batches[..excess] {
            std::fs::remove_file(old)?;
        }
        Ok(path)
    }

    /// The guest's file is gone: its versions go too. What was worse stays known, should it come back.
    pub(super) fn forget_versions(&self, guest: &str) -> io::Result<()> {
        let mut record = self.record(guest);
        if record.good.take().is_some() {
            self.write(guest, record)?;
        }
        self.remove_files(guest, |_| true)
    }

    fn remove_files(&self, guest: &str, unwanted: impl Fn(&str) -> bool) -> io::Result<()> {
        let entries = match std::fs::read_dir(self.dir.join(guest)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            let version = path.extension().is_some_and(|kind| kind == "wasm" || kind == "toml");
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if version && stem.is_some_and(&unwanted) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn write(&self, guest: &str, mut record: Record) -> io::Result<()> {
        record.format = FORMAT;
        std::fs::create_dir_all(self.dir.join(guest))?;
        write_whole(&self.state_path(guest), &serde_json::to_vec_pretty(&record)?)
    }

    fn state_path(&self, guest: &str) -> PathBuf {
        self.dir.join(guest).join("state.json")
    }

    fn path(&self, guest: &str, identity: &str, extension: &str) -> PathBuf {
        self.dir.join(guest).join(format!("{identity}.{extension}"))
    }
}

impl Record {
    /// Whether this version is the good one.
    pub(super) fn is_good(&self, identity: Identity) -> bool {
        self.good.as_ref() == Some(&identity.to_string())
    }

    /// Whether this version runs even if it says that it is a shadow.
    pub(super) fn may_run(&self, identity: Identity) -> bool {
        self.is_good(identity) || self.promoted.as_ref() == Some(&identity.to_string())
    }

    /// Why this version must not run, if it was worse.
    pub(super) fn quarantined(&self, identity: Identity) -> Option<&Quarantined> {
        let identity = identity.to_string();
        self.quarantined.iter().find(|known| known.identity == identity)
    }
}

fn is_batch(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(BATCH_PREFIX) && name.ends_with(".jsonl"))
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file so that nobody ever sees a part of it, not even after a power cut.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = std::fs::File::create(&new)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

const FORMAT: u32 = 1;
/// Versions of a guest that are remembered as worse; the oldest are forgotten.
const QUARANTINED_MAX: usize = 32;
/// Batches that are kept of a guest; the oldest go.
const BATCHES_MAX: usize = 5;
const BATCH_PREFIX: &str = "batch-";

#[cfg(test)]
mod tests;
