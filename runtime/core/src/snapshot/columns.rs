//! Columns as bytes.
//!
//! ```text
//! column   type u8 | option: valid bits | values
//! bits     rows u64 | words
//! texts    bytes: all of them | ends: words
//! ```

use super::{SnapshotError, Source, Writer};
use crate::{Bits, Blobs, Cells, Column, Texts};
use rulemill_plan::Type;

pub(crate) fn write_column(column: &Column, to: &mut Writer) {
    to.u8(number_of(column.kind()));
    to.u8(u8::from(column.valid.is_some()));
    if let Some(valid) = &column.valid {
        write_bits(valid, to);
    }
    match &column.cells {
        Cells::Bools(bits) => write_bits(bits, to),
        Cells::Ints(values) | Cells::Times(values) => to.words(values.iter().map(|value| value.cast_unsigned())),
        Cells::Floats(values) => to.words(values.iter().map(|value| value.to_bits())),
        Cells::Texts(texts) | Cells::Json(texts) => write_blobs(texts.data().as_bytes(), texts.ends(), to),
        Cells::Bytes(blobs) => write_blobs(blobs.data(), blobs.ends(), to),
    }
}

/// A column of so many rows.
pub(crate) fn read_column(from: &mut Source<'_>, rows: usize) -> Result<Column, SnapshotError> {
    let kind = type_of(from.u8()?)?;
    let valid = match from.u8()? {
        0 => None,
        1 => Some(read_bits(from)?),
        _ => return Err(SnapshotError::Damaged("a column that neither has nulls nor has none")),
    };
    let cells = match kind {
        Type::Bool => Cells::Bools(read_bits(from)?),
        Type::Int => Cells::Ints(signed(from.words()?)),
        Type::Time => Cells::Times(signed(from.words()?)),
        Type::Float => Cells::Floats(from.words()?.into_iter().map(f64::from_bits).collect()),
        Type::Text => Cells::Texts(read_texts(from)?),
        Type::Json => Cells::Json(read_texts(from)?),
        Type::Bytes => {
            let (data, ends) = read_blobs(from)?;
            Cells::Bytes(Blobs::from_parts(data.to_vec(), ends).map_err(|_| ENDS)?)
        }
    };
    let column = Column { valid, cells };
    if column.len() != rows || column.valid.as_ref().is_some_and(|valid| valid.len() != rows) {
        return Err(SnapshotError::Damaged("a column of another length"));
    }
    Ok(column)
}

pub(crate) fn number_of(kind: Type) -> u8 {
    match kind {
        Type::Bool => 0,
        Type::Int => 1,
        Type::Float => 2,
        Type::Time => 3,
        Type::Text => 4,
        Type::Bytes => 5,
        Type::Json => 6,
    }
}

fn type_of(number: u8) -> Result<Type, SnapshotError> {
    Ok(match number {
        0 => Type::Bool,
        1 => Type::Int,
        2 => Type::Float,
        3 => Type::Time,
        4 => Type::Text,
        5 => Type::Bytes,
        6 => Type::Json,
        _ => return Err(SnapshotError::Damaged("a type that is not known")),
    })
}

fn write_bits(bits: &Bits, to: &mut Writer) {
    to.u64(bits.len() as u64);
    to.words(bits.words().iter().copied());
}

fn read_bits(from: &mut Source<'_>) -> Result<Bits, SnapshotError> {
    let rows = from.size()?;
    Bits::from_words(from.words()?, rows).ok_or(SnapshotError::Damaged("bits of another length"))
}

fn write_blobs(data: &[u8], ends: &[u32], to: &mut Writer) {
    to.bytes(data);
    to.count(ends.len());
    for &end in ends {
        to.u32(end);
    }
}

fn read_blobs<'a>(from: &mut Source<'a>) -> Result<(&'a [u8], Vec<u32>), SnapshotError> {
    let data = from.bytes()?;
    let count = from.count()?;
    let ends = (0..count).map(|_| from.u32()).collect::<Result<_, _>>()?;
    Ok((data, ends))
}

fn read_texts(from: &mut Source<'_>) -> Result<Texts, SnapshotError> {
    let (data, ends) = read_blobs(from)?;
    let data = std::str::from_utf8(data).map_err(|_| SnapshotError::Damaged("a text that is not UTF-8"))?;
    Texts::from_parts(data.to_owned(), ends).map_err(|_| ENDS)
}

fn signed(words: Vec<u64>) -> Vec<i64> {
    words.into_iter().map(u64::cast_signed).collect()
}

const ENDS: SnapshotError = SnapshotError::Damaged("texts whose ends are wrong");
