//! Single values of columns, to be compared bit by bit and shown to people.

use rulemill_core::{Cells, Column, RowError};
use rulemill_plan::Literal;
use std::fmt;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    /// The bits of a double, so that one that is not a number equals itself.
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What came of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RowOutcome {
    Cells(Vec<Cell>),
    Error(String),
}

impl Cell {
    pub(super) fn of(column: &Column, row: usize) -> Cell {
        if column.is_null(row) {
            return Cell::Null;
        }
        match &column.cells {
            Cells::Bools(bits) => Cell::Bool(bits.get(row)),
            Cells::Ints(values) | Cells::Times(values) => Cell::Int(values[row]),
            Cells::Floats(values) => Cell::Float(values[row].to_bits()),
            Cells::Texts(texts) | Cells::Json(texts) => Cell::Text(texts.get(row).to_owned()),
            Cells::Bytes(blobs) => Cell::Bytes(blobs.get(row).to_vec()),
        }
    }

    /// Whether it is what an example says. An int stands for a float where the author wrote one.
    pub(super) fn is(&self, expected: &Literal) -> bool {
        match (self, expected) {
            (Cell::Null, Literal::Null) => true,
            (Cell::Bool(value), Literal::Bool(expected)) => value == expected,
            (Cell::Int(value), Literal::Int(expected)) => value == expected,
            #[expect(clippy::float_cmp, reason = "examples are compared exactly, and -0.0 is 0.0")]
            (Cell::Float(bits), Literal::Float(expected)) => f64::from_bits(*bits) == *expected,
            #[expect(
                clippy::float_cmp,
                clippy::cast_precision_loss,
                reason = "an author who writes an int for a float means the float nearest to it"
            )]
            (Cell::Float(bits), Literal::Int(expected)) => f64::from_bits(*bits) == *expected as f64,
            (Cell::Text(value), Literal::Text(expected)) => value == expected,
            (
                Cell::Null | Cell::Bool(_) | Cell::Int(_) | Cell::Float(_) | Cell::Text(_) | Cell::Bytes(_),
                Literal::Null | Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) | Literal::Text(_),
            ) => false,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("null"),
            Cell::Bool(value) => write!(f, "{value}"),
            Cell::Int(value) => write!(f, "{value}"),
            Cell::Float(bits) => write!(f, "{:?}", f64::from_bits(*bits)),
            Cell::Text(text) => {
                let end = text.floor_char_boundary(SHOWN_MAX);
                let dots = if end < text.len() { "..." } else { "" };
                write!(f, "{:?}{dots}", &text[..end])
            }
            Cell::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl fmt::Display for RowOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowOutcome::Cells(cells) => f.write_str(&list(cells)),
            RowOutcome::Error(message) => write!(f, "the error {message:?}"),
        }
    }
}

/// The rows of a result. What stands under a null or in a row with an error means nothing and is left out.
pub(super) fn rows_of(columns: &[Column], errors: &[RowError], rows: usize) -> Vec<RowOutcome> {
    (0..rows)
        .map(|row| match errors.iter().find(|error| error.row as usize == row) {
            Some(error) => RowOutcome::Error(error.message.clone()),
            None => RowOutcome::Cells(columns.iter().map(|column| Cell::of(column, row)).collect()),
        })
        .collect()
}

/// `1, "a", null`
pub(super) fn list(cells: &[Cell]) -> String {
    let shown: Vec<String> = cells.iter().map(ToString::to_string).collect();
    shown.join(", ")
}

/// The most bytes of a text that are shown.
const SHOWN_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_core::Bits;

    #[test]
    fn what_stands_under_a_null_or_an_error_does_not_count() {
        let column = |values: Vec<i64>| Column {
            valid: Some([true, false, true].into_iter().collect::<Bits>()),
            cells: Cells::Ints(values),
        };
        let error = RowError {
            row: 2,
            message: "no".to_owned(),
        };
        let rows = |values| rows_of(&[column(values)], std::slice::from_ref(&error), 3);
        assert_eq!(rows(vec![1, 2, 3]), rows(vec![1, 7, 9]));
        assert_ne!(rows(vec![1, 2, 3]), rows(vec![4, 2, 3]));
    }

    #[test]
    fn a_double_is_compared_by_its_bits_with_another_and_by_value_with_an_example() {
        let cell = |value| Cell::of(&Column::new(Cells::Floats(vec![value])), 0);
        assert_eq!(cell(f64::NAN), cell(f64::NAN));
        assert_ne!(cell(0.0), cell(-0.0));
        assert!(cell(-0.0).is(&Literal::Float(0.0)) && cell(3.0).is(&Literal::Int(3)));
        assert!(!cell(3.0).is(&Literal::Text("3.0".to_owned())));
    }
}
