//! The metrics of all stages.

use crate::telemetry::Telemetry;
use crate::telemetry::code_cache::CodeCacheMetrics;
use crate::telemetry::dead_letter::DeadLetterMetrics;
use crate::telemetry::journal::JournalMetrics;
use crate::telemetry::listener::ListenerMetrics;
use crate::telemetry::mill::MillMetrics;
use crate::telemetry::rule::RuleFamilies;
use crate::telemetry::sink::SinkMetrics;
use crate::telemetry::source::SourcesMetrics;

/// The metrics of all stages.
pub(super) struct Metrics {
    pub(super) sources: SourcesMetrics,
    pub(super) listener: ListenerMetrics,
    pub(super) mills: MillMetrics,
    pub(super) rules: RuleFamilies,
    pub(super) code_cache: CodeCacheMetrics,
    pub(super) journal: JournalMetrics,
    pub(super) sinks: SinkMetrics,
    pub(super) dead_letters: DeadLetterMetrics,
}

impl Metrics {
    /// Registers them all.
    pub(super) fn register(telemetry: &mut Telemetry) -> Self {
        let registry = &mut telemetry.registry;
        let metrics = Metrics {
            sources: SourcesMetrics::default(),
            listener: ListenerMetrics::default(),
            mills: MillMetrics::register(registry),
            rules: RuleFamilies::register(registry),
            code_cache: CodeCacheMetrics::register(registry),
            journal: JournalMetrics::register(registry),
            sinks: SinkMetrics::default(),
            dead_letters: DeadLetterMetrics::default(),
        };
        metrics.sources.register(registry);
        metrics.listener.register(registry);
        metrics.sinks.register(registry);
        metrics.dead_letters.register(registry);
        metrics
    }
}
