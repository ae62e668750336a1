//! The log and its model: which records were appended, and how safe they were said to be.

use super::{Broken, Since, Tally, bytes_of, id_of, is_excused};
use rulemill_journal::Storage;
use rulemill_journal::log::{Durability, Kind, Log, LogError, LogOptions, Reader, Recovered, Sequence, SyncJob};
use rulemill_journal::sim::{Random, SimDisk};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const DIRECTORY: &str = "log";

pub(super) struct LogSide {
    storage: Arc<dyn Storage>,
    log: Option<Log>,
    recovered: Recovered,
    /// Which bytes each record has, by their number.
    records: BTreeMap<Sequence, u64>,
    written: Sequence,
    synced: Sequence,
    trimmed_below: Sequence,
    last_id: u64,
    opened: u32,
    pub(super) found_disk_full: bool,
}

impl LogSide {
    pub(super) fn new(disk: &SimDisk) -> Self {
        LogSide {
            storage: disk.directory(DIRECTORY),
            log: None,
            recovered: Recovered::default(),
            records: BTreeMap::new(),
            written: Sequence::START,
            synced: Sequence::START,
            trimmed_below: Sequence::START,
            last_id: 0,
            opened: 0,
            found_disk_full: false,
        }
    }

    pub(super) fn open(&mut self, covered: Sequence) -> Result<(), (bool, String)> {
        self.log = None;
        self.opened += 1;
        let options = LogOptions {
            segment_bytes: 700,
            bytes_max: 15_000,
            salt: self.opened,
        };
        let opened = Log::open(Arc::clone(&self.storage), options, covered);
        let (log, recovered) = opened.map_err(|error| (error.is_disk_full(), error.to_string()))?;
        self.log = Some(log);
        self.recovered = recovered;
        self.found_disk_full = false;
        Ok(())
    }

    /// Compares what is there with what was promised, and goes on with what is there.
    pub(super) fn check(
        &mut self,
        covered: Sequence,
        since: Since,
        ever_damaged: bool,
        told: bool,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        let Some(log) = &self.log else {
            return Err("the log is not open".to_owned());
        };
        let found = read(log)?;
        // What was trimmed is nobody's any more, and may be there or not.
        for (sequence, id) in found.range(self.trimmed_below..) {
            if self.records.get(sequence) != Some(id) {
                return Err(format!("record {sequence} was never appended as it is"));
            }
        }
        let promised = if since.power_lost { self.synced } else { self.written };
        for sequence in self.records.range(self.trimmed_below..).map(|(sequence, _)| *sequence) {
            if sequence > promised || found.contains_key(&sequence) {
                continue;
            }
            if !is_excused(sequence, covered, &self.recovered, since, told) {
                return Err(format!(
                    "record {sequence} was promised up to {promised} and is not there ({since:?}, covered {covered}): {:?}",
                    self.recovered
                ));
            }
            tally.told_lost += 1;
        }
        let false_alarm = !self.recovered.quarantined.is_empty() || !self.recovered.missing.is_empty();
        if false_alarm && !ever_damaged {
            return Err(format!("nothing is damaged, but it says {:?}", self.recovered));
        }
        let last = found.keys().next_back().copied().unwrap_or_default();
        if log.next() <= last.max(covered) || log.next() != self.recovered.next {
            return Err(format!(
                "the next record would be {}, after {last} and {covered}",
                log.next()
            ));
        }
        tally.records += found.len() as u64;
        tally.cuts += u64::from(self.recovered.cut_bytes > 0);
        tally.secured += self.recovered.secured;
        tally.quarantined += self.recovered.quarantined.len() as u64;
        self.records = found;
        self.note();
        Ok(())
    }

    pub(super) fn append(&mut self, random: &mut Random, durability: Durability) -> Result<(), Broken> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        let first_id = self.last_id + 1;
        self.last_id += 1 + random.below(6) as u64;
        let batch: Vec<_> = (first_id..=self.last_id).map(bytes_of).collect();
        let appended = log.append(batch.iter().map(|bytes| (KIND, bytes.as_slice())));
        match appended {
            Ok(range) => {
                let numbers = (range.start.0..range.end.0).map(Sequence);
                self.records.extend(numbers.zip(first_id..));
            }
            Err(LogError::Full { .. }) => {}
            Err(error) => return self.failed(&error),
        }
        let committed = if random.below(4) == 0 {
            Ok(())
        } else {
            log.commit(durability).map(|_| ())
        };
        self.after(committed)
    }

    pub(super) fn sync(&mut self) -> Result<(), Broken> {
        let synced = self.log.as_mut().map_or(Ok(()), Log::sync);
        self.after(synced)
    }

    pub(super) fn sync_elsewhere(&mut self, random: &mut Random) -> Result<(), Broken> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        let job = match log.begin_sync() {
            Ok(Some(job)) => job,
            Ok(None) => return Ok(()),
            Err(error) => return self.failed(&error),
        };
        let early = random.coin();
        let done = if early { Ok(job.run()) } else { Err(job) };
        // Something is appended meanwhile.
        self.append(random, Durability::ProcessCrash)?;
        let done = done.unwrap_or_else(SyncJob::run);
        let finished = self.log.as_mut().map_or(Ok(()), |log| log.finish_sync(done));
        self.after(finished)
    }

    /// Trims what a checkpoint that will stay covers.
    pub(super) fn trim(&mut self, covered: Option<Sequence>) -> Result<(), Broken> {
        let (Some(log), Some(covered)) = (&mut self.log, covered) else {
            return Ok(());
        };
        self.trimmed_below = self.trimmed_below.max(covered.next());
        let trimmed = log.trim(covered.next()).map(|_| ());
        self.after(trimmed)
    }

    pub(super) fn close(&mut self) -> Result<(), Broken> {
        let Some(log) = self.log.take() else {
            return Ok(());
        };
        let last = log.next().before();
        if log.close().is_ok() {
            self.written = last;
            self.synced = last;
        }
        Ok(())
    }

    pub(super) fn written(&self) -> Sequence {
        self.written
    }

    pub(super) fn is_broken(&self) -> bool {
        self.log.as_ref().is_some_and(Log::is_broken)
    }

    fn after(&mut self, result: Result<(), LogError>) -> Result<(), Broken> {
        match result {
            Ok(()) => {
                self.note();
                Ok(())
            }
            Err(error) => self.failed(&error),
        }
    }

    /// A disk may fail; anything else is a mistake of ours.
    fn failed(&mut self, error: &LogError) -> Result<(), Broken> {
        self.found_disk_full |= error.is_disk_full();
        match error {
            LogError::Disk(_) | LogError::Broken { .. } => Ok(()),
            LogError::Full { .. } | LogError::TooLarge { .. } | LogError::Unencodable(_) => Err(error.to_string()),
        }
    }

    /// Takes the log at its word.
    fn note(&mut self) {
        if let Some(log) = &self.log {
            self.written = log.written();
            self.synced = log.synced();
        }
    }
}

fn read(log: &Log) -> Result<BTreeMap<Sequence, u64>, Broken> {
    let mut reader = Reader::new(Sequence(1));
    let mut found = BTreeMap::new();
    let mut last = Sequence::START;
    while let Some(record) = reader.next(log).map_err(|error| error.to_string())? {
        if record.sequence <= last || record.kind != KIND {
            return Err(format!("record {} comes after {last}", record.sequence));
        }
        last = record.sequence;
        let Some(id) = id_of(record.payload) else {
            return Err(format!("record {last} has bytes that nobody wrote"));
        };
        found.insert(last, id);
    }
    Ok(found)
}

const KIND: Kind = Kind::new(1).expect("1 is not 0");
