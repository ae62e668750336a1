//! An emission as bytes, ready for any sink.

use bytes::Bytes;
use rulemill_core::Micros;
use std::sync::Arc;

/// The rows that one rule emitted together, as one JSON array: `[{"a":1},{"a":2}]`.
#[derive(Clone, Debug)]
pub struct EncodedEmission {
    /// The rule's id: the name of its file without `.wasm`.
    pub rule: Arc<str>,
    /// The window's start and end; `None` for a rule without a window.
    pub window: Option<(Micros, Micros)>,
    /// The array, brackets included.
    pub json: Bytes,
    /// Where each row ends in `json`: row 0 starts at 1, row i at `ends[i-1] + 1` (after the comma).
    pub ends: Vec<u32>,
}

/// One row of an emission.
#[derive(Clone, Copy, Debug)]
pub struct EncodedRow<'a> {
    /// The row's object.
    pub json: &'a [u8],
}

impl EncodedEmission {
    /// The rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = EncodedRow<'_>> + '_ {
        (0..self.ends.len()).map(|row| EncodedRow {
            json: &self.json[self.start(row)..self.ends[row] as usize],
        })
    }

    /// Where row `row` starts in `json`.
    pub fn start(&self, row: usize) -> usize {
        if row == 0 { 1 } else { self.ends[row - 1] as usize + 1 }
    }
}
