//! The outbox and its model: what was pushed, and what became of it.

use super::{Broken, Since, Tally, bytes_of, id_of, is_excused};
use rulemill_journal::Storage;
use rulemill_journal::log::{Durability, LogError, Sequence};
use rulemill_journal::outbox::{
    EmissionId, OnFull, Outbox, OutboxError, OutboxOpenError, OutboxOptions, OutboxRecovered, Pushed,
};
use rulemill_journal::sim::{Random, SimDisk};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const DIRECTORY: &str = "outbox";

pub(super) struct OutboxSide {
    storage: Arc<dyn Storage>,
    options: OutboxOptions,
    outbox: Option<Outbox>,
    recovered: OutboxRecovered,
    items: BTreeMap<Sequence, Item>,
    /// The last that is safe from the end of the process, and from a loss of power.
    written: Sequence,
    synced: Sequence,
    last: Sequence,
    last_id: u64,
    dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    id: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Taken,
    /// Acknowledged, or dropped.
    Done,
}

impl OutboxSide {
    pub(super) fn new(disk: &SimDisk, random: &mut Random) -> Self {
        let on_full = match random.below(3) {
            0 => OnFull::Block,
            1 => OnFull::DropOldest,
            _ => OnFull::DropNewest,
        };
        OutboxSide {
            storage: disk.directory(DIRECTORY),
            options: OutboxOptions {
                bytes_max: 1_000 + random.below(4_000) as u64,
                on_full,
                segment_bytes: 500,
                salt: 0,
            },
            outbox: None,
            recovered: OutboxRecovered::default(),
            items: BTreeMap::new(),
            written: Sequence::START,
            synced: Sequence::START,
            last: Sequence::START,
            last_id: 0,
            dropped: 0,
        }
    }

    pub(super) fn open(&mut self) -> Result<(), (bool, String)> {
        self.outbox = None;
        self.options.salt += 1;
        let opened = Outbox::open(Arc::clone(&self.storage), self.options);
        let (outbox, recovered) = opened.map_err(|error| {
            let full = matches!(&error, OutboxOpenError::Open(error) if error.is_disk_full());
            (full, error.to_string())
        })?;
        self.outbox = Some(outbox);
        self.recovered = recovered;
        Ok(())
    }

    /// Compares what comes out with what was promised, and goes on with what comes.
    pub(super) fn check(
        &mut self,
        since: Since,
        ever_damaged: bool,
        told: bool,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        let Some(outbox) = &mut self.outbox else {
            return Err("the outbox is not open".to_owned());
        };
        let found = take_all(outbox)?;
        for (sequence, id) in &found {
            if self.items.get(sequence).map(|item| item.id) != Some(*id) {
                return Err(format!("emission {sequence} was never pushed as it is"));
            }
        }
        let promised = if since.power_lost { self.synced } else { self.written };
        for (sequence, item) in &self.items {
            if *sequence > promised || item.state == State::Done || found.contains_key(sequence) {
                continue;
            }
            let covered = Sequence::START;
            if !is_excused(*sequence, covered, &self.recovered.log, since, told) {
                return Err(format!(
                    "emission {sequence} was promised up to {promised} and does not come ({since:?}, told {told}): {:?}",
                    self.recovered
                ));
            }
            tally.told_lost += 1;
        }
        let log = &self.recovered.log;
        let false_alarm = !log.quarantined.is_empty() || !log.missing.is_empty() || self.recovered.unknown > 0;
        if false_alarm && !ever_damaged {
            return Err(format!("nothing is damaged, but it says {:?}", self.recovered));
        }
        if self.recovered.waiting != found.len() as u64 || outbox.waiting() != self.recovered.waiting {
            return Err(format!(
                "{} emissions come, but it says {}",
                found.len(),
                self.recovered.waiting
            ));
        }
        outbox.rewind();
        tally.emissions += found.len() as u64;
        tally.cuts += u64::from(log.cut_bytes > 0);
        tally.secured += log.secured;
        tally.quarantined += log.quarantined.len() as u64;
        tally.dropped += std::mem::take(&mut self.dropped);
        // All that can be read is on disk now.
        self.last = log.next.before();
        self.written = self.last;
        self.synced = self.last;
        let waiting = |(sequence, id)| {
            let state = State::Waiting;
            (sequence, Item { id, state })
        };
        // What is done comes again when the cursor that says so is lost. It may have been dropped by a push that failed.
        self.items.retain(|_, item| ever_damaged || item.state == State::Done);
        self.items.values_mut().for_each(|item| item.state = State::Done);
        self.items.extend(found.into_iter().map(waiting));
        Ok(())
    }

    pub(super) fn push(&mut self, random: &mut Random, durability: Durability) -> Result<(), Broken> {
        for _ in 0..=random.below(4) {
            let Some(outbox) = &mut self.outbox else {
                return Ok(());
            };
            self.last_id += 1;
            let bytes = bytes_of(self.last_id);
            let (first, second) = bytes.split_at(bytes.len() / 2);
            let pushed = outbox.push(id(self.last_id), &[first, second]);
            match pushed {
                Ok(Pushed::Queued { sequence, dropped, .. }) => {
                    self.drop_oldest(dropped)?;
                    let state = State::Waiting;
                    let item = Item {
                        id: self.last_id,
                        state,
                    };
                    self.items.insert(sequence, item);
                    self.last = sequence;
                }
                Ok(Pushed::Dropped { older, .. }) => {
                    self.drop_oldest(older)?;
                    self.dropped += 1;
                }
                Ok(Pushed::Full | Pushed::TooLarge) => {}
                Err(error) => return failed(&error),
            }
        }
        self.agree()?;
        if random.below(4) > 0 {
            self.commit(durability)
        } else {
            Ok(())
        }
    }

