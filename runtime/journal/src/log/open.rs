//! Opening a log: what is there is read and checked as a whole, and only then is anything changed.

use super::appending::{Log, LogOptions};
use super::error::{LogError, OpenError};
use super::format::{HEADER_BYTES, Header, VERSION, begin_record, finish_record};
use super::names::{self, Name};
use super::report::{Missing, Quarantined, Recovered, add_missing};
use super::scan::{Scan, Successor, scan};
use super::segment::{Condition, Segment};
use super::sequence::Sequence;
use super::walk::{Step, Walk};
use super::window::Window;
use crate::storage::{DiskError, Storage};
use std::sync::Arc;

impl Log {
    /// Opens the log in `storage`, or begins it. Records up to `covered` are not needed any more, and do not count as
    /// missing when they are not there; the next record has a number above it.
    ///
    /// Afterwards everything that can be read is on disk, and what cannot be read is reported. Nothing is deleted but the end
    /// of the last segment, where the last write was torn. The caller must hold the lock of the storage.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: LogOptions,
        covered: Sequence,
    ) -> Result<(Log, Recovered), OpenError> {
        let inventory = Inventory::take(storage.as_ref())?;
        let scanned = inventory.scan(storage.as_ref())?;
        let mut opening = Opening::new(storage, options, covered);
        opening.tidy(&inventory)?;
        opening.take_segments(&inventory, scanned)?;
        opening.secure()?;
        Ok(opening.finish())
    }
}

/// The files of the directory.
#[derive(Debug, Default)]
struct Inventory {
    /// In order of their first records.
    files: Vec<File>,
    unfinished: Vec<String>,
    foreign: Vec<String>,
    names: Vec<String>,
}

#[derive(Debug)]
struct File {
    name: String,
    first: Sequence,
    /// The number of a file that was renamed aside before.
    aside: Option<u32>,
    size: u64,
    header: Result<Header, String>,
}

impl Inventory {
    fn take(storage: &dyn Storage) -> Result<Self, OpenError> {
        let mut inventory = Inventory {
            names: storage.list().map_err(DiskError::of("the directory", "listed"))?,
            ..Inventory::default()
        };
        inventory.names.sort();
        for name in inventory.names.clone() {
            match Name::parse(&name) {
                Name::Segment(first) => inventory.files.push(File::look_at(storage, name, first, None)?),
                Name::Aside(first, number) => {
                    inventory.files.push(File::look_at(storage, name, first, Some(number))?);
                }
                Name::Unfinished => inventory.unfinished.push(name),
                Name::Foreign => inventory.foreign.push(name),
            }
        }
        // Of the same number, what was put aside is older.
        inventory
            .files
            .sort_by_key(|file| (file.first, file.aside.is_none(), file.aside));
        Ok(inventory)
    }

    /// What each file holds; `None` for those without a header.
    fn scan(&self, storage: &dyn Storage) -> Result<Vec<Option<Scan>>, OpenError> {
        let mut scans = Vec::with_capacity(self.files.len());
        for (at, file) in self.files.iter().enumerate() {
            let Ok(header) = &file.header else {
                scans.push(None);
                continue;
            };
            let mut followers = self.files.iter().skip(at + 1).filter(|file| file.header.is_ok());
            let successor = followers
                .next()
                .map_or(Successor::None, |file| Successor::At(file.first));
            let opened = storage.open(&file.name).map_err(DiskError::of(&file.name, "opened"))?;
            scans.push(Some(scan(opened, header.salt, file.first, file.size, successor)));
        }
        Ok(scans)
    }
}

impl File {
    fn look_at(storage: &dyn Storage, name: String, first: Sequence, aside: Option<u32>) -> Result<Self, OpenError> {
        let size = storage.size(&name).map_err(DiskError::of(&name, "looked at"))?;
        let opened = storage.open(&name).map_err(DiskError::of(&name, "opened"))?;
        let mut window = Window::new(opened);
        let header = match window.bring(0, HEADER_BYTES, size) {
            Ok(Some(range)) => Header::decode(window.bytes(range)).map_err(ToOwned::to_owned),
            Ok(None) => Err(format!("it has {size} bytes, fewer than a header")),
            Err(error) => Err(format!("its header cannot be read: {error}")),
        };
        if let Ok(header) = &header
            && header.version > VERSION
        {
            return Err(OpenError::FutureVersion {
                file: name,
                version: header.version,
                supported: VERSION,
            });
        }
        let header = header.and_then(|header| {
            let named = header.first == first;
            named
                .then_some(header)
                .ok_or(format!("it begins with record {}", header.first))
        });
        Ok(File {
            name,
            first,
            aside,
            size,
            header,
        })
    }
}

