//! The queue between mill threads and one sink's task: in order, bounded in bytes.
//!
//! An emission stays in it until the sink says that it is done, so whatever was in flight when a connection broke is
//! sent again. A queue in memory is just that. One on disk is kept by a thread ([`keeper`]): mill threads hand over to it,
//! and the sink reads from a window in memory that it fills from the front of what is on disk.
//!
//! One lock, held for a few map operations, and never across an await or a write.

mod handed;
mod keeper;
mod record;

use crate::config::{OnFull, SinkConfig};
use crate::emit::EncodedEmission;
use crate::telemetry::rate_limit::{RateLimited, Verdict};
use crate::telemetry::sink::{Depth, SinkCounters};
use handed::Handed;
pub use keeper::KeepError;
pub(crate) use keeper::Keeper;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;
use tracing::error;

/// The place of an emission in its sink's queue; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sequence(u64);

impl Sequence {
    /// Before the first emission.
    pub(crate) const START: Sequence = Sequence(0);
}

/// What became of a pushed emission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the queue, or on its way to the disk.
    Queued,
    /// It is in the queue, and older emissions were dropped for it.
    QueuedInstead,
    /// It was dropped, as the sink's `on_full` says.
    Dropped,
    /// It was dropped, because it alone is larger than the whole queue.
    TooLarge,
    /// The sink has been removed or has stopped.
    Closed,
}

/// A queue of emissions for one sink.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    space: Condvar,
    /// For the thread that keeps it on disk.
    work: Condvar,
    arrived: Notify,
    emptied: Notify,
    /// Told when something is on disk for good, or done.
    settled: Notify,
    counters: SinkCounters,
    losses: RateLimited<&'static str>,
}

/// How far a queue had come when something was pushed; see [`Outbox::settled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// What was left when a queue ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// So many emissions are lost.
    pub(crate) given_up: usize,
    /// So many wait on disk for the next start.
    pub(crate) kept: u64,
}

#[derive(Debug)]
struct State {
    bytes_max: usize,
    on_full: OnFull,
    phase: Phase,
    /// What the sink may read: all that is in memory, or the front of what is on disk.
    entries: BTreeMap<Sequence, Entry>,
    bytes: usize,
    last: Sequence,
    /// What the sink task has read; what lies beyond it may be dropped.
    taken: Sequence,
    /// Of a queue on disk: what its thread has to know.
    handed: Option<Handed>,
}

#[derive(Debug)]
struct Entry {
    emission: EncodedEmission,
    bytes: usize,
    pushed: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The process or the sink stops: nobody waits any more, and what a waiting thread held is let in.
    Draining,
    Closed,
}

impl Outbox {
    /// An empty queue in memory with the bounds of `config`.
    pub(crate) fn new(config: &SinkConfig, counters: SinkCounters) -> Self {
        Outbox {
            state: Mutex::new(State {
                bytes_max: config.queue_bytes_max,
                on_full: config.on_full,
                phase: Phase::Open,
                entries: BTreeMap::new(),
                bytes: 0,
                last: Sequence::START,
                taken: Sequence::START,
                handed: None,
            }),
            space: Condvar::new(),
            work: Condvar::new(),
            arrived: Notify::new(),
            emptied: Notify::new(),
            settled: Notify::new(),
            counters,
            losses: RateLimited::new(1),
        }
    }

    /// Appends an emission, pushed at `now`. With `on_full = "block"` the thread waits for space until the sink drains
    /// or closes; for a queue on disk it waits in any case while the disk is behind. Everything dropped is counted under its
    /// reason and named in the log.
    pub(crate) fn push(&self, emission: EncodedEmission, now: Instant) -> Pushed {
        let bytes = bytes_of(&emission);
        let mut dropped = 0;
        let pushed = self.admit(emission, bytes, now, &mut dropped);
        let (lost, reason) = match pushed {
            Pushed::Queued => return pushed,
            Pushed::QueuedInstead => (dropped, "queue_full"),
            Pushed::Dropped => (dropped + 1, "queue_full"),
            Pushed::TooLarge => (1, "larger_than_queue"),
            Pushed::Closed => (1, "sink_closed"),
        };
        self.lose(lost, reason, now);
        pushed
    }

    /// Counts emissions that are lost, and says so.
    fn lose(&self, lost: u64, reason: &'static str, now: Instant) {
        self.counters.dropped(reason).inc_by(lost);
        if let Verdict::Log { suppressed } = self.losses.check(reason, now) {
            error!(sink = %self.counters.sink, reason, lost, suppressed, "emissions are dropped");
        }
    }