    pub(super) fn commit(&mut self, durability: Durability) -> Result<(), Broken> {
        let committed = self.outbox.as_mut().map_or(Ok(()), |outbox| outbox.commit(durability));
        if let Err(error) = committed {
            return failed(&error);
        }
        match durability {
            Durability::None => {}
            Durability::ProcessCrash => self.written = self.last,
            Durability::PowerLoss => {
                self.written = self.last;
                self.synced = self.last;
            }
        }
        Ok(())
    }

    pub(super) fn sync_elsewhere(&mut self) -> Result<(), Broken> {
        let Some(outbox) = &mut self.outbox else {
            return Ok(());
        };
        let job = match outbox.begin_sync() {
            Ok(Some(job)) => job,
            Ok(None) => return Ok(()),
            Err(error) => return failed(&error),
        };
        let written = self.written;
        match outbox.finish_sync(job.run()) {
            Ok(()) => self.synced = self.synced.max(written),
            Err(error) => return failed(&error),
        }
        Ok(())
    }

    /// Takes some, and acknowledges some of those that were taken, in any order.
    pub(super) fn deliver(&mut self, random: &mut Random) -> Result<(), Broken> {
        for _ in 0..random.below(5) {
            if !self.take()? {
                break;
            }
        }
        let taken = self.in_state(State::Taken);
        for sequence in taken.into_iter().filter(|_| random.below(3) > 0) {
            let acknowledged = self.outbox.as_mut().is_some_and(|outbox| outbox.acknowledge(sequence));
            if !acknowledged {
                return Err(format!("emission {sequence} was taken and cannot be acknowledged"));
            }
            self.set(sequence, State::Done);
        }
        self.agree()
    }

    pub(super) fn rewind(&mut self) -> Result<(), Broken> {
        if let Some(outbox) = &mut self.outbox {
            outbox.rewind();
        }
        for sequence in self.in_state(State::Taken) {
            self.set(sequence, State::Waiting);
        }
        Ok(())
    }

    pub(super) fn close(&mut self) -> Result<(), Broken> {
        let closed = self.outbox.take().map(Outbox::close);
        if matches!(closed, Some(Ok(()))) {
            self.written = self.last;
            self.synced = self.last;
        }
        Ok(())
    }

    pub(super) fn is_broken(&self) -> bool {
        self.outbox.as_ref().is_some_and(Outbox::is_broken)
    }

    /// Takes one, which must be the oldest that waits. False when there is none to be had.
    fn take(&mut self) -> Result<bool, Broken> {
        let Some(outbox) = &mut self.outbox else {
            return Ok(false);
        };
        let taken = match outbox.take() {
            Ok(taken) => taken.map(|emission| (emission.sequence, emission.id, id_of(emission.bytes))),
            Err(error) => return failed(&error).map(|()| false),
        };
        let oldest = self.in_state(State::Waiting).first().copied();
        match (taken, oldest) {
            (None, Some(oldest)) if oldest <= self.written => Err(format!("emission {oldest} does not come")),
            (None, _) => Ok(false),
            (Some((sequence, emission, bytes)), Some(oldest)) => {
                let expected = self.items.get(&oldest).map(|item| item.id);
                if sequence != oldest || bytes != expected || expected.map(id) != Some(emission) {
                    return Err(format!("emission {sequence} comes in the place of {oldest}"));
                }
                self.set(sequence, State::Taken);
                Ok(true)
            }
            (Some((sequence, ..)), None) => Err(format!("emission {sequence} comes once more")),
        }
    }

    fn drop_oldest(&mut self, count: u64) -> Result<(), Broken> {
        for _ in 0..count {
            let Some(oldest) = self.in_state(State::Waiting).first().copied() else {
                return Err("more is dropped than waits".to_owned());
            };
            self.set(oldest, State::Done);
            self.dropped += 1;
        }
        Ok(())
    }

    /// Whether both count the same.
    fn agree(&self) -> Result<(), Broken> {
        let waiting = self.items.values().filter(|item| item.state != State::Done).count() as u64;
        match &self.outbox {
            Some(outbox) if outbox.waiting() != waiting => {
                Err(format!("{waiting} emissions wait, but it says {}", outbox.waiting()))
            }
            _ => Ok(()),
        }
    }

    fn in_state(&self, state: State) -> Vec<Sequence> {
        let items = self.items.iter().filter(|(_, item)| item.state == state);
        items.map(|(sequence, _)| *sequence).collect()
    }

    fn set(&mut self, sequence: Sequence, state: State) {
        if let Some(item) = self.items.get_mut(&sequence) {
            item.state = state;
        }
    }
}

fn take_all(outbox: &mut Outbox) -> Result<BTreeMap<Sequence, u64>, Broken> {
    let mut found = BTreeMap::new();
    let mut last = Sequence::START;
    while let Some(emission) = outbox.take().map_err(|error| error.to_string())? {
        let number = id_of(emission.bytes).filter(|number| id(*number) == emission.id);
        let Some(number) = number.filter(|_| emission.sequence > last) else {
            return Err(format!(
                "emission {} comes after {last}, or is not what was pushed",
                emission.sequence
            ));
        };
        last = emission.sequence;
        found.insert(last, number);
    }
    Ok(found)
}

fn id(number: u64) -> EmissionId {
    EmissionId(u128::from(number).to_le_bytes())
}

/// A disk may fail; anything else is a mistake of ours.
fn failed(error: &OutboxError) -> Result<(), Broken> {
    match error {
        OutboxError::Read(_) | OutboxError::Log(LogError::Disk(_) | LogError::Broken { .. }) => Ok(()),
        OutboxError::Log(error) => Err(error.to_string()),
    }
}
