//! What the recorder writes down, and what waits for that.
//!
//! Without a journal everything is accepted at once. With one, what was taken is appended, written with one call together with
//! everything else of that moment, and only then accepted; where a loss of power must not matter, after a sync too. When the disk
//! fails, nothing is accepted any more: the log is opened again, now and then, what had not been written is appended again under the same
//! numbers, and it goes on.

mod kept;

use super::super::flow::Batch;
use super::super::journal::checkpointing::{Begin, Trim};
use super::super::journal::state::Position;
use super::super::journal::writing::{Journal, Numbers};
use super::accepted::Accepted;
use super::sync::Syncer;
use crate::clock;
use crate::config::{Durability, OnStop};
use crate::handover::{Offered, Receipt};
use crate::message::Delivery;
use crate::telemetry::journal::JournalMetrics;
pub(super) use kept::Due;
use kept::{Kept, Unwritten};
use rulemill_core::Micros;
use rulemill_journal::log::{LogError, Synced};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc;

/// A journal, and what works with it.
pub(in super::super) struct Keeping {
    pub(in super::super) journal: Journal,
    /// The last batch or tick that the mills have done.
    pub(in super::super) position: u64,
    /// Records up to this one are needed no more.
    pub(in super::super) covered: u64,
    /// Whether anything was done again.
    pub(in super::super) replayed: bool,
    /// What was accepted by an earlier process and is in no batch; with the records of each.
    pub(in super::super) waiting: Vec<(Delivery, Numbers)>,
    /// Whom to ask for a checkpoint, and what it says when that is over.
    pub(in super::super) checkpoints: mpsc::Sender<Begin>,
    pub(in super::super) trims: mpsc::Receiver<Trim>,
    pub(in super::super) interval: Duration,
    pub(in super::super) on_stop: OnStop,
    pub(in super::super) metrics: JournalMetrics,
}

/// A mill is about to change code, and waits until that is written.
#[derive(Debug)]
pub(in super::super) struct SwitchRequest {
    pub(in super::super) mill: usize,
    /// The last batch or tick that it has done.
    pub(in super::super) position: u64,
    pub(in super::super) change: Vec<u8>,
    /// Told the number of the record.
    pub(in super::super) written: std::sync::mpsc::SyncSender<Result<u64, String>>,
}

pub(super) struct Book {
    kept: Option<Kept>,
    position: u64,
    /// What came last before the first thing that each mill was handed. A mill that is woken late has not seen what came
    /// before, and a replay must not show it to the rules that woke it.
    first_handed: BTreeMap<usize, u64>,
    /// Batches that are in no journal are counted from a number that no earlier process has used, for the ids of emissions are
    /// made of it.
    unkept_batches: u64,
    /// How many there were at the last checkpoint.
    unkept_at_checkpoint: u64,
    /// Of what is in no journal; accepted together with the rest of its moment, so that this has an end.
    unkept: Vec<Receipt>,
}

/// What the book is told by others.
pub(super) struct News {
    /// A sync has ended.
    pub(super) synced: mpsc::Receiver<Synced>,
    /// A checkpoint is over.
    pub(super) trims: mpsc::Receiver<Trim>,
}

impl Book {
    pub(super) fn open(keeping: Option<Keeping>, accepted: &mut Accepted) -> std::io::Result<(Self, News)> {
        let Some(mut keeping) = keeping else {
            // The ids of emissions are made of it, so it is not used again after a restart.
            let position = clock::wall().0.unsigned_abs();
            let book = Book {
                kept: None,
                position,
                first_handed: BTreeMap::new(),
                unkept_batches: position,
                unkept_at_checkpoint: position,
                unkept: Vec::new(),
            };
            let news = News {
                synced: mpsc::channel(1).1,
                trims: mpsc::channel(1).1,
            };
            return Ok((book, news));
        };
        let (syncer, synced) = Syncer::start()?;
        let trims = std::mem::replace(&mut keeping.trims, mpsc::channel(1).1);
        for (delivery, numbers) in keeping.waiting.drain(..) {
            accepted.push(delivery, Some(numbers));
        }
        let now = clock::monotonic();
        // What was done again need not be once more, should the next crash come soon.
        let interval = if keeping.replayed {
            keeping.interval
        } else {
            Duration::ZERO
        };
        let checkpoint = now.checked_sub(interval).unwrap_or(now);
        let covered = keeping.covered;
        let unkept_batches = clock::wall().0.unsigned_abs();
        let book = Book {
            position: keeping.position,
            first_handed: BTreeMap::new(),
            unkept_batches,
            unkept_at_checkpoint: unkept_batches,
            unkept: Vec::new(),
            kept: Some(Kept {
                keeping,
                syncer,
                unwritten: VecDeque::new(),
                pending: Vec::new(),
                taken: Vec::new(),
                unsynced: VecDeque::new(),
                ticks: Vec::new(),
                unplaced: None,
                batch: None,
                failing: None,
                synced: now,
                written_since: true,
                checkpointing: false,
                checkpoint,
                bytes_at_checkpoint: 0,
                last_at_checkpoint: 0,
                first_at_checkpoint: 0,
                checkpoint_bytes: 0,
                covered,
            }),
        };
        Ok((book, News { synced, trims }))
    }