    /// [`Outbox::push`] without the log, so that nothing is written under the lock; counts the older ones it dropped.
    fn admit(&self, emission: EncodedEmission, bytes: usize, now: Instant, dropped: &mut u64) -> Pushed {
        let mut state = self.lock();
        loop {
            if state.phase == Phase::Closed {
                return Pushed::Closed;
            }
            if let Some(handed) = &mut state.handed {
                if handed.has_room(bytes) || state.phase == Phase::Draining {
                    state.hand_over(emission, bytes);
                    self.publish_depth(&state);
                    self.work.notify_one();
                    return Pushed::Queued;
                }
            } else if state.phase == Phase::Open && state.bytes + bytes > state.bytes_max {
                if bytes > state.bytes_max {
                    return Pushed::TooLarge;
                }
                let on_full = state.on_full;
                match on_full {
                    OnFull::Block => {}
                    OnFull::DropOldest if state.drop_oldest_waiting() => {
                        *dropped += 1;
                        continue;
                    }
                    // Everything older is in flight, and may yet arrive.
                    OnFull::DropOldest | OnFull::DropNewest => {
                        self.publish_depth(&state);
                        return Pushed::Dropped;
                    }
                }
            } else {
                break;
            }
            state = self.space.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.append(emission, bytes, now);
        self.publish_depth(&state);
        drop(state);
        self.arrived.notify_one();
        if *dropped > 0 {
            Pushed::QueuedInstead
        } else {
            Pushed::Queued
        }
    }

    /// The first emission after `after` that is not done.
    pub(crate) fn next(&self, after: Sequence) -> Option<(Sequence, EncodedEmission)> {
        let mut state = self.lock();
        let (sequence, emission) = state
            .entries
            .range((Excluded(after), Unbounded))
            .next()
            .map(|(&sequence, entry)| (sequence, entry.emission.clone()))?;
        state.taken = state.taken.max(sequence);
        Some((sequence, emission))
    }

    /// The emission at `sequence`, unless it is done.
    pub(crate) fn get(&self, sequence: Sequence) -> Option<EncodedEmission> {
        let state = self.lock();
        state.entries.get(&sequence).map(|entry| entry.emission.clone())
    }

    /// Waits until [`Outbox::next`] has an emission after `after`, and returns it. Safe to cancel.
    pub(crate) async fn wait_next(&self, after: Sequence) -> (Sequence, EncodedEmission) {
        loop {
            let arrived = self.arrived.notified();
            if let Some(next) = self.next(after) {
                return next;
            }
            arrived.await;
        }
    }

    /// Waits until something was pushed since the last wait. Safe to cancel; at most one task may wait.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Removes an emission: it was delivered, or given up. Any order; unknown ones are ignored.
    pub(crate) fn done(&self, sequence: Sequence) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.remove(&sequence) {
            state.bytes -= entry.bytes;
            match &mut state.handed {
                Some(handed) => {
                    handed.done.push(sequence);
                    self.work.notify_one();
                }
                None => self.space.notify_all(),
            }
            self.publish_depth(&state);
            let empty = state.is_empty();
            drop(state);
            self.settled.notify_waiters();
            if empty {
                self.emptied.notify_waiters();
            }
        }
    }

    /// Nothing is in flight any more: all that is not done will be read again from the start.
    pub(crate) fn rewind(&self) {
        self.lock().taken = Sequence::START;
    }

    /// Takes over the bounds of a changed configuration. What is in the queue stays. A queue on disk has those that it was
    /// opened with until the next start.
    pub(crate) fn reconfigure(&self, config: &SinkConfig) {
        let mut state = self.lock();
        state.bytes_max = config.queue_bytes_max;
        state.on_full = config.on_full;
        if let Some(handed) = &mut state.handed {
            handed.is_blocked = false;
        }
        drop(state);
        self.space.notify_all();
        self.work.notify_one();
    }

