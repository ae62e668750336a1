//! The rules and the functions they call.

use super::guest::GuestFamilies;
use super::shadow::ShadowFamilies;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rulemill_core::Micros;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

/// The counters of all rules and functions. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct RuleFamilies {
    batches: Family<RuleLabels, Counter>,
    rows_in: Family<RuleLabels, Counter>,
    rows_kept: Family<RuleLabels, Counter>,
    rows_late: Family<RuleLabels, Counter>,
    rows_out: Family<RuleLabels, Counter>,
    row_errors: Family<RuleLabels, Counter>,
    dead_rows: Family<ReasonLabels, Counter>,
    emissions: Family<RuleLabels, Counter>,
    guest_calls: Family<RuleLabels, Counter>,
    guest_rows: Family<RuleLabels, Counter>,
    guest_seconds: Family<RuleLabels, Counter<f64, AtomicU64>>,
    traps: Family<RuleLabels, Counter>,
    groups_open: Family<RuleLabels, Gauge>,
    windows_open: Family<RuleLabels, Gauge>,
    reloads: Family<OutcomeLabels, Counter>,
    function_calls: Family<FunctionLabels, Counter>,
    function_rows: Family<FunctionLabels, Counter>,
    function_seconds: Family<FunctionLabels, Counter<f64, AtomicU64>>,
    function_errors: Family<FunctionLabels, Counter>,
    function_traps: Family<FunctionLabels, Counter>,
    /// What rules and libraries do to their limits.
    pub guests: GuestFamilies,
    /// How the results of shadows compare.
    pub shadows: ShadowFamilies,
    reasons: Arc<Mutex<BTreeSet<&'static str>>>,
}

/// The counters of one rule. A clone counts into the same, also over reloads.
#[derive(Clone, Debug)]
pub struct RuleMetrics {
    /// Batches with at least one message for the rule.
    pub batches: Counter,
    /// Rows that came in.
    pub rows_in: Counter,
    /// Rows that passed the filter.
    pub rows_kept: Counter,
    /// Rows that came after their window had closed.
    pub rows_late: Counter,
    /// Rows of emissions.
    pub rows_out: Counter,
    /// Rows that a guest could not compute.
    pub row_errors: Counter,
    /// Emissions.
    pub emissions: Counter,
    /// Calls of the rule's kernels.
    pub guest_calls: Counter,
    /// Rows of those calls.
    pub guest_rows: Counter,
    /// Seconds spent in the rule's kernels.
    pub guest_seconds: Counter<f64, AtomicU64>,
    /// Calls that trapped or overran.
    pub traps: Counter,
    /// Groups in open windows.
    pub groups_open: Gauge,
    /// Open windows.
    pub windows_open: Gauge,
    /// Versions that were taken.
    pub reloads_ok: Counter,
    /// Versions that were refused.
    pub reloads_refused: Counter,
    /// Versions that were worse than the one before, which came back.
    pub reloads_rolled_back: Counter,
    last_exception: Arc<Mutex<Option<Exception>>>,
    name: Arc<str>,
    families: RuleFamilies,
}

/// The latest thing that went wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// What, for people.
    pub message: String,
    /// When.
    pub at: Micros,
}

