//! The thread that keeps a sink's queue on disk.
//!
//! It puts down what mill threads hand over, and lets the sink see the front of the queue, as much as a window in memory takes.
//! What the sink is done with is put down with the next write; after a crash the rest comes again, in order. When the disk
//! fails, the files are not trusted any more: the thread opens them anew, again and again, while mill threads wait.

use super::{Outbox, Phase, Sequence, State, bytes_of, record};
use crate::clock;
use crate::config::{OnFull, SinkConfig};
use crate::emit::EncodedEmission;
use rulemill_journal::log::Durability;
use rulemill_journal::{Directory, DirectoryError, Storage, outbox as disk};
use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running thread.
#[derive(Debug)]
pub(crate) struct Keeper(JoinHandle<()>);

/// Why a queue cannot be kept on disk.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Its folder cannot be opened.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// What is there cannot be read.
    #[error("its queue on disk cannot be opened: {0}")]
    Open(#[from] disk::OutboxOpenError),
    /// What is there cannot be read.
    #[error("its queue on disk cannot be read: {0}")]
    Read(#[from] rulemill_journal::log::ReadError),
    /// The operating system gave no thread.
    #[error("the thread that keeps its queue cannot be started: {0}")]
    Thread(std::io::Error),
}

struct Work {
    outbox: Arc<Outbox>,
    storage: Arc<dyn Storage>,
    options: disk::OutboxOptions,
    /// `None`: the disk has failed, and the queue is to be opened again.
    queue: Option<disk::Outbox>,
    /// Handed over, and not known to be on disk.
    unkept: VecDeque<EncodedEmission>,
    /// How many were handed over and are on disk or dropped, and how many of these are there for good.
    written: u64,
    kept: u64,
    /// The last emission that the sink was let see.
    shown: Sequence,
    /// What was there at the start, delivered or not: the same comes again from a replay.
    known: HashSet<disk::EmissionId>,
    synced: Instant,
    /// Whether something was written since.
    unsynced: bool,
}

/// What to do in one turn.
struct Turn {
    done: Vec<Sequence>,
    for_good: bool,
    closed: bool,
    /// The replay has made its last emission, which is among those that were handed over.
    replay_is_over: bool,
}

/// What was dropped, by reason.
#[derive(Default)]
struct Lost {
    full: u64,
    too_large: u64,
}

impl Lost {
    fn tell(&self, outbox: &Outbox) {
        for (lost, reason) in [(self.full, "queue_full"), (self.too_large, "larger_than_queue")] {
            if lost > 0 {
                outbox.lose(lost, reason, clock::monotonic());
            }
        }
    }
}

impl Keeper {
    /// Opens the queue in `folder`, which belongs to this process, and starts the thread.
    pub(crate) fn start(outbox: &Arc<Outbox>, config: &SinkConfig, folder: &Path) -> Result<Self, KeepError> {
        let storage: Arc<dyn Storage> = Arc::new(Directory::open(folder)?);
        let bytes_max = config.queue_bytes_max as u64;
        let options = disk::OutboxOptions {
            bytes_max,
            on_full: match config.on_full {
                // What the sink was shown and has not read may be dropped too, which only this side knows.
                OnFull::Block | OnFull::DropOldest => disk::OnFull::Block,
                OnFull::DropNewest => disk::OnFull::DropNewest,
            },
            segment_bytes: (bytes_max / 8).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            salt: fastrand::u32(..),
        };
        let queue = open(&storage, options, &outbox.counters.sink)?;
        let known = queue.ids()?.into_iter().collect();
        let mut work = Work {
            outbox: Arc::clone(outbox),
            storage,
            options,
            unkept: VecDeque::new(),
            written: 0,
            kept: 0,
            shown: Sequence::START,
            known,
            synced: clock::monotonic(),
            unsynced: true,
            queue: Some(queue),
        };
        outbox.lock().handed = Some(super::Handed::new(config.queue_bytes_max));
        work.report();
        let name = format!("outbox-{}", outbox.counters.sink);
        let thread = std::thread::Builder::new().name(name).spawn(move || work.run());
        Ok(Keeper(thread.map_err(KeepError::Thread)?))
    }

    /// Waits for the end of the thread, after [`Outbox::close`].
    pub(crate) async fn ended(self) {
        let joined = tokio::task::spawn_blocking(move || {
            if self.0.join().is_err() {
                tracing::error!("a thread that keeps a queue on disk panicked");
            }
        });
        // The task neither panics nor is cancelled.
        drop(joined.await);
    }
}

impl Work {
    fn run(mut self) {
        loop {
            let turn = self.wait();
            let result = self.turn(&turn);
            self.report();
            match result {
                Ok(()) if turn.closed => return self.close(),
                Ok(()) => {}
                Err(error) => {
                    let sink = &self.outbox.counters.sink;
                    tracing::error!(%sink, %error, "the queue cannot be kept on disk; it is tried again");
                    if turn.closed {
                        self.queue = None;
                        return self.close();
                    }
                    self.reopen();
                }
            }
        }
    }

    /// Waits until there is something to do, at most until the next sync.
    fn wait(&mut self) -> Turn {
        let outbox = Arc::clone(&self.outbox);
        let mut state = outbox.lock();
        loop {
            let closed = state.phase == Phase::Closed;
            let room = has_room(&state);
            let Some(handed) = &mut state.handed else {
                unreachable!("a queue on disk stays one");
            };
            let sync_due = self.unsynced && clock::monotonic() >= self.synced + SYNC_INTERVAL;
            let blocked = handed.is_blocked && handed.done.is_empty();
            let ready = (handed.has_incoming() && !blocked)
                || !handed.done.is_empty()
                || (handed.has_more && room)
                || (handed.replay_is_over && !self.known.is_empty() && !blocked)
                || handed.is_wanted() && !blocked
                || closed
                || sync_due;
            if ready {
                let turn = Turn {
                    done: handed.take_done(),
                    for_good: handed.is_wanted() || closed || sync_due,
                    closed,
                    replay_is_over: handed.replay_is_over && !blocked,
                };
                if !blocked || closed {
                    self.unkept.extend(handed.take());
                }
                drop(state);
                self.outbox.space.notify_all();
                return turn;
            }
            state = match self.unsynced {
                true => {
                    let waited = self.outbox.work.wait_timeout(state, SYNC_INTERVAL);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                false => self.outbox.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn turn(&mut self, turn: &Turn) -> Result<(), disk::OutboxError> {
        let Some(queue) = &mut self.queue else {
            return Ok(());
        };
        for sequence in &turn.done {
            queue.acknowledge(rulemill_journal::log::Sequence(sequence.0));
        }
        self.unsynced |= !turn.done.is_empty() || !self.unkept.is_empty();
        let appended = self.append()?;
        let Some(queue) = &mut self.queue else {
            return Ok(());
        };
        queue.commit(match turn.for_good {
            true => Durability::PowerLoss,
            false => Durability::ProcessCrash,
        })?;
        self.unkept.drain(..appended);
        if turn.replay_is_over && self.unkept.is_empty() {
            // What comes from here on is new, even if it looks like something from before.
            self.known = HashSet::new();
        }
        self.written += appended as u64;
        if turn.for_good {
            self.kept = self.written;
            self.synced = clock::monotonic();
            self.unsynced = false;
        }
        self.show()
    }

    /// Puts into the queue what was handed over, as far as there is room; gives how many that is, with those that are dropped.
    fn append(&mut self) -> Result<usize, disk::OutboxError> {
        let mut lost = Lost::default();
        let unkept = std::mem::take(&mut self.unkept);
        let mut appended = 0;
        let mut result = Ok(());
        for emission in &unkept {
            match self.append_one(emission, &mut lost) {
                Ok(true) => appended += 1,
                Ok(false) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        let blocked = result.is_ok() && appended < unkept.len();
        self.unkept = unkept;
        if let Some(handed) = &mut self.outbox.lock().handed {
            handed.is_blocked = blocked;
        }
        lost.tell(&self.outbox);
        result.map(|()| appended)
    }

    /// False: it has to wait for room.
    fn append_one(&mut self, emission: &EncodedEmission, lost: &mut Lost) -> Result<bool, disk::OutboxError> {
        let id = disk::EmissionId(emission.id().0);
        if self.known.remove(&id) {
            return Ok(true);
        }
        let head = record::head(emission);
        loop {
            let Some(queue) = &mut self.queue else { return Ok(false) };
            match queue.push(id, &[&head, &emission.json])? {
                disk::Pushed::Queued { dropped, .. } => lost.full += dropped,
                disk::Pushed::Dropped { older, .. } => lost.full += older + 1,
                disk::Pushed::TooLarge => lost.too_large += 1,
                disk::Pushed::Full => {
                    let on_full = self.outbox.lock().on_full;
                    match on_full {
                        OnFull::Block => return Ok(false),
                        OnFull::DropOldest if self.drop_oldest()? => {
                            lost.full += 1;
                            continue;
                        }
                        // Everything older is in flight, and may yet arrive.
                        OnFull::DropOldest | OnFull::DropNewest => lost.full += 1,
                    }
                }
            }
            return Ok(true);
        }
    }

    /// Drops the oldest emission that the sink has not read; false when there is none.
    fn drop_oldest(&mut self) -> Result<bool, disk::OutboxError> {
        let Some(queue) = &mut self.queue else { return Ok(false) };
        if let Some(Sequence(number)) = self.outbox.lock().take_oldest_waiting() {
            queue.acknowledge(rulemill_journal::log::Sequence(number));
            return Ok(true);
        }
        let mut taken = queue.take()?.map(|emission| emission.sequence);
        if taken.is_none() {
            // It may not be written yet.
            queue.commit(Durability::ProcessCrash)?;
            taken = queue.take()?.map(|emission| emission.sequence);
        }
        let Some(number) = taken else { return Ok(false) };
        self.shown = self.shown.max(Sequence(number.0));
        queue.acknowledge(number);
        Ok(true)
    }

    /// Lets the sink see the next emissions, as long as there is room in memory.
    fn show(&mut self) -> Result<(), disk::OutboxError> {
        let mut any = false;
        let mut more = false;
        let outbox = Arc::clone(&self.outbox);
        loop {
            if !has_room(&outbox.lock()) {
                more = true;
                break;
            }
            let Some(queue) = &mut self.queue else { break };
            let Some(taken) = queue.take()? else { break };
            let (number, decoded) = (taken.sequence, record::decode(taken.bytes));
            let sequence = Sequence(number.0);
            let mut state = outbox.lock();
            if sequence <= self.shown {
                // It was read again after the disk had failed.
                if !state.entries.contains_key(&sequence) {
                    queue.acknowledge(number);
                }
                continue;
            }
            self.shown = sequence;
            match decoded {
                Some(emission) => {
                    let bytes = bytes_of(&emission);
                    state.insert(sequence, emission, bytes, clock::monotonic());
                    any = true;
                }
                None => {
                    drop(state);
                    queue.acknowledge(number);
                    outbox.lose(1, "unreadable", clock::monotonic());
                }
            }
        }
        if let Some(handed) = &mut outbox.lock().handed {
            handed.has_more = more;
        }
        if any {
            outbox.arrived.notify_one();
        }
        Ok(())
    }

    /// Says how far it has come.
    fn report(&mut self) {
        let (waiting, bytes) = self
            .queue
            .as_ref()
            .map_or((0, 0), |queue| (queue.waiting(), queue.waiting_bytes()));
        let unkept = self.unkept.len() as u64;
        let unkept_bytes = self.unkept.iter().map(bytes_of).sum::<usize>() as u64;
        let mut state = self.outbox.lock();
        if let Some(handed) = &mut state.handed {
            handed.store((waiting + unkept, bytes + unkept_bytes), self.kept);
            handed.has_forgotten = self.known.is_empty();
        }
        self.outbox.publish_depth(&state);
        let empty = state.is_empty();
        drop(state);
        self.outbox.settled.notify_waiters();
        if empty {
            self.outbox.emptied.notify_waiters();
        }
    }

    /// The disk has failed: what it has is looked at anew, after a while.
    fn reopen(&mut self) {
        self.queue = None;
        while self.queue.is_none() {
            let state = self.outbox.lock();
            if state.phase == Phase::Closed {
                return;
            }
            // Whoever hands over wakes it too; then it is tried a little sooner.
            drop(self.outbox.work.wait_timeout(state, REOPEN_INTERVAL));
            self.options.salt = fastrand::u32(..);
            match open(&self.storage, self.options, &self.outbox.counters.sink) {
                Ok(queue) => {
                    tracing::warn!(sink = %self.outbox.counters.sink, "the queue is kept on disk again");
                    self.queue = Some(queue);
                }
                Err(error) => {
                    tracing::debug!(sink = %self.outbox.counters.sink, %error, "the queue cannot be opened");
                }
            }
        }
    }

    fn close(self) {
        if !self.unkept.is_empty() {
            let lost = self.unkept.len();
            tracing::error!(sink = %self.outbox.counters.sink, lost, "emissions are lost: the queue on disk is full, or fails");
            self.outbox.counters.dropped("stopped").inc_by(lost as u64);
        }
        if let Some(queue) = self.queue
            && let Err(error) = queue.close()
        {
            tracing::error!(sink = %self.outbox.counters.sink, %error, "the queue on disk cannot be closed");
        }
    }
}

fn open(
    storage: &Arc<dyn Storage>,
    options: disk::OutboxOptions,
    sink: &str,
) -> Result<disk::Outbox, disk::OutboxOpenError> {
    let (queue, found) = disk::Outbox::open(Arc::clone(storage), options)?;
    for quarantined in &found.log.quarantined {
        tracing::error!(sink, file = quarantined.file, reason = %quarantined.reason, "a part of the queue cannot be read");
    }
    for missing in &found.log.missing {
        let lost = missing.last.0 - missing.first.0 + 1;
        tracing::error!(sink, lost, "emissions of the queue are lost");
    }
    if found.waiting > 0 {
        tracing::info!(
            sink,
            emissions = found.waiting,
            bytes = found.waiting_bytes,
            "emissions wait from before"
        );
    }
    Ok(queue)
}

fn has_room(state: &State) -> bool {
    state.bytes < WINDOW_BYTES_MAX
}

/// What the sink can see at once, in memory.
const WINDOW_BYTES_MAX: usize = 4 << 20;
/// What was put down is synced this often.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How long it waits before it opens the files again.
const REOPEN_INTERVAL: Duration = Duration::from_secs(1);
const SEGMENT_BYTES_MIN: u64 = 256 << 10;
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
