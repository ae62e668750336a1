//! The watermark of a version in event time: how far event time has come.

use crate::program::EventTiming;
use crate::snapshot::{SnapshotError, Source, Writer};

/// How far event time has come, in microseconds; it goes back only with the clock. Rows of windows that end at or before
/// it are late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watermark {
    /// What rows say, and versions before this one.
    by_rows: i64,
    /// What the time of arrival says in their absence.
    by_arrival: i64,
    /// When the last row arrived that had a usable time.
    last_row: Option<i64>,
}

impl Default for Watermark {
    fn default() -> Self {
        Watermark {
            by_rows: i64::MIN,
            by_arrival: i64::MIN,
            last_row: None,
        }
    }
}

impl Watermark {
    pub(crate) fn time(&self) -> i64 {
        self.by_rows.max(self.by_arrival)
    }

    /// How far it has come by rows, which stays so when the clock is set back.
    pub(crate) fn by_rows(&self) -> i64 {
        self.by_rows
    }

    /// A row comes; gives whether it is late. `end` is that of its window.
    #[inline]
    pub(crate) fn see(&mut self, time: i64, end: i64, clock: i64, timing: &EventTiming) -> bool {
        self.pass(clock, timing);
        self.last_row = Some(clock);
        // A row's own time never makes it late: its window ends after it.
        self.raise(time.saturating_sub(timing.lateness));
        end <= self.time()
    }

    /// Time passes without a row. After the idle time, the watermark follows the time of arrival.
    #[inline]
    pub(crate) fn pass(&mut self, clock: i64, timing: &EventTiming) {
        if let (Some(idle), Some(last_row)) = (timing.idle, self.last_row)
            && clock.saturating_sub(last_row) >= idle
        {
            self.follow(clock, timing);
        }
    }

    /// Follows the time of arrival.
    pub(crate) fn follow(&mut self, clock: i64, timing: &EventTiming) {
        self.by_arrival = self.by_arrival.max(clock.saturating_sub(timing.lateness));
    }

    /// When it begins to follow the time of arrival, if no row comes.
    pub(crate) fn idle_at(&self, timing: &EventTiming) -> Option<i64> {
        Some(self.last_row?.saturating_add(timing.idle?))
    }

    /// The clock of arrivals was set back by so much. What it said was wrong; what rows said was not.
    pub(crate) fn set_back(&mut self, by: i64) {
        self.by_arrival = i64::MIN;
        self.last_row = self.last_row.map(|last_row| last_row.saturating_sub(by));
    }

    /// Takes over how far another one has come.
    pub(crate) fn catch_up(&mut self, other: &Watermark) {
        self.by_rows = self.by_rows.max(other.by_rows);
        self.by_arrival = self.by_arrival.max(other.by_arrival);
        self.last_row = self.last_row.max(other.last_row);
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.i64(self.by_rows);
        to.i64(self.by_arrival);
        to.option_i64(self.last_row);
    }

    pub(crate) fn read(from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        Ok(Watermark {
            by_rows: from.i64()?,
            by_arrival: from.i64()?,
            last_row: from.option_i64()?,
        })
    }

    /// Windows that end at or before a time take no more rows.
    pub(crate) fn raise(&mut self, time: i64) {
        self.by_rows = self.by_rows.max(time);
    }
}
