//! What comes out of a stream: emissions, dead rows and counts.

use crate::{Column, Micros};
use std::sync::Arc;

/// The output of one or more calls of a stream. The caller takes what it wants and clears it, which keeps the memory.
#[derive(Debug, Default)]
pub struct Output {
    /// The emissions; those of one rule in the order of their windows. A window of many groups gives its emission in pieces,
    /// over several calls; the emission of the next window of the stream, of whichever rule, begins when it has ended.
    pub emissions: Vec<Emission>,
    /// The rows that could not be processed.
    pub dead: Vec<DeadRow>,
    /// What happened in each rule, any number of entries for a rule.
    pub counts: Vec<RuleCounts>,
}

impl Output {
    /// Removes everything and keeps the memory.
    pub fn clear(&mut self) {
        self.emissions.clear();
        self.dead.clear();
        self.counts.clear();
    }
}

/// The rows that leave together: those of a closed window, or of a batch for a rule without a window; or a piece of them.
/// Only the last of several pieces may have no rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// The rule's id.
    pub rule: Arc<str>,
    /// The window's start and end; `None` for a rule without a window.
    pub window: Option<(Micros, Micros)>,
    /// The names of the columns, ascending. Of columns of one name, the first that is not null in a row counts. An empty
    /// name stands for the members of the objects in its column.
    pub names: Arc<[Arc<str>]>,
    /// The columns, in the order of the names.
    pub columns: Vec<Column>,
    /// How many rows each column has.
    pub rows: usize,
    /// Whether this is a piece, and the next emission of a window goes on with it.
    pub more: bool,
}

/// A row that could not be processed, for one rule.
#[derive(Clone, Debug, PartialEq)]
pub enum DeadRow {
    /// A message.
    Message {
        /// The rule's id.
        rule: Arc<str>,
        /// The message's position in the batch.
        row: u32,
        /// What kind of thing went wrong.
        fault: Fault,
        /// Why, for a person.
        reason: String,
    },
    /// A group of a closed window; or a row that came with an earlier batch, waited, and could not be added to its window.
    Group {
        /// The rule's id.
        rule: Arc<str>,
        /// The window's start and end.
        window: (Micros, Micros),
        /// The names of the columns that were known by then: keys, window start and end, aggregates. A row has no
        /// aggregates.
        names: Arc<[Arc<str>]>,
        /// The columns, of one row each, in the order of the names.
        columns: Vec<Column>,
        /// What kind of thing went wrong.
        fault: Fault,
        /// Why, for a person.
        reason: String,
    },
}

impl DeadRow {
    /// The rule's id.
    pub fn rule(&self) -> &Arc<str> {
        match self {
            DeadRow::Message { rule, .. } | DeadRow::Group { rule, .. } => rule,
        }
    }

    /// What kind of thing went wrong.
    pub fn fault(&self) -> Fault {
        match self {
            DeadRow::Message { fault, .. } | DeadRow::Group { fault, .. } => *fault,
        }
    }

    /// Why, for a person.
    pub fn reason(&self) -> &str {
        match self {
            DeadRow::Message { reason, .. } | DeadRow::Group { reason, .. } => reason,
        }
    }
}

/// What kind of thing made a row dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A field that the rule needs, or the event time, is null, missing or of another type.
    Rejected,
    /// A function or a kernel refused the row, or an aggregate has no result for the group.
    Row,
    /// A guest trapped, overran, failed as a whole, returned a bad result, or was not there.
    Guest,
    /// A guest was not called, because it failed batch after batch.
    Suspended,
    /// The row came after its window had closed, and the rule wants to see such rows.
    Late,
    /// A bound was reached: see [`Bounds`](crate::Bounds).
    Bound,
}

/// The counts of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCounts {
    /// The rule's id.
    pub rule: Arc<str>,
    /// What happened.
    pub counts: Counts,
}

/// What happened in a rule. Each message that came in is counted once more: as filtered, late, dead, or in a window (or
/// emitted, for a rule without a window).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches with a message that came in.
    pub batches: u64,
    /// Messages that came in.
    pub rows_in: u64,
    /// Messages that `keep` (for a rule without a window also `having` or `limit`) left out.
    pub rows_filtered: u64,
    /// Messages whose window had closed, whatever the policy.
    pub rows_late: u64,
    /// Messages that went to dead letter; late ones are not counted again.
    pub rows_dead: u64,
    /// Messages that went into a window.
    pub rows_windowed: u64,
    /// Windows that closed.
    pub windows_closed: u64,
    /// Groups that went to dead letter; also rows that had waited for their window.
    pub groups_dead: u64,
    /// Groups that `having` or `limit` left out.
    pub groups_filtered: u64,
    /// Emissions.
    pub emissions: u64,
    /// Rows in these emissions.
    pub rows_out: u64,
}
