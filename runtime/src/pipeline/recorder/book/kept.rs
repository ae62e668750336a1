//! The journal while it is written, and when the disk fails.

use super::super::super::flow::Batch;
use super::super::super::journal::checkpointing::Trim;
use super::super::super::journal::writing::{BatchRecord, Numbers};
use super::super::accepted::Accepted;
use super::super::sync::Syncer;
use super::{Keeping, SwitchRequest};
use crate::clock;
use crate::config::Durability;
use crate::handover::Receipt;
use crate::message::Delivery;
use rulemill_core::Micros;
use rulemill_journal::log::{LogError, Sequence, Synced};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The journal, and what waits for it.
pub(super) struct Kept {
    pub(super) keeping: Keeping,
    pub(super) syncer: Syncer,
    /// What was appended since the last write.
    pub(super) unwritten: VecDeque<Unwritten>,
    /// Taken, and could not be appended.
    pub(super) pending: Vec<(Delivery, Receipt, Durability)>,
    /// Taken, and to be accepted once it is written.
    pub(super) taken: Vec<(Receipt, Durability)>,
    /// Written, and to be accepted once it is synced up to there.
    pub(super) unsynced: VecDeque<(Sequence, Receipt)>,
    /// What mills are to be told when it can be written.
    pub(super) ticks: Vec<Due>,
    /// What the journal is to say of the batch below, when it has no place yet.
    pub(super) unplaced: Option<BatchRecord>,
    /// A batch that could not be written.
    pub(super) batch: Option<Batch>,
    /// Since when the disk fails; when it is looked at next.
    pub(super) failing: Option<Instant>,
    pub(super) synced: Instant,
    pub(super) written_since: bool,
    pub(super) checkpointing: bool,
    pub(super) checkpoint: Instant,
    pub(super) bytes_at_checkpoint: u64,
    /// The last record at that time.
    pub(super) last_at_checkpoint: u64,
    /// The first record that the last one needs.
    pub(super) first_at_checkpoint: u64,
    /// The size of the last one.
    pub(super) checkpoint_bytes: u64,
    pub(super) covered: u64,
}

/// A tick that could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Due {
    /// A mill has asked for the time.
    Asked(usize),
    /// A mill, a time, and its place in the order.
    Placed(usize, Micros, u64),
}

/// Something that was appended.
pub(super) enum Unwritten {
    Messages(Delivery, Sequence),
    Batch(BatchRecord, Sequence),
    Tick(usize, Micros, Sequence),
}

impl Kept {
    pub(super) fn write(&mut self) -> bool {
        if self.failing.is_some() {
            return false;
        }
        let journal = &mut self.keeping.journal;
        if let Err(error) = journal.write() {
            self.fail(&error);
            return false;
        }
        let last = Sequence(journal.last());
        self.unwritten.clear();
        self.written_since = true;
        for (receipt, durability) in self.taken.drain(..) {
            match durability {
                Durability::PowerLoss => self.unsynced.push_back((last, receipt)),
                Durability::ProcessCrash | Durability::None => receipt.accept(),
            }
        }
        if !self.unsynced.is_empty() || self.keeping.journal.is_behind() {
            self.begin_sync();
        }
        true
    }

    pub(super) fn switch(&mut self, switch: &SwitchRequest, position: u64) -> Result<u64, String> {
        if self.failing.is_some() {
            return Err("the journal cannot be written; see the log".to_owned());
        }
        let journal = &mut self.keeping.journal;
        let appended = journal.switch(switch.mill, position, &switch.change);
        let position = appended.map_err(|error| {
            let text = error.to_string();
            self.fail(&error);
            text
        })?;
        match self.write() {
            true => Ok(position.0),
            false => Err("the journal cannot be written; see the log".to_owned()),
        }
    }

    fn begin_sync(&mut self) {
        if self.syncer.is_busy() {
            return;
        }
        match self.keeping.journal.begin_sync() {
            Ok(Some(job)) => self.syncer.begin(job),
            Ok(None) => self.accept_synced(Sequence(self.keeping.journal.last())),
            Err(error) => self.fail(&error),
        }
        self.synced = clock::monotonic();
        self.written_since = false;
    }