/// A log that is being opened.
struct Opening {
    log: Log,
    covered: Sequence,
    /// What the last segment holds that nothing proves to be synced: its records above the first, below the second.
    unproven: Option<(Sequence, Sequence)>,
    recovered: Recovered,
    missing: Vec<Missing>,
    /// The record that the next segment should begin with.
    expected: Sequence,
}

impl Opening {
    fn new(storage: Arc<dyn Storage>, options: LogOptions, covered: Sequence) -> Self {
        Opening {
            log: Log {
                storage,
                options,
                segments: Vec::new(),
                active: None,
                buffer: Vec::new(),
                next: covered.next(),
                written: covered,
                synced: covered,
                unsynced_bytes: 0,
                last_id: 0,
                bytes: 0,
                kept_aside: Vec::new(),
                broken: None,
            },
            covered,
            unproven: None,
            recovered: Recovered::default(),
            missing: Vec::new(),
            expected: covered.next(),
        }
    }

    /// Removes what was begun and never finished.
    fn tidy(&mut self, inventory: &Inventory) -> Result<(), OpenError> {
        for name in &inventory.unfinished {
            let removed = self.log.storage.remove(name);
            removed.map_err(DiskError::of(name, "removed"))?;
        }
        self.recovered.foreign.clone_from(&inventory.foreign);
        Ok(())
    }

    fn take_segments(&mut self, inventory: &Inventory, scanned: Vec<Option<Scan>>) -> Result<(), OpenError> {
        let mut names = inventory.names.clone();
        let last = scanned.iter().rposition(Option::is_some);
        for (at, (file, scan)) in inventory.files.iter().zip(scanned).enumerate() {
            let damage = match (&scan, &file.header) {
                (Some(scan), _) => scan.damage.clone(),
                (None, Err(reason)) => Some(reason.clone()),
                (None, Ok(_)) => None,
            };
            let name = match damage.filter(|_| file.aside.is_none()) {
                Some(reason) => self.put_aside(&file.name, reason, &mut names)?,
                None => file.name.clone(),
            };
            if file.aside.is_some() || name != file.name {
                self.recovered.aside.push(name.clone());
            }
            let condition = if name == file.name && file.aside.is_none() {
                Condition::Whole
            } else {
                Condition::Aside
            };
            self.log.last_id += 1;
            let segment = Segment {
                id: self.log.last_id,
                name,
                salt: file.header.as_ref().map_or(0, |header| header.salt),
                first: file.first,
                next: scan.as_ref().map_or(file.first, |scan| scan.next),
                end: scan.as_ref().map_or(0, |scan| scan.end),
                size: file.size,
                condition,
            };
            match scan {
                Some(scan) if scan.records > 0 || condition == Condition::Whole => {
                    self.take_segment(segment, &scan, last == Some(at))?;
                }
                // Nothing can be read of it, but its name says which numbers were given away.
                scan => {
                    self.account(segment.first, &scan.unwrap_or_default());
                    self.log.kept_aside.push(segment.name);
                }
            }
        }
        Ok(())
    }

    fn put_aside(&mut self, name: &str, reason: String, names: &mut Vec<String>) -> Result<String, OpenError> {
        let aside = names::aside(name, names);
        let renamed = self.log.storage.rename(name, &aside);
        renamed.map_err(DiskError::of(name, "renamed"))?;
        names.push(aside.clone());
        self.recovered.quarantined.push(Quarantined {
            file: aside.clone(),
            reason,
        });
        Ok(aside)
    }

    fn take_segment(&mut self, mut segment: Segment, scan: &Scan, is_last: bool) -> Result<(), OpenError> {
        self.account(segment.first, scan);
        self.recovered.records += scan.records;
        if is_last && scan.next > scan.proven.next() {
            self.unproven = Some((scan.proven, scan.next));
        }
        if segment.condition == Condition::Whole && segment.end < segment.size {
            self.recovered.cut_bytes += segment.size - segment.end;
            let cut = self.log.storage.cut(&segment.name, segment.end);
            cut.map_err(DiskError::of(&segment.name, "cut"))?;
            segment.size = segment.end;
        }
        self.log.bytes += segment.size;
        self.log.segments.push(segment);
        Ok(())
    }

