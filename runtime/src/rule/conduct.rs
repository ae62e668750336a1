//! What the calls of one call site, of one accumulator or of one rule's kernels cost and did. Every call goes through here:
//! it may be refused, it has so much time, and it is booked.

use super::allowance::{Allowance, Allowed, CallTime, PART_MIN, budget};
use super::standing::{Outcome, Policy, Standing, Suspended};
use super::stats::CallStats;
use crate::clock;
use rulemill_core::{CallError, KernelsId, Micros};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// The account of a call site, an accumulator, or a rule's kernels.
#[derive(Debug, Default)]
pub(super) struct Conduct {
    /// What the calls have cost.
    pub(super) stats: CallStats,
    /// What each operation did, by operation.
    records: Vec<Record>,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A scalar function.
    Evaluate,
    /// The state of an empty group.
    Initial,
    /// Rows into states.
    Accumulate,
    /// States into results.
    Finish,
    /// The kernel of that number.
    Kernel(u32),
}

/// Whose account it is: a position among call sites or accumulators, or a rule's kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Site(usize),
    Accumulator(usize),
    Kernels(KernelsId),
}

/// One call that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) who: Who,
    pub(super) operation: Operation,
    /// The rows that it is about, or the groups.
    pub(super) rows: usize,
}

/// The batch at hand, over all guests.
#[derive(Debug)]
pub(super) struct Turn {
    /// Its number.
    pub(super) batch: u64,
    /// Whose conduct is to be judged when it ends.
    pub(super) unsettled: Vec<Who>,
    /// Since when times are counted.
    origin: Instant,
}

/// An operation that is suspended, with times by the wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// The operation.
    pub operation: Operation,
    /// Since when.
    pub since: Micros,
    /// From then on the next batch is tried.
    pub until: Micros,
    /// Batches that failed.
    pub batches: u32,
    /// Why the last one failed.
    pub reason: String,
}

#[derive(Debug)]
struct Record {
    operation: Operation,
    standing: Standing,
    /// The batch that the rest is about.
    batch: u64,
    /// The rows of the first call of the batch that failed; further calls are with parts of them.
    failed_rows: Option<usize>,
    /// Why the last call failed.
    reason: Option<String>,
    succeeded: bool,
    lost: Duration,
    /// Whether it is among what is to be judged.
    unsettled: bool,
}

impl Conduct {
    /// Makes a call, if it is not suspended and there is time for it.
    pub(super) fn make<G: Allowed, R>(
        &mut self,
        call: Call,
        turn: &mut Turn,
        guest: &mut G,
        run: impl FnOnce(&mut G) -> Result<R, CallError>,
        row_errors: impl FnOnce(&R) -> usize,
    ) -> Result<R, CallError> {
        let timeout = guest.call_timeout();
        let record = self.record(call.operation, turn.batch);
        record.check(turn)?;
        let time = record.admit(call.rows, guest.allowance().in_batch(turn.batch), timeout)?;
        guest.allow(time);
        let started = clock::monotonic();
        let result = run(guest);
        let took = clock::monotonic().duration_since(started);
        // What is bound between two batches has all the time.
        guest.allow(CallTime::Full);
        record.book(call.rows, took, &result, guest.allowance());
        if record.is_to_be_judged() {
            record.unsettled = true;
            turn.unsettled.push(call.who);
        }
        self.stats.account(took, call.rows_handed_over(), &result, row_errors);
        result
    }

    /// Judges what the batch showed.
    pub(super) fn settle(&mut self, turn: &Turn, policy: &Policy) {
        let now = turn.now();
        for record in self.records.iter_mut().filter(|record| record.unsettled) {
            record.unsettled = false;
            let outcome = Outcome {
                succeeded: record.succeeded,
                failed: record.reason.as_deref(),
                lost: record.lost,
            };
            record.standing.judge(outcome, now, policy);
        }
    }

    /// The code is another: nothing is held against it.
    pub(super) fn forgive(&mut self) {
        self.records.clear();
    }

    /// What is suspended.
    pub(super) fn suspensions(&self, turn: &Turn) -> impl Iterator<Item = Suspension> {
        self.records.iter().filter_map(|record| {
            let suspended = record.standing.suspended()?;
            Some(Suspension {
                operation: record.operation,
                since: turn.wall(suspended.since),
                until: turn.wall(suspended.until),
                batches: suspended.batches,
                reason: suspended.reason.clone(),
            })
        })
    }

