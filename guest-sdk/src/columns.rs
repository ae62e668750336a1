//! The contract's columns, as guests see them. One buffer for each bulk part; a text column is one string and its ends.

pub use crate::bindings::library::rulemill::guest::columns::{Batch, Blobs, Cells, Column, Failure, Texts};

/// An error of one row, as the contract carries it.
pub use crate::bindings::library::rulemill::guest::columns::RowError as RowErrorAt;

use crate::bits;
use crate::types::RowError;
use rulemill_plan::{Literal, Type};

impl Column {
    /// A column without nulls.
    pub fn new(cells: Cells) -> Self {
        Column {
            valid: Vec::new(),
            cells,
        }
    }

    /// One row that holds a literal as a value of this type; `None` when it does not fit.
    pub(crate) fn constant(literal: &Literal, kind: Type) -> Option<Self> {
        let cells = match (literal, kind) {
            (Literal::Null, _) => return Some(Column::null(kind)),
            (Literal::Bool(value), Type::Bool) => Cells::Bools(vec![u64::from(*value)]),
            (Literal::Int(value), Type::Int) => Cells::Ints(vec![*value]),
            (Literal::Int(value), Type::Time) => Cells::Times(vec![*value]),
            (Literal::Int(value), Type::Float) => Cells::Floats(vec![crate::kind::float_of(*value)]),
            (Literal::Float(value), Type::Float) => Cells::Floats(vec![*value]),
            (Literal::Text(value), Type::Text) => Cells::Texts(Texts::one(value)),
            (Literal::Text(value), Type::Json) => Cells::Json(Texts::one(value)),
            (Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) | Literal::Text(_), _) => return None,
        };
        Some(Column::new(cells))
    }

    /// One row that is null.
    fn null(kind: Type) -> Self {
        let cells = match kind {
            Type::Bool => Cells::Bools(vec![0]),
            Type::Int => Cells::Ints(vec![0]),
            Type::Float => Cells::Floats(vec![0.0]),
            Type::Time => Cells::Times(vec![0]),
            Type::Text => Cells::Texts(Texts::one("")),
            Type::Bytes => Cells::Bytes(Blobs {
                data: Vec::new(),
                ends: vec![0],
            }),
            Type::Json => Cells::Json(Texts::one("")),
        };
        Column { valid: vec![0], cells }
    }

    /// The column's type.
    pub fn kind(&self) -> Type {
        match &self.cells {
            Cells::Bools(_) => Type::Bool,
            Cells::Ints(_) => Type::Int,
            Cells::Floats(_) => Type::Float,
            Cells::Times(_) => Type::Time,
            Cells::Texts(_) => Type::Text,
            Cells::Bytes(_) => Type::Bytes,
            Cells::Json(_) => Type::Json,
        }
    }

    /// Whether row `row` is null.
    pub fn is_null(&self, row: usize) -> bool {
        !bits::is_set(&self.valid, row)
    }

    /// Whether there is a cell, and a validity bit where there are any, for each of so many rows.
    pub(crate) fn covers(&self, rows: usize) -> bool {
        let words = bits::words_of(rows);
        let cells = match &self.cells {
            Cells::Bools(bits) => bits.is_empty() || bits.len() == words,
            Cells::Ints(values) | Cells::Times(values) => values.len() == rows,
            Cells::Floats(values) => values.len() == rows,
            Cells::Texts(texts) | Cells::Json(texts) => texts.ends.len() == rows,
            Cells::Bytes(blobs) => blobs.ends.len() == rows,
        };
        cells && (self.valid.is_empty() || self.valid.len() == words)
    }
}

impl Texts {
    pub(crate) fn one(text: &str) -> Self {
        let mut texts = Texts::default();
        texts.push(text);
        texts
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, text: &str) {
        self.data.push_str(text);
        self.ends.push(end_of(self.data.len()));
    }

    /// Row `row`, which must exist.
    #[inline]
    pub fn get(&self, row: usize) -> &str {
        let (start, end) = range_of(&self.ends, row);
        &self.data[start..end]
    }
}

#[expect(clippy::derivable_impls, reason = "the struct is generated")]
impl Default for Texts {
    fn default() -> Self {
        Texts {
            data: String::new(),
            ends: Vec::new(),
        }
    }
}

impl Blobs {
    /// Appends a row.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.ends.push(end_of(self.data.len()));
    }

    /// Row `row`, which must exist.
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let (start, end) = range_of(&self.ends, row);
        &self.data[start..end]
    }
}

#[expect(clippy::derivable_impls, reason = "the struct is generated")]
impl Default for Blobs {
    fn default() -> Self {
        Blobs {
            data: Vec::new(),
            ends: Vec::new(),
        }
    }
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
        }
    }
}

impl RowErrorAt {
    pub(crate) fn at(row: usize, error: RowError) -> Self {
        RowErrorAt {
            row: u32::try_from(row).expect("a batch has fewer than 2^32 rows: its count is 32 bits"),
            message: error.into_message(),
        }
    }
}

#[inline]
fn range_of(ends: &[u32], row: usize) -> (usize, usize) {
    let start = if row == 0 { 0 } else { ends[row - 1] };
    (start as usize, ends[row] as usize)
}

fn end_of(len: usize) -> u32 {
    u32::try_from(len).expect("a column stays below 4 GiB, which a guest's memory cannot hold")
}
