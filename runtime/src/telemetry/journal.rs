//! The journal and its checkpoints.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The metrics of the journal. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct JournalMetrics {
    /// Messages that were written.
    pub messages: Counter,
    /// Syncs that have succeeded.
    pub syncs: Counter,
    /// How often the disk has failed.
    pub failures: Counter,
    /// Messages that could not be read at the start: lost.
    pub lost: Counter,
    /// Messages that were processed again at the start.
    pub replayed: Counter,
    /// Checkpoints that were taken.
    pub checkpoints: Counter,
    /// Checkpoints that were not.
    pub checkpoint_failures: Counter,
    bytes: Gauge,
    checkpoint_bytes: Gauge,
    checkpoint_time: Counter<f64, AtomicU64>,
    blocked: Gauge,
}

impl JournalMetrics {
    /// Registers the metrics under `rulemill_journal_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let journal = registry.sub_registry_with_prefix("journal");
        let help = "Messages that were written to the journal";
        journal.register("messages", help, metrics.messages.clone());
        let help = "Syncs of the journal";
        journal.register("syncs", help, metrics.syncs.clone());
        let help = "Writes and syncs of the journal that the disk has failed";
        journal.register("failures", help, metrics.failures.clone());
        let help = "Records of the journal that could not be read at the start: what they held is lost";
        journal.register("lost_records", help, metrics.lost.clone());
        let help = "Messages that were processed again at the start";
        journal.register("replayed_messages", help, metrics.replayed.clone());
        let help = "Checkpoints that were taken";
        journal.register("checkpoints", help, metrics.checkpoints.clone());
        let help = "Checkpoints that could not be taken";
        journal.register("checkpoint_failures", help, metrics.checkpoint_failures.clone());
        let help = "Time from the beginning of a checkpoint to its end";
        journal.register_with_unit("checkpoint", help, Unit::Seconds, metrics.checkpoint_time.clone());
        let help = "The size of the journal";
        journal.register("bytes", help, metrics.bytes.clone());
        let help = "The size of the last checkpoint";
        journal.register("checkpoint_bytes", help, metrics.checkpoint_bytes.clone());
        let help = "1 while nothing is accepted, because the journal is full or the disk fails";
        journal.register("blocked", help, metrics.blocked.clone());
        metrics
    }

    /// The size of the journal.
    pub fn written(&self, bytes: u64) {
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A checkpoint was taken.
    pub fn checkpoint(&self, bytes: u64, took: Duration) {
        self.checkpoints.inc();
        self.checkpoint_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.checkpoint_time.inc_by(took.as_secs_f64());
    }

    /// Whether anything is accepted.
    pub fn blocked(&self, blocked: bool) {
        self.blocked.set(i64::from(blocked));
    }
}