    fn record(&mut self, operation: Operation, batch: u64) -> &mut Record {
        let found = self.records.binary_search_by_key(&operation, |record| record.operation);
        let position = found.unwrap_or_else(|position| {
            self.records.insert(position, Record::new(operation, batch));
            position
        });
        let record = &mut self.records[position];
        if record.batch != batch {
            record.begin(batch);
        }
        record
    }
}

impl Turn {
    /// The first one.
    pub(super) fn new() -> Self {
        Turn {
            batch: 0,
            unsettled: Vec::new(),
            origin: clock::monotonic(),
        }
    }

    fn now(&self) -> Duration {
        clock::monotonic().duration_since(self.origin)
    }

    /// A time of this clock by the wall clock, as that goes now.
    fn wall(&self, at: Duration) -> Micros {
        let (now, at) = (self.now().as_micros(), at.as_micros());
        let micros = |time: u128| i64::try_from(time).unwrap_or(i64::MAX);
        let past = micros(now.saturating_sub(at));
        let future = micros(at.saturating_sub(now));
        Micros(clock::wall().0.saturating_sub(past).saturating_add(future))
    }
}

impl Call {
    /// States are not rows.
    fn rows_handed_over(self) -> usize {
        match self.operation {
            Operation::Evaluate | Operation::Accumulate | Operation::Kernel(_) => self.rows,
            Operation::Initial | Operation::Finish => 0,
        }
    }
}

impl Record {
    fn new(operation: Operation, batch: u64) -> Self {
        Record {
            operation,
            standing: Standing::default(),
            batch,
            failed_rows: None,
            reason: None,
            succeeded: false,
            lost: Duration::ZERO,
            unsettled: false,
        }
    }

    fn begin(&mut self, batch: u64) {
        let standing = std::mem::take(&mut self.standing);
        *self = Record {
            standing,
            ..Record::new(self.operation, batch)
        };
    }

    /// Refuses what is suspended.
    fn check(&self, turn: &Turn) -> Result<(), CallError> {
        if self.standing.suspended().is_none() {
            return Ok(());
        }
        match self.standing.refuses(turn.now()) {
            None => Ok(()),
            Some(suspended) => Err(CallError::Suspended(refusal(suspended, turn.wall(suspended.until)))),
        }
    }

    /// How long a call may take.
    fn admit(&self, rows: usize, allowance: &Allowance, timeout: Duration) -> Result<CallTime, CallError> {
        let Some(of) = self.failed_rows else {
            return Ok(allowance.first(timeout));
        };
        allowance.part(rows, of, timeout).ok_or_else(|| {
            let shown = humantime::format_duration(budget(timeout));
            CallError::OutOfTime(format!(
                "calls that failed before took all of the {shown} that a batch may take once more (limits.call_timeout)"
            ))
        })
    }

    fn book<R>(&mut self, rows: usize, took: Duration, result: &Result<R, CallError>, allowance: &mut Allowance) {
        let failed = failed(result);
        if self.failed_rows.is_some() {
            allowance.book_part(took);
        } else {
            allowance.book_first(took, failed.is_some());
            self.failed_rows = failed.is_some().then_some(rows);
        }
        self.succeeded |= result.is_ok();
        if let Some(error) = failed {
            self.reason = Some(error.to_string());
            // What fails at once costs nobody anything.
            if took >= PART_MIN {
                self.lost = self.lost.saturating_add(took);
            }
        }
    }

    fn is_to_be_judged(&self) -> bool {
        !self.unsettled && (self.reason.is_some() || !self.standing.is_clear())
    }
}

/// How a call failed, if it did so in a way that lets its rows be tried again in parts.
fn failed<R>(result: &Result<R, CallError>) -> Option<&CallError> {
    match result {
        Ok(_) => None,
        Err(CallError::Failure(_) | CallError::Unavailable(_) | CallError::OutOfTime(_) | CallError::Suspended(_)) => {
            None
        }
        Err(error @ (CallError::Trap(_) | CallError::BadResult(_))) => Some(error),
    }
}

fn refusal(suspended: &Suspended, until: Micros) -> String {
    let until = UNIX_EPOCH + Duration::from_micros(u64::try_from(until.0).unwrap_or_default());
    format!(
        "until {}, after {} failing batches: {}",
        humantime::format_rfc3339_seconds(until),
        suspended.batches,
        suspended.reason
    )
}
