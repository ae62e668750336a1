//! What flows to mill threads, in one order for all of them: batches of messages, and the time.
//!
//! What a mill does with its state depends on this and on its commands alone, not on how fast it is or on its own reading
//! of a clock.

use super::journal::state::MillState;
use crate::config::OnStop;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX};
use crate::message::{Audience, Delivery, Message};
use rulemill_core::Micros;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

/// The next thing that happens to a mill.
#[derive(Clone, Debug)]
pub(super) enum Flow {
    /// Messages have arrived.
    Batch(Arc<Batch>),
    /// It is this time, and nothing has arrived before it that was not handed over. The number is its place in the order.
    Tick(Micros, u64),
    /// Here a checkpoint is taken: the mill says what its state is.
    Checkpoint(Arc<Barrier>),
}

/// A place between two batches at which all mills say what their state is.
#[derive(Debug)]
pub(super) struct Barrier {
    /// Where to.
    pub(super) states: mpsc::Sender<MillState>,
    /// What becomes of open windows before that.
    pub(super) windows: OnStop,
}

/// Messages that are worked on at once: deliveries of one source for one audience, within the bounds of a batch unless one
/// delivery alone is beyond them.
#[derive(Debug)]
pub(super) struct Batch {
    /// The clock of arrivals when the batch was made.
    pub(super) now: Micros,
    /// Its place in the order of batches and ticks: the number of its record, or where there is no journal one that ascends.
    pub(super) position: u64,
    /// The place of its emissions, of which their ids are made: the same, unless it is in no journal.
    pub(super) place: u64,
    /// What came last before it in that order.
    pub(super) before: u64,
    deliveries: Vec<Delivery>,
}

/// A batch that is being put together.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    deliveries: Vec<Delivery>,
    rows: usize,
    bytes: usize,
}

/// The queue before one mill thread. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct MillQueue {
    sender: mpsc::Sender<Flow>,
    wanted: Wanted,
}

/// Whether a mill wants batches: one without rules is not woken for nothing. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

impl Batch {
    /// Whose messages these are.
    pub(super) fn source(&self) -> &Arc<str> {
        &self.deliveries[0].source
    }

    /// For whom they were brought.
    pub(super) fn audience(&self) -> &Audience {
        &self.deliveries[0].audience
    }

    /// The messages, in order.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.deliveries.iter().flat_map(|delivery| delivery.messages.iter())
    }
}

impl Gathering {
    /// Whether a delivery belongs into this batch.
    pub(super) fn takes(&self, delivery: &Delivery) -> bool {
        let Some(first) = self.deliveries.first() else {
            return true;
        };
        first.source == delivery.source
            && first.audience.is(&delivery.audience)
            && self.rows + delivery.messages.len() <= BATCH_ROWS_MAX
            && self.bytes + delivery.payload_bytes() <= BATCH_BYTES_MAX
    }

    /// Puts a delivery in.
    pub(super) fn add(&mut self, delivery: Delivery) {
        self.rows += delivery.messages.len();
        self.bytes += delivery.payload_bytes();
        self.deliveries.push(delivery);
    }

    /// The batch, made at `now`; `None`: there is nothing in it.
    pub(super) fn finish(self, now: Micros) -> Option<Batch> {
        let Gathering { deliveries, .. } = self;
        (!deliveries.is_empty()).then_some(Batch {
            now,
            position: 0,
            place: 0,
            before: 0,
            deliveries,
        })
    }

    /// How many messages are in it.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }
}

impl MillQueue {
    /// A queue that no batch is put into before it is wanted.
    pub(super) fn idle(sender: mpsc::Sender<Flow>) -> Self {
        MillQueue {
            sender,
            wanted: Wanted::default(),
        }
    }

    /// Says whether batches go there.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Where to put batches; `None`: it wants none.
    pub(super) fn open(&self) -> Option<&mpsc::Sender<Flow>> {
        self.wanted.0.load(Ordering::Acquire).then_some(&self.sender)
    }
}

impl Wanted {
    /// From now on it does.
    pub(super) fn want(&self) {
        self.0.store(true, Ordering::Release);
    }
}
