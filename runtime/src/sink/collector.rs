//! A sink that is read by whoever made it, for rules that are tried and examined, and for queries that somebody looks on.

use super::outbox::{Outbox, Sequence};
use super::running::SinkHandle;
use crate::config::{OnFull, SinkConfig, SinkFormat, SinkKind, SinkQueue};
use crate::emit::EncodedEmission;
use crate::telemetry::sink::SinkMetrics;
use std::sync::Arc;
use std::time::Duration;

/// The emissions of a rule, until they are taken.
#[derive(Debug)]
pub struct Collector {
    outbox: Arc<Outbox>,
}

impl Collector {
    /// A collector, and the handle for the rule whose emissions it gets.
    pub(crate) fn new(name: &str, metrics: &SinkMetrics) -> (Self, SinkHandle) {
        Self::bounded(name, metrics, usize::MAX)
    }

    /// The same; when so many bytes wait to be taken, the oldest emissions are dropped for new ones.
    pub(crate) fn bounded(name: &str, metrics: &SinkMetrics, queue_bytes_max: usize) -> (Self, SinkHandle) {
        let config = SinkConfig {
            kind: SinkKind::Log,
            format: SinkFormat::Array,
            queue_bytes_max,
            on_full: OnFull::DropOldest,
            queue: SinkQueue::Memory,
            id_field: None,
        };
        let outbox = Arc::new(Outbox::new(&config, metrics.of(&Arc::from(name))));
        let collector = Collector {
            outbox: Arc::clone(&outbox),
        };
        (collector, SinkHandle::to(outbox))
    }

    /// The emissions since it was asked last, in their order.
    pub fn take(&self) -> Vec<EncodedEmission> {
        let mut emissions = Vec::new();
        while let Some((sequence, emission)) = self.outbox.next(Sequence::START) {
            self.outbox.done(sequence);
            emissions.push(emission);
        }
        emissions
    }

    /// The same; when there are none, it waits for one, for so long at most. Safe to cancel.
    pub(crate) async fn wait(&self, patience: Duration) -> Vec<EncodedEmission> {
        // What was waited for is still there to be taken.
        let _arrived = tokio::time::timeout(patience, self.outbox.wait_next(Sequence::START)).await;
        self.take()
    }
}
