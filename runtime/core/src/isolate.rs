//! Finding the rows that make a guest trap. Guests are pure, so a batch may be run again in halves until the rows to
//! blame stand alone; all others are processed exactly once.

use crate::{CallError, Column, Fault, Guests, KernelsId, RowError, Rows, SiteId};
use rulemill_plan::Type;
use std::ops::Range;

/// One step over some rows, tried on parts of them from front to back.
pub(crate) trait Attempt {
    /// Computes the rows of `part` and keeps what came out, or keeps nothing.
    fn call(&mut self, part: Range<usize>) -> Result<(), CallError>;

    /// Notes that the rows of `part` cannot be computed.
    fn give_up(&mut self, part: Range<usize>, error: &CallError);
}

/// The most rows in one call, so that the close of a huge window stays within a guest's time and memory.
const ROWS_PER_CALL_MAX: usize = 8192;

/// Tries the rows, then halves of what trapped, down to single rows, until `trapped_max` calls have trapped; what traps
/// after that is given up whole. A call that fails without a trap is given up at once: fewer rows would not help. So is what
/// there is no time for.
pub(crate) fn isolate(rows: usize, trapped_max: usize, attempt: &mut dyn Attempt) {
    let mut trapped = 0;
    let mut start = 0;
    loop {
        let end = rows.min(start + ROWS_PER_CALL_MAX);
        if let Err(error) = attempt.call(start..end) {
            trapped += 1;
            halve(start..end, error, trapped_max, &mut trapped, attempt);
        }
        start = end;
        if start == rows {
            return;
        }
    }
}

/// Goes on after the call of `part` ended with `error`.
fn halve(part: Range<usize>, error: CallError, trapped_max: usize, trapped: &mut usize, attempt: &mut dyn Attempt) {
    // The part to go on with is on top, so that parts are done from front to back.
    let mut parts = vec![(part, Some(error))];
    while let Some((part, error)) = parts.pop() {
        let error = error.or_else(|| {
            let error = attempt.call(part.clone()).err();
            *trapped += usize::from(error.is_some());
            error
        });
        let Some(error) = error else { continue };
        if part.len() <= 1 || *trapped > trapped_max || !worth_halving(&error) {
            attempt.give_up(part, &error);
        } else {
            let middle = part.start + part.len() / 2;
            parts.push((middle..part.end, None));
            parts.push((part.start..middle, None));
        }
    }
}

fn worth_halving(error: &CallError) -> bool {
    match error {
        CallError::Trap(_) | CallError::BadResult(_) => true,
        CallError::Failure(_) | CallError::Unavailable(_) | CallError::OutOfTime(_) | CallError::Suspended(_) => false,
    }
}

/// What a step gave for its rows.
#[derive(Debug, Default)]
pub(crate) struct Computed {
    /// The columns, of exactly as many rows as were asked for; null where a row has an error.
    pub(crate) columns: Vec<Column>,
    /// The rows that could not be computed, ascending, each once.
    pub(crate) errors: Vec<FailedRow>,
}

/// A row that could not be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedRow {
    pub(crate) row: u32,
    pub(crate) message: String,
    pub(crate) blame: Blame,
}

/// What a row's failure says about the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The guest refused this row; an immutable function always will.
    Row,
    /// The guest trapped, which may have been for want of time, or had no time left.
    Trap,
    /// The call as a whole failed; the next one may not.
    Call,
    /// The call was not made, for what others before it did.
    Suspended,
}

impl Blame {
    /// What a call says that gave nothing.
    pub(crate) fn of(error: &CallError) -> Self {
        match error {
            CallError::Trap(_) | CallError::BadResult(_) | CallError::OutOfTime(_) => Blame::Trap,
            CallError::Failure(_) | CallError::Unavailable(_) => Blame::Call,
            CallError::Suspended(_) => Blame::Suspended,
        }
    }

    pub(crate) fn fault(self) -> Fault {
        match self {
            Blame::Row => Fault::Row,
            Blame::Trap | Blame::Call => Fault::Guest,
            Blame::Suspended => Fault::Suspended,
        }
    }
}

/// Computes a scalar function.
pub(crate) fn evaluate(
    guests: &mut dyn Guests,
    site: SiteId,
    returns: Type,
    rows: Rows<'_>,
    trapped_max: usize,
) -> Computed {
    let mut call = |guests: &mut dyn Guests, rows: Rows<'_>| {
        let (column, errors) = guests.evaluate(site, rows)?;
        Ok((vec![column], errors))
    };
    compute(guests, &mut call, &[returns], rows, trapped_max)
}

