//! Any columns as what a guest returned.

use crate::rule::fuzzed::{BlobsResult, CellsResult, ColumnResult, GuestRowError, TextsResult, lift, lift_errors};
use rulemill_core::{Cells, Column};
use rulemill_plan::Type;

/// Makes a column of the bytes, as a hostile guest would return it, and takes it over. What is taken holds together: each
/// row can be read.
///
/// # Panics
/// If that does not hold.
pub fn lifting(data: &[u8]) {
    let mut bytes = Source(data);
    let wanted = TYPES[usize::from(bytes.byte()) % TYPES.len()];
    let rows = usize::from(bytes.byte());
    let column = ColumnResult {
        valid: bytes.words(),
        cells: bytes.cells(),
    };
    if let Ok(column) = lift(column, wanted, rows) {
        check(&column, wanted, rows);
    }
    let errors: Vec<GuestRowError> = (0..usize::from(bytes.byte()))
        .map(|_| GuestRowError {
            row: bytes.number(),
            message: bytes.text(),
        })
        .collect();
    let count = errors.len();
    let texts_max = usize::from(bytes.byte());
    if let Ok((errors, silenced)) = lift_errors(errors, rows, texts_max) {
        assert_eq!(errors.len(), count);
        assert_eq!(silenced, count.saturating_sub(texts_max) as u64);
        assert!(errors.iter().all(|error| (error.row as usize) < rows));
    }
}

fn check(column: &Column, wanted: Type, rows: usize) {
    assert_eq!((column.kind(), column.cells.len()), (wanted, rows));
    let mut length = 0;
    for row in 0..rows {
        let _ = column.is_null(row);
        match &column.cells {
            Cells::Bools(bits) => drop(bits.get(row)),
            Cells::Texts(texts) | Cells::Json(texts) => length += texts.get(row).len(),
            Cells::Bytes(blobs) => length += blobs.get(row).len(),
            Cells::Ints(values) | Cells::Times(values) => assert_eq!(values.len(), rows),
            Cells::Floats(values) => assert_eq!(values.len(), rows),
        }
    }
    match &column.cells {
        Cells::Texts(texts) | Cells::Json(texts) => assert_eq!(length, texts.data().len()),
        Cells::Bytes(blobs) => assert_eq!(length, blobs.data().len()),
        Cells::Bools(_) | Cells::Ints(_) | Cells::Times(_) | Cells::Floats(_) => {}
    }
}

/// Bytes that become values; zeros, when there are none left.
struct Source<'d>(&'d [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    /// Mostly small, now and then anything.
    fn number(&mut self) -> u32 {
        match self.byte() {
            0xff => u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
            small => small.into(),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let length = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken.to_vec()
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.take()).into_owned()
    }

    fn words(&mut self) -> Vec<u64> {
        (0..self.byte() % 8)
            .map(|_| u64::from(self.number()) << 32 | u64::from(self.number()))
            .collect()
    }

    fn ends(&mut self) -> Vec<u32> {
        (0..self.byte()).map(|_| self.number()).collect()
    }

    fn texts(&mut self) -> TextsResult {
        TextsResult {
            data: self.text(),
            ends: self.ends(),
        }
    }

    fn ints(&mut self) -> Vec<i64> {
        self.ends().into_iter().map(i64::from).collect()
    }

    fn cells(&mut self) -> CellsResult {
        match self.byte() % 7 {
            0 => CellsResult::Bools(self.words()),
            1 => CellsResult::Ints(self.ints()),
            2 => CellsResult::Floats(
                self.ends()
                    .into_iter()
                    .map(|bits| f64::from(f32::from_bits(bits)))
                    .collect(),
            ),
            3 => CellsResult::Times(self.ints()),
            4 => CellsResult::Texts(self.texts()),
            5 => CellsResult::Json(self.texts()),
            _ => CellsResult::Bytes(BlobsResult {
                data: self.take(),
                ends: self.ends(),
            }),
        }
    }
}

const TYPES: [Type; 7] = [
    Type::Bool,
    Type::Int,
    Type::Float,
    Type::Time,
    Type::Text,
    Type::Json,
    Type::Bytes,
];
