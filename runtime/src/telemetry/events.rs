//! What is logged and counted in one place, so that a line in the log always has its number in a metric.

use super::mill::MillMetrics;
use super::rate_limit::{RateLimited, Verdict};
use super::rule::RuleMetrics;
use crate::clock;
use std::fmt::Display;
use std::sync::Arc;
use tracing::{error, info, warn};

/// The events of messages and rules. A clone shares limits and counters.
#[derive(Clone, Debug)]
pub struct Events {
    mill: MillMetrics,
    repeats: Arc<RateLimited<Repeat>>,
}

/// What may come in floods, and is logged only so many times a second.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repeat {
    Bad(Arc<str>, &'static str),
    Dead(Arc<str>, &'static str),
    Trap(Arc<str>),
}

/// The most lines a second for one kind of event of one source or rule.
const LINES_PER_SECOND_MAX: u32 = 1;

impl Events {
    /// Events that count into `mill`.
    pub fn new(mill: MillMetrics) -> Self {
        Self {
            mill,
            repeats: Arc::new(RateLimited::new(LINES_PER_SECOND_MAX)),
        }
    }

    /// A message of `source` could not be decoded.
    pub fn bad_message(&self, source: &Arc<str>, topic: &str, reason: &'static str, detail: impl Display) {
        self.mill.bad(source, reason, 1);
        if let Some(suppressed) = self.may_log(Repeat::Bad(Arc::clone(source), reason)) {
            warn!(%source, topic, reason, %detail, suppressed, "message rejected");
        }
    }

    /// `rows` rows of a rule went to the dead-letter output; `detail` is of the first.
    pub fn dead_rows(&self, rule: &RuleMetrics, reason: &'static str, rows: u64, detail: impl Display) {
        rule.dead_rows(reason, rows);
        rule.exception(detail.to_string(), clock::wall());
        if let Some(suppressed) = self.may_log(Repeat::Dead(Arc::clone(rule.name()), reason)) {
            warn!(rule = %rule.name(), reason, rows, %detail, suppressed, "rows rejected");
        }
    }

    /// A call of a rule's kernel trapped or overran.
    pub fn trap(&self, rule: &RuleMetrics, error: impl Display) {
        rule.traps.inc();
        rule.exception(error.to_string(), clock::wall());
        if let Some(suppressed) = self.may_log(Repeat::Trap(Arc::clone(rule.name()))) {
            error!(rule = %rule.name(), %error, suppressed, "rule trapped");
        }
    }

    /// A version of a rule was taken.
    pub fn loaded(&self, rule: &RuleMetrics, version: &str, digest: &str) {
        rule.reloads_ok.inc();
        info!(rule = %rule.name(), version, digest, "rule loaded");
    }

    /// A version of a rule was refused; what ran before goes on.
    pub fn refused(&self, rule: &RuleMetrics, digest: &str, reason: impl Display) {
        rule.reloads_refused.inc();
        error!(rule = %rule.name(), digest, %reason, "rule refused");
    }

    /// The number of suppressed lines when this one may be logged.
    fn may_log(&self, repeat: Repeat) -> Option<u64> {
        match self.repeats.check(repeat, clock::monotonic()) {
            Verdict::Log { suppressed } => Some(suppressed),
            Verdict::Suppress => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Telemetry;
    use crate::telemetry::rule::RuleFamilies;

    #[test]
    fn what_is_not_logged_any_more_is_still_counted() {
        let mut telemetry = Telemetry::start();
        let events = Events::new(MillMetrics::register(&mut telemetry.registry));
        let rule = RuleFamilies::register(&mut telemetry.registry).rule(&Arc::from("mean"));
        let source = Arc::from("default");
        for _ in 0..1000 {
            events.bad_message(&source, "a/b", "not_json", "expected a value");
            events.trap(&rule, "unreachable");
        }
        events.dead_rows(&rule, "row", 7, "index out of range");
        let text = telemetry.encode();
        let line = "rulemill_mill_bad_messages_total{source=\"default\",reason=\"not_json\"} 1000";
        assert!(text.contains(line), "{text}");
        assert_eq!((rule.traps.get(), rule.dead_rows_total()), (1000, 7));
        assert_eq!(rule.last_exception().unwrap().message, "index out of range");
    }

    #[test]
    fn reloads_are_counted_by_their_outcome() {
        let mut telemetry = Telemetry::start();
        let events = Events::new(MillMetrics::register(&mut telemetry.registry));
        let rule = RuleFamilies::register(&mut telemetry.registry).rule(&Arc::from("mean"));
        events.loaded(&rule, "1.0", "abc");
        events.refused(&rule, "def", "unknown import");
        events.refused(&rule, "def", "unknown import");
        assert_eq!((rule.reloads_ok.get(), rule.reloads_refused.get()), (1, 2));
    }
}
