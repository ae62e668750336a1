//! From result columns to one JSON array: the last step on a mill thread.
//!
//! It never waits and never allocates for a row beyond the output buffer. How each type is written:
//!
//! | type | JSON |
//! |---|---|
//! | bool, int, text | as they are; integers are exact |
//! | float | shortest text that reads back the same: `45`, `25.5`, `1e+21`, `1e-7`; NaN and infinities leave the key out |
//! | time | milliseconds since the epoch, as an integer, rounded down |
//! | bytes | base64 text |
//! | json | written again with keys sorted at every level; text that is not JSON becomes a JSON string |
//! | null, JSON `null` | the key is left out |

use super::{EncodedEmission, json};
use bytes::Bytes;
use rulemill_core::{Cells, Column, Micros};
use std::sync::Arc;

/// Writes the emissions of one rule. It keeps the escaped keys between emissions, so have one for each rule.
#[derive(Debug, Default)]
pub struct Encoder {
    names: Vec<Arc<str>>,
    keys: Vec<Vec<u8>>,
    last_len: usize,
    rows_too_large: u64,
}

/// An array under way, of rows that come one after the other.
#[derive(Debug, Default)]
pub struct Array {
    out: Vec<u8>,
    ends: Vec<u32>,
}

impl Encoder {
    /// An encoder that has seen no columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the rows that `rows` names as one array, in that order. `None` when there are none left: an empty window
    /// emits nothing.
    ///
    /// `names` are the keys, sorted, one for each of `columns`; every row must exist in every column. An array ends
    /// once it passes [`EMISSION_BYTES_MAX`], so call again with the same iterator until it gives `None`. A row of more
    /// than [`ROW_BYTES_MAX`] is left out and counted in [`Encoder::rows_too_large`].
    pub fn encode(
        &mut self,
        rule: &Arc<str>,
        window: Option<(Micros, Micros)>,
        names: &[Arc<str>],
        columns: &[Column],
        rows: &mut dyn Iterator<Item = usize>,
    ) -> Option<EncodedEmission> {
        let mut array = Array::default();
        self.append(&mut array, names, columns, rows);
        self.finish(&mut array, rule, window)
    }

    /// Writes rows behind those that the array has, as [`Encoder::encode`] does. True: the array is full, and there may be
    /// more rows.
    pub fn append(
        &mut self,
        array: &mut Array,
        names: &[Arc<str>],
        columns: &[Column],
        rows: &mut dyn Iterator<Item = usize>,
    ) -> bool {
        self.learn(names);
        let Array { out, ends } = array;
        if out.is_empty() {
            out.reserve(self.last_len);
            out.push(b'[');
        }
        for row in rows {
            let start = out.len();
            if !ends.is_empty() {
                out.push(b',');
            }
            write_row(out, names, &self.keys, columns, row);
            if out.len() - start > ROW_BYTES_MAX {
                out.truncate(start);
                self.rows_too_large += 1;
                continue;
            }
            ends.push(u32::try_from(out.len()).expect("an emission is at most EMISSION_BYTES_MAX and one row long"));
            if out.len() + ends.len() * size_of::<u32>() > EMISSION_BYTES_MAX {
                return true;
            }
        }
        false
    }

    /// Ends the array, and leaves an empty one. `None` when it has no rows.
    pub fn finish(
        &mut self,
        array: &mut Array,
        rule: &Arc<str>,
        window: Option<(Micros, Micros)>,
    ) -> Option<EncodedEmission> {
        let Array { mut out, ends } = std::mem::take(array);
        if ends.is_empty() {
            return None;
        }
        out.push(b']');
        self.last_len = out.len();
        Some(EncodedEmission {
            rule: rule.clone(),
            window,
            place: None,
            json: Bytes::from(out),
            ends,
        })
    }

    /// How many rows were left out because they were larger than [`ROW_BYTES_MAX`].
    pub fn rows_too_large(&self) -> u64 {
        self.rows_too_large
    }

    /// Escapes the keys, unless they are the ones of the last emission.
    fn learn(&mut self, names: &[Arc<str>]) {
        if self.names == names {
            return;
        }
        self.names = names.to_vec();
        self.keys = names.iter().map(|name| key_of(name)).collect();
    }
}