/// The counters of one function of a library. A clone counts into the same, also over reloads.
#[derive(Clone, Debug)]
pub struct FunctionMetrics {
    /// Calls, of whole columns.
    pub calls: Counter,
    /// Rows of those calls.
    pub rows: Counter,
    /// Seconds spent in them.
    pub seconds: Counter<f64, AtomicU64>,
    /// Rows that gave an error.
    pub errors: Counter,
    /// Calls that trapped, met a limit, or gave back what was not agreed.
    pub traps: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    rule: Arc<str>,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    rule: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FunctionLabels {
    library: Arc<str>,
    function: Arc<str>,
}

impl RuleFamilies {
    /// Registers the counters under `rulemill_rule_...` and `rulemill_function_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let families = RuleFamilies {
            guests: GuestFamilies::register(registry),
            shadows: ShadowFamilies::register(registry),
            ..Self::default()
        };
        families.register_rules(registry.sub_registry_with_prefix("rule"));
        families.register_functions(registry.sub_registry_with_prefix("function"));
        families
    }

    /// The counters of the rule called `name`; made once a rule, and kept where rows pass.
    pub fn rule(&self, name: &Arc<str>) -> RuleMetrics {
        let labels = RuleLabels { rule: Arc::clone(name) };
        let reloads = |outcome| {
            let rule = Arc::clone(name);
            self.reloads.get_or_create_owned(&OutcomeLabels { rule, outcome })
        };
        RuleMetrics {
            batches: self.batches.get_or_create_owned(&labels),
            rows_in: self.rows_in.get_or_create_owned(&labels),
            rows_kept: self.rows_kept.get_or_create_owned(&labels),
            rows_late: self.rows_late.get_or_create_owned(&labels),
            rows_out: self.rows_out.get_or_create_owned(&labels),
            row_errors: self.row_errors.get_or_create_owned(&labels),
            emissions: self.emissions.get_or_create_owned(&labels),
            guest_calls: self.guest_calls.get_or_create_owned(&labels),
            guest_rows: self.guest_rows.get_or_create_owned(&labels),
            guest_seconds: self.guest_seconds.get_or_create_owned(&labels),
            traps: self.traps.get_or_create_owned(&labels),
            groups_open: self.groups_open.get_or_create_owned(&labels),
            windows_open: self.windows_open.get_or_create_owned(&labels),
            reloads_ok: reloads(OK),
            reloads_refused: reloads(REFUSED),
            reloads_rolled_back: reloads(ROLLED_BACK),
            last_exception: Arc::default(),
            name: Arc::clone(name),
            families: self.clone(),
        }
    }

    /// The counters of one function; made once, and kept where it is called.
    pub fn function(&self, library: &Arc<str>, function: &Arc<str>) -> FunctionMetrics {
        let labels = FunctionLabels {
            library: Arc::clone(library),
            function: Arc::clone(function),
        };
        FunctionMetrics {
            calls: self.function_calls.get_or_create_owned(&labels),
            rows: self.function_rows.get_or_create_owned(&labels),
            seconds: self.function_seconds.get_or_create_owned(&labels),
            errors: self.function_errors.get_or_create_owned(&labels),
            traps: self.function_traps.get_or_create_owned(&labels),
        }
    }

    /// Forgets a rule whose file is gone, so that the number of series stays that of the rules.
    pub fn remove_rule(&self, name: &Arc<str>) {
        let labels = RuleLabels { rule: Arc::clone(name) };
        let counters = [
            &self.batches,
            &self.rows_in,
            &self.rows_kept,
            &self.rows_late,
            &self.rows_out,
            &self.row_errors,
            &self.emissions,
            &self.guest_calls,
            &self.guest_rows,
            &self.traps,
        ];
        for family in counters {
            family.remove(&labels);
        }
        self.guest_seconds.remove(&labels);
        self.guests.remove(name);
        self.groups_open.remove(&labels);
        self.windows_open.remove(&labels);
        for outcome in [OK, REFUSED, ROLLED_BACK] {
            let rule = Arc::clone(name);
            self.reloads.remove(&OutcomeLabels { rule, outcome });
        }
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        for &reason in reasons.iter() {
            let rule = Arc::clone(name);
            self.dead_rows.remove(&ReasonLabels { rule, reason });
        }
    }

    /// Forgets a function whose library is gone.
    pub fn remove_function(&self, library: &Arc<str>, function: &Arc<str>) {
        let labels = FunctionLabels {
            library: Arc::clone(library),
            function: Arc::clone(function),
        };
        self.function_calls.remove(&labels);
        self.function_rows.remove(&labels);
        self.function_seconds.remove(&labels);
        self.function_errors.remove(&labels);
        self.function_traps.remove(&labels);
    }

    fn register_rules(&self, rule: &mut Registry) {
        rule.register("batches", "Batches with a message for the rule", self.batches.clone());
        rule.register("rows_in", "Rows that came in", self.rows_in.clone());
        rule.register(
            "rows_kept",
            "Rows that passed the rule's filter",
            self.rows_kept.clone(),
        );
        let help = "Rows that came after their window had closed";
        rule.register("rows_late", help, self.rows_late.clone());
        rule.register("rows_out", "Rows of the rule's emissions", self.rows_out.clone());
        let help = "Rows that the rule or a function could not compute";
        rule.register("row_errors", help, self.row_errors.clone());
        rule.register(
            "dead_rows",
            "Messages and groups that went to the dead-letter output, by reason: rejected, row, guest, suspended, late or bound",
            self.dead_rows.clone(),
        );
        rule.register("emissions", "Emissions of the rule", self.emissions.clone());
        rule.register("guest_calls", "Calls of the rule's kernels", self.guest_calls.clone());
        rule.register("guest_rows", "Rows of those calls", self.guest_rows.clone());
        let help = "Time spent in the rule's kernels";
        rule.register_with_unit("guest", help, Unit::Seconds, self.guest_seconds.clone());
        let help = "Calls of the rule's kernels that trapped, met a limit, or gave back what was not agreed";
        rule.register("traps", help, self.traps.clone());
        rule.register(
            "groups_open",
            "Groups in the rule's open windows",
            self.groups_open.clone(),
        );
        rule.register("windows_open", "Open windows of the rule", self.windows_open.clone());
        let help = "New versions of the rule, by what became of them";
        rule.register("reloads", help, self.reloads.clone());
    }

    fn register_functions(&self, function: &mut Registry) {
        let help = "Calls of the function, each with whole columns";
        function.register("calls", help, self.function_calls.clone());
        function.register("rows", "Rows of those calls", self.function_rows.clone());
        let help = "Time spent in the function, with the way there and back";
        function.register_with_unit("call", help, Unit::Seconds, self.function_seconds.clone());
        function.register("row_errors", "Rows that gave an error", self.function_errors.clone());
        let help = "Calls that trapped, met a limit, or gave back what was not agreed";
        function.register("traps", help, self.function_traps.clone());
    }
}

