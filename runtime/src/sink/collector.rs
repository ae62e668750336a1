//! A sink that is read by whoever made it, for rules that are tried and examined. Not part of the flow.

use super::outbox::{Outbox, Sequence};
use super::running::SinkHandle;
use crate::config::{OnFull, SinkConfig, SinkFormat, SinkKind, SinkQueue};
use crate::emit::EncodedEmission;
use crate::telemetry::sink::SinkMetrics;
use std::sync::Arc;

/// The emissions of a rule, until they are taken.
#[derive(Debug)]
pub struct Collector {
    outbox: Arc<Outbox>,
}

impl Collector {
    /// A collector, and the handle for the rule whose emissions it gets.
    pub(crate) fn new(name: &str, metrics: &SinkMetrics) -> (Self, SinkHandle) {
        let config = SinkConfig {
            kind: SinkKind::Log,
            format: SinkFormat::Array,
            queue_bytes_max: usize::MAX,
            on_full: OnFull::DropNewest,
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
}
