//! What one evaluation is given: columns of the call and constants of the call site.

use crate::bits;
use crate::columns::{Column, Failure};
use crate::kind::Kind;

/// The arguments of one evaluation, in the order of the parameters.
#[derive(Debug)]
pub struct Arguments<'r> {
    rows: usize,
    columns: Vec<Argument<'r>>,
}

/// One argument: a cell for each row, or the same cell for all.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument<'r> {
    Column(&'r Column),
    Constant(&'r Column),
}

/// One argument, ready to be read as a `K`.
pub struct Reader<'r, K: Kind + ?Sized> {
    cells: K::Cells<'r>,
    valid: &'r [u64],
    /// All ones for a column, zero for a constant, so that reading a row needs no branch.
    mask: usize,
}

/// The rows for which the function is not called because an argument is null.
#[derive(Debug, Default)]
pub struct Skipped {
    /// The rows to call it for; `None`: all of them.
    called: Option<Vec<u64>>,
}

impl<'r> Arguments<'r> {
    /// Fails unless every column has exactly `rows` rows.
    pub(crate) fn new(rows: usize, columns: Vec<Argument<'r>>) -> Result<Self, Failure> {
        for (position, argument) in columns.iter().enumerate() {
            if let Argument::Column(column) = argument
                && !column.covers(rows)
            {
                return Err(Failure::new(format!("argument {} must have {rows} rows", position + 1)));
            }
        }
        Ok(Arguments { rows, columns })
    }

    /// How many rows are asked for.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The argument at `position`, for reading as a `K`.
    pub fn reader<K: Kind + ?Sized>(&self, position: usize) -> Result<Reader<'r, K>, Failure> {
        let (column, mask) = match self.columns.get(position) {
            Some(Argument::Column(column)) => (*column, usize::MAX),
            Some(Argument::Constant(column)) => (*column, 0),
            None => return Err(Failure::new(format!("argument {} is missing", position + 1))),
        };
        let cells = K::cells(column).ok_or_else(|| {
            let (wanted, got) = (K::TYPE, column.kind());
            Failure::new(format!("argument {} must be {wanted}, got {got}", position + 1))
        })?;
        Ok(Reader {
            cells,
            valid: &column.valid,
            mask,
        })
    }
}

impl<'r, K: Kind + ?Sized> Reader<'r, K> {
    /// The cell of row `row`, whether it is null or not.
    #[inline]
    pub fn get(&self, row: usize) -> K::Ref<'r> {
        K::get(&self.cells, row & self.mask)
    }

    /// Whether row `row` is null.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        !bits::is_set(self.valid, row & self.mask)
    }
}

impl Skipped {
    /// Adds the rows where `reader` is null.
    pub fn add_nulls_of<K: Kind + ?Sized>(&mut self, reader: &Reader<'_, K>, rows: usize) {
        if reader.valid.is_empty() {
            return;
        }
        let called = match (&self.called, reader.mask) {
            (_, 0) if reader.is_null(0) => vec![0; bits::words_of(rows)],
            (_, 0) => return,
            (Some(called), _) => bits::and(called, reader.valid),
            (None, _) => reader.valid.to_vec(),
        };
        self.called = Some(called);
    }

    /// Whether the function is not called for row `row`.
    #[inline]
    pub fn contains(&self, row: usize) -> bool {
        self.called.as_ref().is_some_and(|called| !bits::is_set(called, row))
    }
}
