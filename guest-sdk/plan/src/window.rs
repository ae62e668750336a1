//! Windows and event time.

use crate::ColumnIndex;
use serde::{Deserialize, Serialize};

/// How rows are cut into windows. Windows are half-open, `[start, end)`. Those of a fixed size are aligned to the Unix
/// epoch. A window without rows gives no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// Windows of one size, one after the other.
    Tumbling {
        /// The size, in milliseconds; at least 1.
        size_ms: u64,
    },
    /// Windows of one size that overlap: one ends at each multiple of `hop_ms`, and a row is in each window around it.
    Hopping {
        /// The size, in milliseconds; at least 1.
        size_ms: u64,
        /// From the end of a window to the end of the next one, in milliseconds; at least 1, at most `size_ms`. A row is
        /// in at most [`OVERLAP_MAX`] windows, and costs as much as so many rows.
        hop_ms: u64,
    },
    /// Windows that end when no row comes: one for all rows of the rule, not one for each key. It begins with the first
    /// row.
    Session {
        /// How long after its last row a window ends, in milliseconds; at least 1. The end is no part of it.
        timeout_ms: u64,
        /// The longest that a window lasts, in milliseconds; at least 1. The next row begins another one.
        max_ms: u64,
    },
    /// The last rows of the rule, whichever their keys, with every so many of them. A window begins and ends with the times
    /// of its first and its last row, and both are part of it; it has fewer rows as long as there were not more.
    Count {
        /// How many rows a window has; at least 1.
        rows: u64,
        /// With how many more rows there is another window; at least 1, at most `rows`.
        every: u64,
    },
    /// A window for each row: the rows of the time before it, and those that come in the time after it. Without a delay
    /// the row is the last one of its window, which ends with its time; with one, the end is no part of the window.
    Sliding {
        /// How long before its row a window begins, in milliseconds; at least 1. The beginning is part of it.
        size_ms: u64,
        /// How long after its row a window ends, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        delay_ms: u64,
        /// A boolean column of the before file: only rows where it is true have a window; null is false. The others are
        /// in the windows of these. Left out: all rows have one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when: Option<ColumnIndex>,
    },
    /// Windows from a row to a row: one for all rows of the rule, not one for each key. Both rows are part of it, and it
    /// begins and ends with their times. Rows between two windows are left out, and counted as filtered.
    State {
        /// A boolean column of the before file: a row where it is true begins a window, unless one is open. Null is false.
        begin: ColumnIndex,
        /// A boolean column of the before file: a row where it is true ends the open window, also one that it begins.
        emit: ColumnIndex,
    },
}

impl Window {
    /// Whether rows decide when a window begins and ends, and not the time alone.
    pub fn depends_on_rows(self) -> bool {
        match self {
            Window::Tumbling { .. } | Window::Hopping { .. } => false,
            Window::Session { .. } | Window::Count { .. } | Window::Sliding { .. } | Window::State { .. } => true,
        }
    }
}

/// The most windows that a row may be in.
pub const OVERLAP_MAX: u64 = 10_000;

/// Windows by a time that the message carries, instead of the time of its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventTime {
    /// The column with the time of the event; of type time. A row where it is null goes to dead letter.
    pub column: ColumnIndex,
    /// The watermark is the largest time seen, less this, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lateness_ms: u64,
    /// What happens to a row whose window has closed.
    #[serde(default)]
    pub late: LatePolicy,
    /// After this long without a row, in milliseconds of arrival time, the watermark follows the arrival time, so that
    /// silence does not keep windows open. Left out: windows wait for the next row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
}

/// What happens to a row that comes after its window has closed. It is counted in each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LatePolicy {
    /// It is dropped.
    #[default]
    Drop,
    /// It goes to the dead-letter output.
    DeadLetter,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to skip_serializing_if"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