    /// Notes what is missing before and in a segment, and which number comes after it.
    fn account(&mut self, first: Sequence, scan: &Scan) {
        add_missing(&mut self.missing, self.expected, first);
        for missing in &scan.missing {
            add_missing(&mut self.missing, missing.first, missing.last.next());
        }
        self.expected = self.expected.max(first).max(scan.next).max(scan.proven.next());
    }

    /// Makes everything durable: names, and the records of the last segment that may only be in memory.
    fn secure(&mut self) -> Result<(), OpenError> {
        let synced = self.log.storage.sync_directory();
        synced.map_err(DiskError::of("the directory", "synced"))?;
        if let Some((proven, next)) = self.unproven {
            let (contents, begins) = self.copy(proven, next)?;
            self.log.written = proven;
            let old = self.log.segments.last().cloned();
            self.log.begin_segment_with(&contents).map_err(in_open)?;
            if let Some(new) = self.log.segments.last_mut() {
                new.next = next;
            }
            self.log.written = next.before();
            self.recovered.secured = next.0 - proven.next().0;
            self.shorten(old, proven, begins)?;
        }
        let next = self.expected.max(self.covered.next());
        if self.log.written.next() != next || self.unproven.is_none() {
            // The numbers of a segment have no gaps, so the next record begins another one.
            self.log.active = None;
        }
        self.log.next = next;
        self.log.written = next.before();
        self.log.synced = next.before();
        Ok(())
    }

    /// The records of the last segment above `proven` and below `next`, as they are in a new one; and where they begin in the old.
    fn copy(&self, proven: Sequence, next: Sequence) -> Result<(Vec<u8>, u64), OpenError> {
        let mut contents = Vec::new();
        let mut begins = None;
        let Some(segment) = self.log.segments.last() else {
            return Ok((contents, 0));
        };
        let opened = self.log.storage.open(&segment.name);
        let file = opened.map_err(DiskError::of(&segment.name, "opened"))?;
        let mut walk = Walk::new(file, segment.salt, segment.first, segment.end);
        loop {
            let offset = walk.offset();
            match walk.step().map_err(DiskError::of(&segment.name, "read"))? {
                Step::End => break,
                Step::Mark(_) | Step::Damage => {}
                Step::Record(found) if found.sequence <= proven || found.sequence >= next => {}
                Step::Record(found) => {
                    begins.get_or_insert(offset);
                    let start = begin_record(&mut contents);
                    contents.extend_from_slice(walk.payload(&found));
                    finish_record(&mut contents, start, found.sequence, found.kind, self.log.options.salt);
                }
            }
        }
        Ok((contents, begins.unwrap_or(segment.end)))
    }

    /// Takes from the old segment what the new one holds, unless the new one has taken its place.
    fn shorten(&mut self, old: Option<Segment>, proven: Sequence, begins: u64) -> Result<(), OpenError> {
        let Some(old) = old else {
            return Ok(());
        };
        let kept = self.log.segments.iter_mut().rev().nth(1);
        let Some(kept) = kept.filter(|kept| kept.name == old.name) else {
            return Ok(());
        };
        kept.next = proven.next();
        kept.end = begins;
        if kept.condition == Condition::Whole {
            let cut = self.log.storage.cut(&kept.name, begins);
            cut.map_err(DiskError::of(&kept.name, "cut"))?;
            self.log.bytes -= kept.size - begins;
            kept.size = begins;
        } else if kept.next <= kept.first {
            // The new one holds all that could be read of it.
            let at = self.log.segments.len() - 2;
            let emptied = self.log.segments.remove(at);
            self.log.bytes -= emptied.size;
            self.log.kept_aside.push(emptied.name);
        }
        Ok(())
    }

    fn finish(mut self) -> (Log, Recovered) {
        let covered = self.covered;
        let needed = self.missing.iter().filter(|missing| missing.last > covered);
        self.recovered.missing = needed
            .map(|missing| Missing {
                first: missing.first.max(covered.next()),
                last: missing.last,
            })
            .collect();
        self.recovered.next = self.log.next;
        self.recovered.bytes = self.log.bytes;
        (self.log, self.recovered)
    }
}

fn in_open(error: LogError) -> OpenError {
    match error {
        LogError::Disk(error) => OpenError::Disk(error),
        other => OpenError::Disk(DiskError::of("the log", "opened")(std::io::Error::other(other))),
    }
}
