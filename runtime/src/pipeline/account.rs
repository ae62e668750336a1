//! What rules and functions did, booked into their metrics.
//!
//! All of it is read now and then: reading it for each of thousands of lone messages, of which each is for hundreds of
//! rules, would cost more than the messages.

use super::streams::StreamEntry;
use crate::clock;
use crate::rule::{CallStats, MillGuests};
use crate::telemetry::rule::{FunctionMetrics, RuleFamilies, RuleMetrics};
use rulemill_core::{Counts, KernelsId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The readings of one mill thread.
pub(super) struct Accounts {
    families: RuleFamilies,
    functions: HashMap<(String, String), FunctionAccount>,
    kernels: HashMap<KernelsId, CallStats>,
    /// When the next reading is due; `None` while nothing has happened since the last one.
    due: Option<Instant>,
}

struct FunctionAccount {
    metrics: FunctionMetrics,
    booked: CallStats,
}

impl Accounts {
    /// Accounts that book into `families`.
    pub(super) fn new(families: RuleFamilies) -> Self {
        Accounts {
            families,
            functions: HashMap::new(),
            kernels: HashMap::new(),
            due: None,
        }
    }

    /// Says that something happened that a reading would show.
    pub(super) fn touch(&mut self) {
        if self.due.is_none() {
            self.due = Some(clock::monotonic() + READING_INTERVAL);
        }
    }

    /// How long until a reading is due.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(clock::monotonic()))
    }

    /// Whether a reading is due.
    pub(super) fn is_due(&self) -> bool {
        self.wait() == Some(Duration::ZERO)
    }

    /// Reads what guests cost and what windows hold.
    pub(super) fn settle<'r>(
        &mut self,
        guests: &mut MillGuests,
        streams: &[StreamEntry],
        rules: impl Iterator<Item = (&'r Arc<str>, &'r RuleMetrics)>,
    ) {
        self.due = None;
        self.read_functions(guests);
        let rules: HashMap<&Arc<str>, &RuleMetrics> = rules.collect();
        self.read_kernels(guests, &rules);
        for (id, metrics) in rules {
            let states = streams.iter().filter_map(|entry| entry.stream.rule_state(id));
            let (windows, groups) = states.fold((0, 0), |(windows, groups), state| {
                (windows + state.open_windows, groups + state.groups)
            });
            metrics.windows_open.set(i64::try_from(windows).unwrap_or(i64::MAX));
            metrics.groups_open.set(i64::try_from(groups).unwrap_or(i64::MAX));
        }
        tell_notes(guests);
    }

    fn read_functions(&mut self, guests: &MillGuests) {
        // Several call sites may belong to one function.
        let mut totals: HashMap<(&str, &str), CallStats> = HashMap::new();
        for (library, function, stats) in guests.function_stats() {
            totals.entry((library, function)).or_default().add(stats);
        }
        for ((library, function), total) in totals {
            let key = (library.to_owned(), function.to_owned());
            let account = self.functions.entry(key).or_insert_with(|| FunctionAccount {
                metrics: self.families.function(&library.into(), &function.into()),
                booked: CallStats::default(),
            });
            let new = total.since(&account.booked);
            account.booked = total;
            account.metrics.calls.inc_by(new.calls);
            account.metrics.rows.inc_by(new.rows);
            account.metrics.seconds.inc_by(new.time.as_secs_f64());
            account.metrics.errors.inc_by(new.row_errors);
        }
    }

    fn read_kernels(&mut self, guests: &MillGuests, rules: &HashMap<&Arc<str>, &RuleMetrics>) {
        let mut booked = HashMap::new();
        for (rule, id, stats) in guests.kernel_stats() {
            let before = self.kernels.get(&id).copied().unwrap_or_default();
            let new = stats.since(&before);
            booked.insert(id, *stats);
            if let Some(metrics) = rules.get(rule) {
                metrics.guest_calls.inc_by(new.calls);
                metrics.guest_seconds.inc_by(new.time.as_secs_f64());
                metrics.row_errors.inc_by(new.row_errors);
                metrics.traps.inc_by(new.traps);
            }
        }
        self.kernels = booked;
    }
}

/// Books what happened to rows, or when windows closed.
pub(super) fn count(metrics: &RuleMetrics, counts: &Counts) {
    if counts.rows_in > 0 {
        metrics.batches.inc_by(counts.batches);
        metrics.rows_in.inc_by(counts.rows_in);
        let lost = counts.rows_filtered + counts.rows_dead + counts.rows_late;
        metrics.rows_kept.inc_by(counts.rows_in.saturating_sub(lost));
    }
    metrics.rows_late.inc_by(counts.rows_late);
    metrics.emissions.inc_by(counts.emissions);
    metrics.rows_out.inc_by(counts.rows_out);
}

/// Books rows and groups that went to dead letter for the same reason; the status shows the last one's detail.
pub(super) fn dead(metrics: &RuleMetrics, reason: &'static str, rows: usize, detail: &str) {
    metrics.dead_rows(reason, rows as u64);
    metrics.exception(detail.to_owned(), clock::wall());
}

fn tell_notes(guests: &mut MillGuests) {
    for (who, notes, dropped) in guests.take_notes() {
        for note in notes {
            tracing::info!(guest = who, note, "a guest notes");
        }
        if dropped > 0 {
            tracing::info!(guest = who, dropped, "notes beyond the bound were dropped");
        }
    }
}

/// How often guests and windows are read while something happens.
const READING_INTERVAL: Duration = Duration::from_millis(250);