    /// Takes an offer, unless it was withdrawn. It is accepted after [`Book::write`].
    pub(super) fn take(&mut self, offered: Offered, accepted: &mut Accepted) {
        let durability = offered.durability();
        let Some((delivery, receipt)) = offered.take() else {
            return;
        };
        let Some(kept) = self.kept.as_mut().filter(|_| durability != Durability::None) else {
            accepted.push(delivery, None);
            self.unkept.push(receipt);
            return;
        };
        match kept.keeping.journal.deliver(&delivery) {
            Ok(first) => {
                kept.unwritten.push_back(Unwritten::Messages(delivery.clone(), first));
                let numbers = Numbers::of(first, &delivery);
                accepted.push(delivery, Some(numbers));
                kept.taken.push((receipt, durability));
            }
            Err(error @ (LogError::TooLarge { .. } | LogError::Unencodable(_))) => {
                tracing::error!(source = &*delivery.source, %error, "messages are processed without the journal");
                accepted.push(delivery, None);
                self.unkept.push(receipt);
            }
            Err(error @ (LogError::Full { .. } | LogError::Disk(_) | LogError::Broken { .. })) => {
                kept.pending.push((delivery, receipt, durability));
                kept.fail(&error);
            }
        }
    }

    /// The next batch, with its place in the order. It may be handed over after [`Book::write`].
    pub(super) fn make_batch(&mut self, accepted: &mut Accepted) -> Option<Batch> {
        if let Some(batch) = self.kept.as_mut().and_then(|kept| kept.batch.take()) {
            return Some(batch);
        }
        let (mut batch, record) = accepted.next_batch()?;
        batch.before = self.position;
        let mut place = None;
        match (&mut self.kept, record) {
            (None, _) => self.position += 1,
            (Some(kept), Some(record)) => match kept.keeping.journal.batch(record) {
                Ok(position) => {
                    kept.unwritten.push_back(Unwritten::Batch(record, position));
                    self.position = position.0;
                }
                Err(error) => {
                    kept.unplaced = Some(record);
                    kept.fail(&error);
                }
            },
            (Some(_), None) => {
                self.unkept_batches += 1;
                place = Some(self.unkept_batches);
            }
        }
        batch.position = self.position;
        batch.place = place.unwrap_or(self.position);
        Some(batch)
    }

    /// A batch could not be written; it is the next one.
    pub(super) fn keep_batch(&mut self, batch: Option<Batch>) {
        if let Some(kept) = &mut self.kept {
            kept.batch = batch;
        }
    }

    /// Gives a tick its place in the order; `None`: it cannot be written.
    pub(super) fn tick(&mut self, mill: usize, now: Micros) -> Option<u64> {
        let Some(kept) = &mut self.kept else {
            self.position += 1;
            return Some(self.position);
        };
        if kept.failing.is_some() {
            kept.ticks.push(Due::Asked(mill));
            return None;
        }
        match kept.keeping.journal.tick(mill, now) {
            Ok(position) => {
                kept.unwritten.push_back(Unwritten::Tick(mill, now, position));
                self.position = position.0;
                if kept.write() {
                    return Some(position.0);
                }
                kept.ticks.push(Due::Placed(mill, now, position.0));
            }
            Err(error) => {
                kept.fail(&error);
                kept.ticks.push(Due::Asked(mill));
            }
        }
        None
    }

    /// The ticks that could not be written, once they can.
    pub(super) fn due_ticks(&mut self) -> Vec<Due> {
        match &mut self.kept {
            Some(kept) if kept.failing.is_none() => std::mem::take(&mut kept.ticks),
            Some(_) | None => Vec::new(),
        }
    }