/// Runs a kernel.
pub(crate) fn run(
    guests: &mut dyn Guests,
    (kernels, kernel): (KernelsId, u32),
    outputs: &[Type],
    rows: Rows<'_>,
    trapped_max: usize,
) -> Computed {
    let mut call = |guests: &mut dyn Guests, rows: Rows<'_>| guests.run(kernels, kernel, rows, outputs);
    compute(guests, &mut call, outputs, rows, trapped_max)
}

type Call<'a> = &'a mut dyn FnMut(&mut dyn Guests, Rows<'_>) -> Result<(Vec<Column>, Vec<RowError>), CallError>;

fn compute(guests: &mut dyn Guests, call: Call<'_>, outputs: &[Type], rows: Rows<'_>, trapped_max: usize) -> Computed {
    let mut computation = Computation {
        guests,
        call,
        outputs,
        rows,
        computed: Computed::default(),
    };
    isolate(rows.rows, trapped_max, &mut computation);
    let mut computed = computation.computed;
    for failed in &computed.errors {
        for column in &mut computed.columns {
            column.set_null(failed.row as usize);
        }
    }
    computed
}

struct Computation<'a, 'g> {
    guests: &'g mut dyn Guests,
    call: Call<'a>,
    outputs: &'a [Type],
    rows: Rows<'a>,
    computed: Computed,
}

impl Attempt for Computation<'_, '_> {
    fn call(&mut self, part: Range<usize>) -> Result<(), CallError> {
        let whole = part.len() == self.rows.rows;
        let (columns, mut errors) = if whole {
            (self.call)(self.guests, self.rows)?
        } else {
            let slices: Vec<Column> = self
                .rows
                .columns
                .iter()
                .map(|column| column.slice(part.clone()))
                .collect();
            let columns: Vec<&Column> = slices.iter().collect();
            let rows = Rows {
                rows: part.len(),
                columns: &columns,
            };
            (self.call)(self.guests, rows)?
        };
        check(&columns, &errors, self.outputs, part.len())?;
        if whole {
            self.computed.columns = columns;
        } else {
            self.start_columns();
            for (to, from) in self.computed.columns.iter_mut().zip(&columns) {
                to.append(from);
            }
        }
        errors.sort_by_key(|error| error.row);
        errors.dedup_by_key(|error| error.row);
        self.computed.errors.extend(errors.into_iter().map(|error| FailedRow {
            row: error.row + row_number(part.start),
            message: error.message,
            blame: Blame::Row,
        }));
        Ok(())
    }

    fn give_up(&mut self, part: Range<usize>, error: &CallError) {
        self.start_columns();
        for column in &mut self.computed.columns {
            for _ in part.clone() {
                column.push_null();
            }
        }
        self.computed.errors.extend(part.map(|row| FailedRow {
            row: row_number(row),
            message: error.to_string(),
            blame: Blame::of(error),
        }));
    }
}

impl Computation<'_, '_> {
    fn start_columns(&mut self) {
        if self.computed.columns.is_empty() {
            self.computed.columns = self.outputs.iter().map(|&kind| Column::empty(kind)).collect();
        }
    }
}

/// Guests' results are checked by the host; this keeps a host that forgot it from panicking the thread.
fn check(columns: &[Column], errors: &[RowError], outputs: &[Type], rows: usize) -> Result<(), CallError> {
    let bad = |message: String| Err(CallError::BadResult(message));
    if columns.len() != outputs.len() {
        return bad(format!("{} columns, expected {}", columns.len(), outputs.len()));
    }
    for (column, &kind) in columns.iter().zip(outputs) {
        if column.kind() != kind {
            return bad(format!("a column of type {}, expected {kind}", column.kind()));
        }
        if column.len() != rows || column.valid.as_ref().is_some_and(|valid| valid.len() != rows) {
            return bad(format!("a column of {} rows, expected {rows}", column.len()));
        }
    }
    check_errors(errors, rows)
}

/// Row errors must be of rows that were given.
pub(crate) fn check_errors(errors: &[RowError], rows: usize) -> Result<(), CallError> {
    match errors.iter().find(|error| error.row as usize >= rows) {
        Some(error) => Err(CallError::BadResult(format!(
            "an error of row {}, of {rows} rows",
            error.row
        ))),
        None => Ok(()),
    }
}

/// A row's position as guests and outputs carry it.
pub(crate) fn row_number(row: usize) -> u32 {
    u32::try_from(row).expect("batches and windows have fewer than 2^32 rows: both are bounded")
}