    pub(super) fn finish_sync(&mut self, done: Synced) {
        match self.keeping.journal.finish_sync(done) {
            Ok(synced) => {
                self.accept_synced(synced);
                if !self.unsynced.is_empty() {
                    self.begin_sync();
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn accept_synced(&mut self, synced: Sequence) {
        while let Some((_, receipt)) = self.unsynced.pop_front_if(|(last, _)| *last <= synced) {
            receipt.accept();
        }
    }

    /// Gives the last batch or tick, when that has changed.
    pub(super) fn pass_time(&mut self, accepted: &mut Accepted) -> Option<u64> {
        let now = clock::monotonic();
        self.keeping
            .metrics
            .blocked(self.failing.is_some() || !self.keeping.journal.has_room());
        if let Some(next) = self.failing {
            if now < next {
                return None;
            }
            return match self.recover(accepted) {
                Ok(position) => position,
                Err(error) => {
                    self.fail(&error);
                    None
                }
            };
        }
        if self.written_since && now.duration_since(self.synced) >= SYNC_INTERVAL {
            self.begin_sync();
        }
        None
    }

    /// `unkept_news`: something has happened that is in no journal.
    pub(super) fn checkpoint_due(&self, unkept_news: bool) -> bool {
        let grown = self.keeping.journal.bytes().saturating_sub(self.bytes_at_checkpoint);
        let elapsed = clock::monotonic().duration_since(self.checkpoint);
        // A large state is written when there is something to gain by it, for the disk's sake.
        let worth = grown >= self.checkpoint_bytes / STATE_BY_JOURNAL || elapsed >= self.keeping.interval * LATE;
        let due = (elapsed >= self.keeping.interval && worth) || grown > CHECKPOINT_BYTES.max(self.checkpoint_bytes);
        // The log shrinks to what the older one of two needs. When it is full, another one at the same place makes room.
        let full = !self.keeping.journal.has_room();
        let makes_room = full && self.covered + 1 < self.first_at_checkpoint;
        // Where nothing happens, nothing is written.
        let news = unkept_news || self.keeping.journal.last() > self.last_at_checkpoint || makes_room;
        let due = due || (full && elapsed >= RETRY_INTERVAL);
        news && due && !self.checkpointing && self.batch.is_none() && self.unwritten.is_empty() && self.ticks.is_empty()
    }

    pub(super) fn trim(&mut self, trim: Trim) {
        self.checkpointing = false;
        if trim.bytes > 0 {
            self.checkpoint_bytes = trim.bytes;
        } else {
            // It was not taken, so there is still news.
            self.last_at_checkpoint = 0;
        }
        let Some(below) = trim.below else { return };
        self.covered = below.saturating_sub(1);
        if self.failing.is_none()
            && let Err(error) = self.keeping.journal.trim(below)
        {
            self.fail(&error);
        }
    }

    /// The disk has failed, or the log is full. Nothing is accepted until that is over.
    pub(super) fn fail(&mut self, error: &LogError) {
        if self.failing.is_none() {
            tracing::error!(%error, "the journal cannot be written; nothing is accepted until it can");
        }
        self.keeping.metrics.failures.inc();
        self.keeping.metrics.blocked(true);
        self.failing = Some(clock::monotonic() + RETRY_INTERVAL);
    }

    /// Opens the log again, and appends what was not written. Gives the place of a batch that had none.
    fn recover(&mut self, accepted: &mut Accepted) -> Result<Option<u64>, LogError> {
        self.failing = Some(clock::monotonic() + RETRY_INTERVAL);
        if self.keeping.journal.is_broken()
            && let Err(error) = self.keeping.journal.reopen(self.covered)
        {
            tracing::debug!(%error, "the journal cannot be opened");
            return Ok(None);
        }
        let written = self.keeping.journal.last();
        for at in 0..self.unwritten.len() {
            self.again(at, written)?;
        }
        let mut placed = None;
        if let Some(record) = self.unplaced {
            let position = self.keeping.journal.batch(record)?;
            self.unwritten.push_back(Unwritten::Batch(record, position));
            self.unplaced = None;
            if let Some(batch) = &mut self.batch {
                batch.position = position.0;
                batch.place = position.0;
            }
            placed = Some(position.0);
        }
        while let Some((delivery, _, _)) = self.pending.first() {
            let first = self.keeping.journal.deliver(delivery)?;
            let (delivery, receipt, durability) = self.pending.remove(0);
            self.unwritten.push_back(Unwritten::Messages(delivery.clone(), first));
            let numbers = Numbers::of(first, &delivery);
            accepted.push(delivery, Some(numbers));
            self.taken.push((receipt, durability));
        }
        self.failing = None;
        if self.write() {
            tracing::warn!("the journal can be written again");
        }
        Ok(placed)
    }

    /// Appends something again as far as it is not there, under the numbers that it had.
    fn again(&mut self, at: usize, written: u64) -> Result<(), LogError> {
        let journal = &mut self.keeping.journal;
        match &self.unwritten[at] {
            Unwritten::Messages(delivery, first) => {
                let there = written.saturating_add(1).saturating_sub(first.0);
                let there = usize::try_from(there)
                    .unwrap_or(usize::MAX)
                    .min(delivery.messages.len());
                if there < delivery.messages.len() {
                    let rest = Delivery {
                        messages: delivery.messages[there..].iter().cloned().collect(),
                        ..delivery.clone()
                    };
                    journal.deliver(&rest)?;
                }
            }
            Unwritten::Batch(record, position) if position.0 > written => {
                journal.batch(*record)?;
            }
            Unwritten::Tick(mill, now, position) if position.0 > written => {
                journal.tick(*mill, *now)?;
            }
            Unwritten::Batch(..) | Unwritten::Tick(..) => {}
        }
        Ok(())
    }
}

/// What is written with `process-crash` is synced this often.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How often a disk that has failed is looked at.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// A checkpoint is taken early when the journal has grown by so much since the last one, or by its size if that is more.
const CHECKPOINT_BYTES: u64 = 64 << 20;
/// One waits until the journal has grown by this part of the size of the last one, or until so many times the interval have passed.
const STATE_BY_JOURNAL: u64 = 4;
const LATE: u32 = 12;
