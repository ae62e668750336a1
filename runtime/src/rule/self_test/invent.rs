//! Invented rows: the values at which computations break, in every type.

use rulemill_core::{Bits, Blobs, Cells, Column};
use rulemill_plan::Type;

/// Columns of these types with [`ROWS`] rows. Each column begins elsewhere in its list, so that values meet in many pairs.
pub(super) fn columns(kinds: &[Type]) -> Vec<Column> {
    let pick = |position: usize, count: usize| (0..ROWS).map(move |row| (row + position * 3) % count);
    kinds
        .iter()
        .enumerate()
        .map(|(position, kind)| {
            let cells = match kind {
                Type::Bool => Cells::Bools(pick(position, 2).map(|at| at == 1).collect()),
                Type::Int => Cells::Ints(pick(position, INTS.len()).map(|at| INTS[at]).collect()),
                Type::Time => Cells::Times(pick(position, TIMES.len()).map(|at| TIMES[at]).collect()),
                Type::Float => Cells::Floats(pick(position, FLOATS.len()).map(|at| FLOATS[at]).collect()),
                Type::Text => Cells::Texts(pick(position, TEXTS.len()).map(|at| TEXTS[at]).collect()),
                Type::Json => Cells::Json(pick(position, JSON.len()).map(|at| JSON[at]).collect()),
                Type::Bytes => {
                    let blobs: Blobs = pick(position, TEXTS.len()).map(|at| TEXTS[at].as_bytes()).collect();
                    Cells::Bytes(blobs)
                }
            };
            Column::new(cells)
        })
        .collect()
}

/// The same with nulls in between, in other rows in each column.
pub(super) fn columns_with_nulls(kinds: &[Type]) -> Vec<Column> {
    let mut columns = columns(kinds);
    for (position, column) in columns.iter_mut().enumerate() {
        let valid: Bits = (0..ROWS).map(|row| !(row + position).is_multiple_of(3)).collect();
        column.valid = Some(valid);
    }
    columns
}

/// The same types without a row.
pub(super) fn empty_columns(kinds: &[Type]) -> Vec<Column> {
    kinds.iter().map(|kind| Column::empty(*kind)).collect()
}

/// How many rows are invented; longer than every list, so that each value occurs, and than a word of bits.
pub(super) const ROWS: usize = 65;

const INTS: [i64; 9] = [0, 1, -1, 2, 100, i64::MAX, i64::MIN, 1 << 53, -273];
const TIMES: [i64; 6] = [0, 1, -1, 1_795_448_928_502_000, i64::MAX, i64::MIN];
const FLOATS: [f64; 14] = [
    0.0,
    1.0,
    -1.0,
    20.5,
    80.0,
    -0.0,
    0.1,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    f64::EPSILON,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];
const TEXTS: [&str; 11] = [
    "",
    "a",
    "devices/001/messages",
    "/",
    "//",
    "é",
    "\u{1f600}",
    "\0",
    "20.5",
    "   padded  ",
    "a text that is longer than what small buffers hold, with \"quotes\", a \\ and\na line break",
];
const JSON: [&str; 9] = [
    "null",
    "true",
    "0",
    "-1.5e300",
    "\"text\"",
    "[]",
    "[1,[2,[3]]]",
    "{}",
    "{\"a\":{\"b\":null}}",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_columns_with_and_without_nulls_and_rows() {
        let given = [columns(&Type::ALL), columns_with_nulls(&Type::ALL)];
        for columns in given {
            assert!(
                columns
                    .iter()
                    .zip(Type::ALL)
                    .all(|(column, kind)| column.kind() == kind)
            );
            assert!(columns.iter().all(|column| column.len() == ROWS));
        }
        let nulls = columns_with_nulls(&[Type::Int, Type::Int]);
        assert!(nulls[0].is_null(0) && !nulls[1].is_null(0));
        assert!(empty_columns(&Type::ALL).iter().all(Column::is_empty));
    }

    #[test]
    fn json_is_json() {
        for text in JSON {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
    }
}