    /// From now on no thread waits in [`Outbox::push`]; what it held is let in beyond the bound.
    pub(crate) fn start_draining(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Draining;
        }
        drop(state);
        self.space.notify_all();
        self.work.notify_one();
    }

    /// Refuses further emissions. What is left of a queue in memory is given up and counted; the rest of one on disk is put there
    /// before its thread ends: see [`keeper::Keeper`].
    pub(crate) fn close(&self) -> Left {
        let mut state = self.lock();
        state.phase = Phase::Closed;
        let left = match &state.handed {
            Some(handed) => Left {
                given_up: 0,
                kept: handed.len(),
            },
            None => Left {
                given_up: std::mem::take(&mut state.entries).len(),
                kept: 0,
            },
        };
        if state.handed.is_none() {
            state.bytes = 0;
        }
        self.publish_depth(&state);
        drop(state);
        self.counters.dropped("stopped").inc_by(left.given_up as u64);
        self.space.notify_all();
        self.work.notify_one();
        self.emptied.notify_waiters();
        left
    }

    /// Waits until nothing is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// What is pushed from here on does not come from a replay.
    pub(crate) fn replay_is_over(&self) {
        if let Some(handed) = &mut self.lock().handed {
            handed.replay_is_over = true;
        }
        self.work.notify_one();
    }

    /// Whether emissions are still compared with those of before.
    #[cfg(test)]
    fn is_replaying(&self) -> bool {
        self.lock().handed.as_ref().is_some_and(|handed| !handed.has_forgotten)
    }

    /// How far it has come now.
    pub(crate) fn mark(&self) -> Mark {
        let state = self.lock();
        Mark(state.handed.as_ref().map_or(state.last.0, Handed::pushed))
    }

    /// Waits until everything that was pushed before `mark` is safe without the journal: on disk for good, or done. False: it
    /// never will be, for the queue was closed before.
    pub(crate) async fn settled(&self, mark: Mark) -> bool {
        loop {
            let settled = self.settled.notified();
            if let Some(outcome) = self.is_settled(mark) {
                return outcome;
            }
            self.work.notify_one();
            settled.await;
        }
    }

    /// Whether it is in memory, and drops emissions when it is full.
    pub(crate) fn may_lose(&self) -> bool {
        let state = self.lock();
        state.handed.is_none() && state.on_full != OnFull::Block
    }

    /// Whether it is safe; `None`: that is not decided.
    fn is_settled(&self, mark: Mark) -> Option<bool> {
        let mut state = self.lock();
        let is_settled = match &mut state.handed {
            Some(handed) => {
                handed.want(mark.0);
                handed.kept() >= mark.0
            }
            None => state
                .entries
                .first_key_value()
                .is_none_or(|(first, _)| first.0 > mark.0),
        };
        (is_settled || state.phase == Phase::Closed).then_some(is_settled)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every section leaves the state whole, so a panic elsewhere does not matter.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish_depth(&self, state: &State) {
        let oldest = state.entries.first_key_value().map(|(_, entry)| entry.pushed);
        self.counters.queue.set(match &state.handed {
            Some(handed) => Depth {
                emissions: handed.len(),
                bytes: handed.bytes(),
                oldest,
            },
            None => Depth {
                emissions: state.entries.len() as u64,
                bytes: state.bytes as u64,
                oldest,
            },
        });
    }
}

impl State {
    fn append(&mut self, emission: EncodedEmission, bytes: usize, pushed: Instant) {
        let sequence = Sequence(self.last.0 + 1);
        self.insert(sequence, emission, bytes, pushed);
    }

    /// Lets the sink see an emission.
    fn insert(&mut self, sequence: Sequence, emission: EncodedEmission, bytes: usize, pushed: Instant) {
        self.last = sequence;
        self.bytes += bytes;
        let entry = Entry {
            emission,
            bytes,
            pushed,
        };
        self.entries.insert(sequence, entry);
    }

    fn hand_over(&mut self, emission: EncodedEmission, bytes: usize) {
        if let Some(handed) = &mut self.handed {
            handed.push(emission, bytes);
        }
    }

    fn is_empty(&self) -> bool {
        let handed = self.handed.as_ref().map_or(0, Handed::len);
        self.entries.is_empty() && handed == 0
    }

    /// Drops the oldest emission that the sink task has not read; false when there is none.
    fn drop_oldest_waiting(&mut self) -> bool {
        self.take_oldest_waiting().is_some()
    }

    fn take_oldest_waiting(&mut self) -> Option<Sequence> {
        let oldest = self.entries.range((Excluded(self.taken), Unbounded)).next();
        let sequence = oldest.map(|(&sequence, _)| sequence)?;
        if let Some(entry) = self.entries.remove(&sequence) {
            self.bytes -= entry.bytes;
        }
        Some(sequence)
    }
}

/// What an emission takes in memory.
fn bytes_of(emission: &EncodedEmission) -> usize {
    emission.json.len() + emission.ends.len() * size_of::<u32>() + size_of::<Entry>()
}

#[cfg(test)]
mod tests;
