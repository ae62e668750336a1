//! What rules and functions did, booked into their metrics.
//!
//! All of it is read now and then: reading it for each of thousands of lone messages, of which each is for hundreds of
//! rules, would cost more than the messages.

use super::outlet::Outlet;
use super::streams::StreamEntry;
use crate::clock;
use crate::rule::{CallStats, GuestName, GuestReading, MillGuests, Operation, SuspendedCall};
use crate::telemetry::guest::{ShownSuspension, Suspended};
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
    /// What this thread adds to the gauges of each rule: one that moved to another thread finishes its windows here.
    open: HashMap<Arc<str>, Gauges>,
    suspended: Vec<(SuspendedCall, ShownSuspension)>,
    /// When the next reading is due; `None` while nothing has happened since the last one.
    due: Option<Instant>,
}

/// What this thread has added to the gauges of a rule, and what it is to be.
#[derive(Clone, Copy, Debug, Default)]
struct Gauges {
    booked: Open,
    now: Open,
}

/// What is open of a rule.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    windows: i64,
    groups: i64,
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
            open: HashMap::new(),
            suspended: Vec::new(),
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
    pub(super) fn settle(&mut self, guests: &mut MillGuests, streams: &[StreamEntry], outlet: &Outlet) {
        self.due = None;
        self.read_functions(guests);
        self.read_kernels(guests, outlet);
        self.read_windows(streams, outlet);
        for reading in guests.take_readings() {
            if has_series(&reading.guest, guests, outlet) {
                self.read_limits(&reading);
            }
            tell_notes(reading);
        }
        self.read_suspended(guests, outlet);
    }

    /// Reads what kernels have cost, before some of them go.
    pub(super) fn read_kernels(&mut self, guests: &MillGuests, outlet: &Outlet) {
        let mut booked = HashMap::new();
        for (rule, id, stats) in guests.kernel_stats() {
            let before = self.kernels.get(&id).copied().unwrap_or_default();
            let new = stats.since(&before);
            booked.insert(id, *stats);
            if let Some(metrics) = outlet.metrics(rule) {
                metrics.guest_calls.inc_by(new.calls);
                metrics.guest_rows.inc_by(new.rows);
                metrics.guest_seconds.inc_by(new.time.as_secs_f64());
                metrics.row_errors.inc_by(new.row_errors);
                metrics.traps.inc_by(new.traps);
            }
        }
        self.kernels = booked;
    }

    /// Closes the account of a rule of which nothing is open here any more.
    pub(super) fn close(&mut self, rule: &str, metrics: &RuleMetrics) {
        if let Some(mut gauges) = self.open.remove(rule) {
            gauges.now = Open::default();
            gauges.book(metrics);
        }
    }

    fn read_windows(&mut self, streams: &[StreamEntry], outlet: &Outlet) {
        for gauges in self.open.values_mut() {
            gauges.now = Open::default();
        }
        for stream in streams.iter().map(|entry| &entry.stream) {
            for rule in stream.rules() {
                let Some(state) = stream.rule_state(rule) else { continue };
                if !self.open.contains_key(rule) {
                    self.open.insert(Arc::clone(rule), Gauges::default());
                }
                if let Some(gauges) = self.open.get_mut(rule) {
                    gauges.now.windows += i64::try_from(state.open_windows).unwrap_or(i64::MAX);
                    gauges.now.groups += i64::try_from(state.groups).unwrap_or(i64::MAX);
                }
            }
        }
        for (rule, metrics) in outlet.rules() {
            if let Some(gauges) = self.open.get_mut(rule) {
                gauges.book(metrics);
            }
        }
    }

    /// Reads what functions have cost. The accounts of those that are loaded no more are closed.
    pub(super) fn read_functions(&mut self, guests: &MillGuests) {
        // Several call sites may belong to one function.
        let mut totals: HashMap<(&str, &str), CallStats> = HashMap::new();
        for (library, function, stats) in guests.function_stats() {
            totals.entry((library, function)).or_default().add(stats);
        }
        self.functions
            .retain(|(library, function), _| totals.contains_key(&(library.as_str(), function.as_str())));
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
            account.metrics.traps.inc_by(new.traps);
        }
    }

    /// Shows what is suspended, and tells when that begins and ends.
    fn read_suspended(&mut self, guests: &MillGuests, outlet: &Outlet) {
        let mut now = guests.suspended();
        now.retain(|call| has_series(&call.guest, guests, outlet));
        self.suspended.retain(|(before, _)| {
            let goes_on = now.iter().any(|call| call.is(before));
            if !goes_on && has_series(&before.guest, guests, outlet) {
                let (guest, what) = (&**before.guest.name(), what(before));
                tracing::info!(guest, what, "a guest is suspended no longer");
            }
            goes_on
        });
        for call in now {
            let shown = Suspended {
                what: what(&call),
                since: call.suspension.since,
                until: call.suspension.until,
                batches: call.suspension.batches,
                reason: call.suspension.reason.clone(),
            };
            if let Some((_, known)) = self.suspended.iter().find(|(before, _)| call.is(before)) {
                known.update(shown);
                continue;
            }
            let (guest, batches) = (&**call.guest.name(), shown.batches);
            let (what, reason) = (&shown.what, &shown.reason);
            tracing::error!(guest, what, batches, %reason, "a guest is suspended; its rows go to dead letter");
            let metrics = self.families.guests.guest(call.guest.name());
            self.suspended.push((call, metrics.suspend(shown)));
        }
    }

    fn read_limits(&self, reading: &GuestReading) {
        let metrics = self.families.guests.guest(reading.guest.name());
        metrics.memory(reading.memory_bytes_peak);
        for (limit, hits) in &reading.hits {
            metrics.limit_hits(limit.name(), *hits);
        }
    }
}

impl Gauges {
    /// Changes the gauges from what was open to what is.
    fn book(&mut self, metrics: &RuleMetrics) {
        metrics.windows_open.inc_by(self.now.windows - self.booked.windows);
        metrics.groups_open.inc_by(self.now.groups - self.booked.groups);
        self.booked = self.now;
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

/// The series of a guest that is gone have ended.
fn has_series(guest: &GuestName, guests: &MillGuests, outlet: &Outlet) -> bool {
    match guest {
        GuestName::Rule(id) => outlet.knows(id),
        GuestName::Library(name) => guests.library(name).is_some(),
    }
}

/// What is suspended, in words.
fn what(call: &SuspendedCall) -> String {
    let function = call.function.as_deref().unwrap_or_default();
    match call.suspension.operation {
        Operation::Kernel(number) => format!("kernel {number}"),
        Operation::Evaluate => format!("function {function}"),
        Operation::Initial | Operation::Accumulate => format!("aggregate {function}"),
        Operation::Finish => format!("result of aggregate {function}"),
    }
}

fn tell_notes(reading: GuestReading) {
    let (guest, dropped) = (&**reading.guest.name(), reading.notes_dropped);
    for note in reading.notes {
        tracing::info!(guest, note, "a guest notes");
    }
    if dropped > 0 {
        tracing::info!(guest, dropped, "notes beyond limits.notes_per_second_max were dropped");
    }
}

/// How often guests and windows are read while something happens.
const READING_INTERVAL: Duration = Duration::from_millis(250);