    /// A tick that has its place and could not be handed over. Nothing may come before it.
    pub(super) fn keep_tick(&mut self, due: Due) {
        if let Some(kept) = &mut self.kept {
            kept.ticks.push(due);
        }
    }

    /// Writes down that a mill changes code.
    pub(super) fn switch(&mut self, switch: &SwitchRequest) {
        let Some(kept) = &mut self.kept else {
            let _ = switch.written.send(Ok(0));
            return;
        };
        let unseen = self.first_handed.get(&switch.mill).copied().unwrap_or(self.position);
        let written = kept.switch(switch, switch.position.max(unseen));
        // The mill may have gone.
        let _ = switch.written.send(written);
    }

    /// A mill is handed something, and `before` came last before that.
    pub(super) fn handed(&mut self, mill: usize, before: u64) {
        self.first_handed.entry(mill).or_insert(before);
    }

    /// Writes everything that was appended, and accepts what waited for that. False: it could not be written.
    pub(super) fn write(&mut self) -> bool {
        self.unkept.drain(..).for_each(Receipt::accept);
        self.kept.as_mut().is_none_or(Kept::write)
    }

    /// Takes note of the end of a sync.
    pub(super) fn synced(&mut self, done: Synced) {
        if let Some(kept) = &mut self.kept {
            kept.syncer.ended();
            kept.finish_sync(done);
        }
    }

    /// Does what is due: a sync, or looking at a disk that has failed.
    pub(super) fn pass_time(&mut self, accepted: &mut Accepted) {
        if let Some(kept) = &mut self.kept
            && let Some(position) = kept.pass_time(accepted)
        {
            self.position = position;
        }
    }

    /// Whether it is time for a checkpoint, and one can be taken.
    pub(super) fn checkpoint_due(&self) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.checkpoint_due(self.unkept_batches > self.unkept_at_checkpoint))
    }

    pub(super) fn position(&mut self, accepted: &Accepted, mills: usize) -> Position {
        let done = self.position;
        let journal = self.kept.as_mut().map(|kept| &mut kept.keeping.journal);
        journal.map_or_else(Position::default, |journal| {
            journal.position(done, accepted.first(), mills)
        })
    }

    /// Asks for a checkpoint. False: nobody takes one.
    pub(super) fn begin_checkpoint(&mut self, begin: Begin) -> bool {
        let Some(kept) = &mut self.kept else { return false };
        self.unkept_at_checkpoint = self.unkept_batches;
        kept.checkpoint = clock::monotonic();
        kept.bytes_at_checkpoint = kept.keeping.journal.bytes();
        kept.last_at_checkpoint = kept.keeping.journal.last();
        kept.first_at_checkpoint = begin.position.first_needed();
        kept.checkpointing = kept.keeping.checkpoints.try_send(begin).is_ok();
        kept.checkpointing
    }

    /// A checkpoint is over.
    pub(super) fn trim(&mut self, trim: Trim) {
        if let Some(kept) = &mut self.kept {
            kept.trim(trim);
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether batches can be handed over.
    pub(super) fn is_well(&self) -> bool {
        let placed = |due: &Due| matches!(due, Due::Placed(..));
        self.kept
            .as_ref()
            .is_none_or(|kept| kept.failing.is_none() && !kept.ticks.iter().any(placed))
    }

    /// Whether a batch waits that could not be written.
    pub(super) fn has_batch(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.batch.is_some())
    }

    /// Whether something can be taken.
    pub(super) fn has_room(&self) -> bool {
        self.kept
            .as_ref()
            .is_none_or(|kept| kept.failing.is_none() && kept.keeping.journal.has_room())
    }

    /// Whether something waits to be written or handed over.
    pub(super) fn is_behind(&self) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| {
            kept.batch.is_some() || !kept.unsynced.is_empty() || !kept.taken.is_empty() || !kept.pending.is_empty()
        })
    }

    /// Whether a checkpoint is being taken.
    pub(super) fn is_checkpointing(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.checkpointing)
    }

    /// What becomes of open windows at the end.
    pub(super) fn on_stop(&self) -> Option<OnStop> {
        self.kept.as_ref().map(|kept| kept.keeping.on_stop)
    }

    /// Puts everything on disk.
    pub(super) fn close(self) {
        if let Some(kept) = self.kept
            && let Err(error) = kept.keeping.journal.close()
        {
            tracing::error!(%error, "the journal cannot be closed");
        }
    }
}
