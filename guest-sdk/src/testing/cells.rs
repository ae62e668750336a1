//! Columns from single values, and single values from columns.

use crate::bits::{BitWriter, Validity, is_set};
use crate::columns::{Blobs, Cells, Column, Texts};
use crate::kind::float_of;
use rulemill_plan::{Literal, Type};

/// A column of these values, bytes given as text; panics with the value that does not fit.
pub(super) fn column_of(kind: Type, values: &[&Literal]) -> Column {
    for value in values {
        let bytes_as_text = kind == Type::Bytes && matches!(value, Literal::Text(_));
        assert!(value.fits(kind) || bytes_as_text, "a {kind} column cannot hold {value}");
    }
    let int = |value: &&Literal| if let Literal::Int(value) = value { *value } else { 0 };
    let float = |value: &&Literal| match value {
        Literal::Float(value) => *value,
        Literal::Int(value) => float_of(*value),
        _ => 0.0,
    };
    let cells = match kind {
        Type::Bool => {
            let mut bits = BitWriter::with_capacity(values.len());
            values
                .iter()
                .for_each(|value| bits.push(**value == Literal::Bool(true)));
            Cells::Bools(bits.into_words())
        }
        Type::Int => Cells::Ints(values.iter().map(int).collect()),
        Type::Float => Cells::Floats(values.iter().map(float).collect()),
        Type::Time => Cells::Times(values.iter().map(int).collect()),
        Type::Text => Cells::Texts(texts_of(values)),
        Type::Json => Cells::Json(texts_of(values)),
        Type::Bytes => {
            let mut blobs = Blobs::default();
            texts(values).for_each(|text| blobs.push(text.as_bytes()));
            Cells::Bytes(blobs)
        }
    };
    Column {
        valid: validity_of(values),
        cells,
    }
}

/// The value of row `row`. Times are ints of microseconds, bytes are texts as far as they are UTF-8.
pub(super) fn value_of(column: &Column, row: usize) -> Literal {
    if column.is_null(row) {
        return Literal::Null;
    }
    match &column.cells {
        Cells::Bools(words) => Literal::Bool(is_set(words, row)),
        Cells::Ints(values) | Cells::Times(values) => Literal::Int(values[row]),
        Cells::Floats(values) => Literal::Float(values[row]),
        Cells::Texts(texts) | Cells::Json(texts) => Literal::from(texts.get(row)),
        Cells::Bytes(blobs) => Literal::Text(String::from_utf8_lossy(blobs.get(row)).into_owned()),
    }
}

fn validity_of(values: &[&Literal]) -> Vec<u64> {
    let mut validity = Validity::default();
    for (row, value) in values.iter().enumerate() {
        if **value == Literal::Null {
            validity.clear(row, values.len());
        }
    }
    validity.into_words()
}

fn texts_of(values: &[&Literal]) -> Texts {
    let mut column = Texts::default();
    texts(values).for_each(|text| column.push(text));
    column
}

fn texts<'v>(values: &'v [&Literal]) -> impl Iterator<Item = &'v str> {
    values.iter().map(|value| match value {
        Literal::Text(text) => text.as_str(),
        _ => "",
    })
}
