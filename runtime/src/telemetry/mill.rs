//! The mill threads: messages in, decoding, what waits before them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The counters of all sources. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct MillMetrics {
    messages: Family<SourceLabels, Counter>,
    batches: Family<SourceLabels, Counter>,
    unmatched: Family<SourceLabels, Counter>,
    bad: Family<BadLabels, Counter>,
    decode: Counter<f64, AtomicU64>,
    waiting: Gauge,
}

/// The counters of one source. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct SourceMetrics {
    /// Messages that came to the mills.
    pub messages: Counter,
    /// Batches that came to the mills.
    pub batches: Counter,
    /// Messages whose topic no rule listens to.
    pub unmatched: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BadLabels {
    source: Arc<str>,
    reason: &'static str,
}

impl MillMetrics {
    /// Registers the counters under `rulemill_mill_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let mill = registry.sub_registry_with_prefix("mill");
        mill.register(
            "messages",
            "Messages that came to the mill threads",
            metrics.messages.clone(),
        );
        mill.register(
            "batches",
            "Batches that came to the mill threads",
            metrics.batches.clone(),
        );
        let help = "Messages whose topic no rule listens to; they are passed over";
        mill.register("unmatched_messages", help, metrics.unmatched.clone());
        let help = "Messages that could not be decoded; each goes to the dead-letter output";
        mill.register("bad_messages", help, metrics.bad.clone());
        let help = "Time spent decoding messages";
        mill.register_with_unit("decode", help, Unit::Seconds, metrics.decode.clone());
        let help = "Messages that were accepted and wait until the mill threads have room for a batch";
        mill.register("waiting_messages", help, metrics.waiting.clone());
        metrics
    }

    /// The counters of one source; made once, and kept where messages pass.
    pub fn source(&self, name: &Arc<str>) -> SourceMetrics {
        let labels = SourceLabels {
            source: Arc::clone(name),
        };
        SourceMetrics {
            messages: self.messages.get_or_create_owned(&labels),
            batches: self.batches.get_or_create_owned(&labels),
            unmatched: self.unmatched.get_or_create_owned(&labels),
        }
    }

    /// Counts messages that could not be decoded. Reasons are words of the code, so that there are few.
    pub fn bad(&self, source: &Arc<str>, reason: &'static str, messages: u64) {
        let source = Arc::clone(source);
        self.bad.get_or_create(&BadLabels { source, reason }).inc_by(messages);
    }

    /// Adds to the time spent decoding.
    pub fn decoded(&self, took: Duration) {
        self.decode.inc_by(took.as_secs_f64());
    }

    /// Says how many messages were accepted and are in no batch yet.
    pub fn waiting(&self, messages: usize) {
        self.waiting.set(i64::try_from(messages).unwrap_or(i64::MAX));
    }
}