/// Writes one row as an object, for a dead letter: not for hot paths.
pub fn encode_row(names: &[Arc<str>], columns: &[Column], row: usize) -> String {
    let keys: Vec<_> = names.iter().map(|name| key_of(name)).collect();
    let mut out = Vec::new();
    write_row(&mut out, names, &keys, columns, row);
    String::from_utf8_lossy(&out).into_owned()
}

/// The size after which an array ends and the rows that remain go into another one, the positions of its rows included. With one
/// row more it fits into a record of a queue on disk.
pub const EMISSION_BYTES_MAX: usize = 7 << 20;

/// The largest row, in bytes of JSON. A larger one is left out and counted.
pub const ROW_BYTES_MAX: usize = 8 << 20;

fn key_of(name: &str) -> Vec<u8> {
    let mut key = Vec::new();
    json::write_text(&mut key, name);
    key.push(b':');
    key
}

fn write_row(out: &mut Vec<u8>, names: &[Arc<str>], keys: &[Vec<u8>], columns: &[Column], row: usize) {
    out.push(b'{');
    let first = out.len();
    let members = match names.first() {
        Some(name) if name.is_empty() => members_of(&columns[0], row),
        _ => serde_json::Map::new(),
    };
    let mut members = members.into_iter().peekable();
    let mut written: Option<&Vec<u8>> = None;
    for ((name, key), column) in names.iter().zip(keys).zip(columns) {
        if name.is_empty() || written == Some(key) {
            continue;
        }
        while let Some((other, value)) = members.next_if(|(other, _)| other.as_str() <= &**name) {
            if other.as_str() < &**name {
                write_member(out, first, &key_of(&other), |out| json_value(out, &value));
            }
        }
        if !column.is_null(row) && write_member(out, first, key, |out| write_cell(out, &column.cells, row)) {
            written = Some(key);
        }
        if out.len() - first > ROW_BYTES_MAX {
            // It is left out as a whole, so the rest of it need not be written.
            return;
        }
    }
    for (name, value) in members {
        write_member(out, first, &key_of(&name), |out| json_value(out, &value));
    }
    out.push(b'}');
}

/// The members of the object in a cell, sorted; none when it is something else.
fn members_of(column: &Column, row: usize) -> serde_json::Map<String, serde_json::Value> {
    let text = match &column.cells {
        Cells::Json(texts) if !column.is_null(row) => texts.get(row),
        _ => return serde_json::Map::new(),
    };
    serde_json::from_str(text).unwrap_or_default()
}

/// Writes a key and what `value` writes, unless that says that there is nothing. True: it is written.
fn write_member(out: &mut Vec<u8>, first: usize, key: &[u8], value: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
    let before = out.len();
    if before > first {
        out.push(b',');
    }
    out.extend_from_slice(key);
    let written = value(out);
    if !written {
        out.truncate(before);
    }
    written
}

/// Writes a JSON value; false for null.
fn json_value(out: &mut Vec<u8>, value: &serde_json::Value) -> bool {
    if !value.is_null() {
        json::write_value(out, value);
    }
    !value.is_null()
}

/// Writes a cell that is not null; false when it has no value in JSON.
fn write_cell(out: &mut Vec<u8>, cells: &Cells, row: usize) -> bool {
    match cells {
        Cells::Bools(bits) => json::write_bool(out, bits.get(row)),
        Cells::Ints(values) => json::write_int(out, values[row]),
        Cells::Floats(values) => return json::write_float(out, values[row]),
        Cells::Times(values) => json::write_int(out, values[row].div_euclid(1000)),
        Cells::Texts(texts) => json::write_text(out, texts.get(row)),
        Cells::Bytes(blobs) => json::write_base64(out, blobs.get(row)),
        Cells::Json(texts) => return write_json_cell(out, texts.get(row)),
    }
    true
}

/// The cell comes from a guest, so it may be anything.
fn write_json_cell(out: &mut Vec<u8>, text: &str) -> bool {
    match serde_json::from_str(text) {
        Ok(value) => json_value(out, &value),
        Err(_) => {
            json::write_text(out, text);
            true
        }
    }
}

#[cfg(test)]
mod tests;
