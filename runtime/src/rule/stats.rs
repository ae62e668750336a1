//! Accounting of guest calls, kept by the thread that makes them and read between batches.

use rulemill_core::CallError;
use std::time::Duration;

/// What the calls of one function, or of one rule's kernels, have cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallStats {
    /// Calls made, failed ones included.
    pub calls: u64,
    /// Rows handed over.
    pub rows: u64,
    /// Time spent in them, crossing included.
    pub time: Duration,
    /// Rows that the guest could not compute.
    pub row_errors: u64,
    /// Calls that trapped, overran their time, or returned what was not agreed.
    pub traps: u64,
}

impl CallStats {
    /// Books one call that took so long.
    pub(super) fn account<R>(
        &mut self,
        took: Duration,
        rows: usize,
        result: &Result<R, CallError>,
        row_errors: impl FnOnce(&R) -> usize,
    ) {
        self.calls += 1;
        self.rows += rows as u64;
        self.time += took;
        match result {
            Ok(value) => self.row_errors += row_errors(value) as u64,
            Err(CallError::Trap(_) | CallError::BadResult(_)) => self.traps += 1,
            Err(
                CallError::Failure(_) | CallError::Unavailable(_) | CallError::OutOfTime(_) | CallError::Suspended(_),
            ) => {}
        }
    }

    /// Adds another account to this one.
    pub fn add(&mut self, other: &CallStats) {
        self.calls += other.calls;
        self.rows += other.rows;
        self.time += other.time;
        self.row_errors += other.row_errors;
        self.traps += other.traps;
    }

    /// What came after `earlier`, which must be an older reading of the same account.
    pub fn since(&self, earlier: &CallStats) -> CallStats {
        CallStats {
            calls: self.calls - earlier.calls,
            rows: self.rows - earlier.rows,
            time: self.time - earlier.time,
            row_errors: self.row_errors - earlier.row_errors,
            traps: self.traps - earlier.traps,
        }
    }
}
