//! What every sink's task is given: its queue, its metrics, where its rejected rows go, and when to stop.

use super::outbox::Outbox;
use crate::emit::{DeadLetterKind, DeadLetters, EncodedEmission, EncodedRow};
use crate::telemetry::sink::SinkCounters;
use std::sync::Arc;
use tokio::sync::watch;

/// The queue of a sink and what belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// What is to be delivered.
    pub(crate) outbox: Arc<Outbox>,
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
