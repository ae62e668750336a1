//! How the results of shadows compare with those of the versions that run.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use rulemill_core::Micros;
use std::sync::{Arc, Mutex, PoisonError};

/// The counters of all shadows. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct ShadowFamilies {
    results: Family<OutcomeLabels, Counter>,
    rows: Family<SideLabels, Counter>,
}

/// The counters of one shadow. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct ShadowMetrics {
    /// Results that were the same.
    pub equal: Counter,
    /// Results that were not.
    pub different: Counter,
    /// Results that were too many, or too large, to be kept until the other side had its own.
    pub skipped: Counter,
    /// Rows that only the version that runs had.
    pub rows_running: Counter,
    /// Rows that only the shadow had.
    pub rows_shadow: Counter,
    last_difference: Arc<Mutex<Option<Difference>>>,
}

/// A result that was not the same, with the first rows that only one side had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// When it was found.
    pub at: Micros,
    /// The window's start and end; `None` for a rule without a window.
    pub window: Option<(Micros, Micros)>,
    /// Of the version that runs.
    pub running: Excess,
    /// Of the shadow.
    pub shadow: Excess,
}

/// The rows of a result that one side had and the other did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excess {
    /// How many there are.
    pub rows: u64,
    /// The first of them, as JSON; long ones are cut.
    pub examples: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    rule: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SideLabels {
    rule: Arc<str>,
    only_in: &'static str,
}

impl ShadowFamilies {
    /// Registers the counters under `rulemill_shadow_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let families = Self::default();
        let shadow = registry.sub_registry_with_prefix("shadow");
        let help = "Results of a rule's shadow compared with those of the version that runs: windows, or batches where there is \
                    no window; outcome is equal, different or skipped";
        shadow.register("results", help, families.results.clone());
        let help = "Rows that only the version that runs had, or only its shadow";
        shadow.register("rows", help, families.rows.clone());
        families
    }

    /// The counters of the shadow of a rule, from zero.
    pub fn start(&self, rule: &Arc<str>) -> ShadowMetrics {
        self.remove(rule);
        let outcome = |outcome| {
            let rule = Arc::clone(rule);
            self.results.get_or_create_owned(&OutcomeLabels { rule, outcome })
        };
        let side = |only_in| {
            let rule = Arc::clone(rule);
            self.rows.get_or_create_owned(&SideLabels { rule, only_in })
        };
        ShadowMetrics {
            equal: outcome(EQUAL),
            different: outcome(DIFFERENT),
            skipped: outcome(SKIPPED),
            rows_running: side(RUNNING),
            rows_shadow: side(SHADOW),
            last_difference: Arc::default(),
        }
    }

    /// Forgets a shadow that is gone.
    pub fn remove(&self, rule: &Arc<str>) {
        for outcome in [EQUAL, DIFFERENT, SKIPPED] {
            let rule = Arc::clone(rule);
            self.results.remove(&OutcomeLabels { rule, outcome });
        }
        for only_in in [RUNNING, SHADOW] {
            let rule = Arc::clone(rule);
            self.rows.remove(&SideLabels { rule, only_in });
        }
    }
}

impl ShadowMetrics {
    /// Counts a result that was not the same, and keeps it. True: it was the first.
    pub fn differs(&self, difference: Difference) -> bool {
        self.rows_running.inc_by(difference.running.rows);
        self.rows_shadow.inc_by(difference.shadow.rows);
        let mut last = self.last_difference.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(difference);
        self.different.inc() == 0
    }

    /// The latest result that was not the same.
    pub fn last_difference(&self) -> Option<Difference> {
        let last = self.last_difference.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

const EQUAL: &str = "equal";
const DIFFERENT: &str = "different";
const SKIPPED: &str = "skipped";
const RUNNING: &str = "running";
const SHADOW: &str = "shadow";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Telemetry;

    #[test]
    fn a_shadow_counts_from_zero_until_it_is_removed() {
        let mut telemetry = Telemetry::start();
        let families = ShadowFamilies::register(&mut telemetry.registry);
        let rule = Arc::from("mean");
        let difference = || Difference {
            at: Micros(1),
            window: None,
            running: Excess {
                rows: 2,
                examples: Vec::new(),
            },
            shadow: Excess::default(),
        };
        let metrics = families.start(&rule);
        assert!(metrics.differs(difference()) && !metrics.differs(difference()));
        assert_eq!(metrics.last_difference(), Some(difference()));
        let text = telemetry.encode();
        for line in [
            "rulemill_shadow_results_total{rule=\"mean\",outcome=\"different\"} 2",
            "rulemill_shadow_rows_total{rule=\"mean\",only_in=\"running\"} 4",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        assert_eq!(families.start(&rule).different.get(), 0);
        families.remove(&rule);
        assert!(!telemetry.encode().contains("\"mean\""));
    }
}