impl RuleMetrics {
    /// The rule's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Keeps the latest thing that went wrong. It is shared by the clones of these counters only.
    pub fn exception(&self, message: String, at: Micros) {
        let mut last = self.last_exception.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Exception { message, at });
    }

    /// The latest thing that went wrong.
    pub fn last_exception(&self) -> Option<Exception> {
        let last = self.last_exception.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Counts rows that went to the dead-letter output. Reasons are words of the code, so that there are few.
    pub fn dead_rows(&self, reason: &'static str, rows: u64) {
        let rule = Arc::clone(&self.name);
        let labels = ReasonLabels { rule, reason };
        self.families.dead_rows.get_or_create(&labels).inc_by(rows);
        let mut reasons = self.families.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.insert(reason);
    }

    /// Rows that went to the dead-letter output, for whatever reason.
    pub fn dead_rows_total(&self) -> u64 {
        let reasons = self.families.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = reasons.iter().filter_map(|&reason| {
            let rule = Arc::clone(&self.name);
            let counter = self.families.dead_rows.get(&ReasonLabels { rule, reason })?;
            Some(counter.get())
        });
        counted.sum()
    }
}

const OK: &str = "ok";
const REFUSED: &str = "refused";
const ROLLED_BACK: &str = "rolled_back";

#[cfg(test)]
mod tests {
    use super::RuleFamilies;
    use crate::telemetry::Telemetry;
    use std::sync::Arc;

    #[test]
    fn a_rule_counts_under_its_name() {
        let mut telemetry = Telemetry::start();
        let families = RuleFamilies::register(&mut telemetry.registry);
        let rule = families.rule(&Arc::from("mean"));
        rule.rows_in.inc_by(5);
        rule.guest_seconds.inc_by(0.25);
        rule.dead_rows("row", 2);
        rule.dead_rows("late", 1);
        families.rule(&Arc::from("mean")).rows_in.inc();
        assert_eq!(rule.dead_rows_total(), 3);
        let text = telemetry.encode();
        for line in [
            "rulemill_rule_rows_in_total{rule=\"mean\"} 6",
            "rulemill_rule_guest_seconds_total{rule=\"mean\"} 0.25",
            "rulemill_rule_dead_rows_total{rule=\"mean\",reason=\"row\"} 2",
            "rulemill_rule_reloads_total{rule=\"mean\",outcome=\"refused\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_removed_rule_leaves_no_series_behind() {
        let mut telemetry = Telemetry::start();
        let families = RuleFamilies::register(&mut telemetry.registry);
        let (gone, stays) = (Arc::from("gone"), Arc::from("stays"));
        families.rule(&gone).dead_rows("late", 1);
        families.rule(&stays).dead_rows("late", 1);
        families.function(&gone, &gone).calls.inc();
        families.remove_rule(&gone);
        families.remove_function(&gone, &gone);
        let text = telemetry.encode();
        assert!(!text.contains("\"gone\""), "{text}");
        assert!(
            text.contains("rulemill_rule_dead_rows_total{rule=\"stays\",reason=\"late\"} 1"),
            "{text}"
        );
    }
}
