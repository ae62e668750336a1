//! What a rule did, booked into its metrics and its status.

use crate::clock;
use crate::telemetry::rule::RuleMetrics;
use rulemill_core::{Counts, Micros};
use std::sync::{Arc, Mutex, PoisonError};

/// The account of one rule. A clone books into the same.
#[derive(Clone, Debug)]
pub(super) struct RuleAccount {
    metrics: RuleMetrics,
    /// Written when a row fails, read by the status. Held for a copy.
    last_failure: Arc<Mutex<Option<LastFailure>>>,
}

/// The last thing that went wrong with a row of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LastFailure {
    /// What went wrong.
    pub(super) reason: String,
    /// When, by the wall clock.
    pub(super) at: Micros,
}

impl RuleAccount {
    /// An account that books into `metrics`.
    pub(super) fn new(metrics: RuleMetrics) -> Self {
        RuleAccount {
            metrics,
            last_failure: Arc::default(),
        }
    }

    /// Books what happened in a batch or when windows closed.
    pub(super) fn count(&self, counts: &Counts) {
        let metrics = &self.metrics;
        if counts.rows_in > 0 {
            metrics.batches.inc();
            metrics.rows_in.inc_by(counts.rows_in);
            let lost = counts.rows_filtered + counts.rows_dead + counts.rows_late;
            metrics.rows_kept.inc_by(counts.rows_in.saturating_sub(lost));
        }
        metrics.rows_late.inc_by(counts.rows_late);
        metrics.emissions.inc_by(counts.emissions);
        metrics.rows_out.inc_by(counts.rows_out);
        if counts.rows_dead > 0 {
            metrics.dead_rows("message", counts.rows_dead);
        }
        if counts.groups_dead > 0 {
            metrics.dead_rows("group", counts.groups_dead);
        }
    }

    /// Notes why a row failed.
    pub(super) fn failed(&self, reason: &str) {
        let failure = LastFailure {
            reason: reason.to_owned(),
            at: clock::wall(),
        };
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// Why the last row failed.
    pub(super) fn last_failure(&self) -> Option<LastFailure> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The metrics that it books into.
    pub(super) fn metrics(&self) -> &RuleMetrics {
        &self.metrics
    }
}
