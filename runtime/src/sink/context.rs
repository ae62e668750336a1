//! What every sink's task is given: its queue, its metrics, where its rejected rows go, and when to stop.

use super::outbox::Outbox;
use crate::config::SinkQueue;
use crate::emit::{DeadLetterKind, DeadLetters, EncodedEmission, EncodedRow};
use crate::telemetry::sink::SinkCounters;
use std::sync::Arc;
use tokio::sync::watch;

/// The queue of a sink and what belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// What is to be delivered.
    pub(crate) outbox: Arc<Outbox>,
    /// Where the queue is.
    pub(crate) queue: SinkQueue,
    /// The member of each row that tells its id, if there is to be one.
    pub(crate) id_field: Option<Arc<str>>,
    /// Whether the sink is this machine's: its standard output, or a file.
    pub(crate) is_local: bool,
    /// Whether it has a connection that is there or not.
    pub(crate) has_connection: bool,
    /// What was delivered.
    pub(crate) counters: SinkCounters,
    /// Where rows go that cannot be delivered.
    pub(crate) dead_letters: DeadLetters,
}

/// Resolves when a sink's task is to stop. The queue has been drained by then, or its time is up.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// Stops a sink's task; dropping it does the same.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<bool>);

impl Delivery {
    /// Whether nobody takes anything at the moment.
    pub(crate) fn is_away(&self) -> bool {
        self.has_connection && self.counters.connected.get() == 0
    }

    /// Whether what is in the queue is safe at some time without the journal: it is on disk, or goes to one that is always there.
    /// What waits in memory for a server may wait for days.
    pub(crate) fn is_recoverable(&self) -> bool {
        match self.queue {
            SinkQueue::Disk => true,
            SinkQueue::Memory => self.is_local,
        }
    }

    /// An emission as it is sent: with the ids of its rows, if these are asked for.
    pub(crate) fn addressed(&self, emission: EncodedEmission) -> EncodedEmission {
        match &self.id_field {
            Some(field) => emission.with_ids(field),
            None => emission,
        }
    }

    /// Counts an emission as delivered.
    pub(crate) fn delivered(&self, emissions: u64, rows: usize, bytes: usize) {
        self.counters.emissions.inc_by(emissions);
        self.counters.rows.inc_by(rows as u64);
        self.counters.bytes.inc_by(bytes as u64);
    }

    /// Sends a row of `emission` to dead letter.
    pub(crate) fn reject_row(&self, emission: &EncodedEmission, row: &[u8], kind: DeadLetterKind, reason: &str) {
        let reason = format!("sink {}: {reason}", self.counters.sink);
        self.dead_letters
            .row(&emission.rule, emission.window, EncodedRow { json: row }, kind, &reason);
    }
}

impl Stop {
    /// Waits until the stop is requested. Safe to cancel.
    pub(crate) async fn requested(&mut self) {
        // An error means that the other side is gone: stop as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

impl Stopper {
    /// A pair of the two sides.
    pub(crate) fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Stop(receiver))
    }

    /// Requests the stop.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}
