//! The types of the contract as Rust types: how a cell of each is read and written.

use crate::bits::{self, BitWriter};
use crate::columns::{Blobs, Cells, Column, Texts};
use crate::types::{Json, Time};
use rulemill_plan::Type;
use std::borrow::Cow;

/// A type of the contract: `f64`, `i64`, `bool`, [`Time`], `str`, `[u8]` or [`Json`].
///
/// It names the type of a column, as in `rule.field::<f64>("temperature")`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that a column can have",
    label = "not a column type",
    note = "use `f64`, `i64`, `bool`, `Time`, `str`, `[u8]` or `Json`"
)]
pub trait Kind {
    /// The type as plans name it.
    const TYPE: Type;
    /// One row, read.
    type Ref<'r>: Copy;
    /// All rows, for reading.
    #[doc(hidden)]
    type Cells<'r>;
    /// All rows, for writing.
    #[doc(hidden)]
    type Writer;

    #[doc(hidden)]
    fn cells(column: &Column) -> Option<Self::Cells<'_>>;
    #[doc(hidden)]
    fn get<'r>(cells: &Self::Cells<'r>, row: usize) -> Self::Ref<'r>;
    #[doc(hidden)]
    fn writer(rows: usize) -> Self::Writer;
    /// Appends what stands under a null.
    #[doc(hidden)]
    fn push_default(writer: &mut Self::Writer);
    #[doc(hidden)]
    fn finish(writer: Self::Writer) -> Cells;
}

macro_rules! number {
    ($kind:ty, $type:ident, $cells:ident, $cell:ty, $read:expr, $zero:expr) => {
        impl Kind for $kind {
            const TYPE: Type = Type::$type;
            type Ref<'r> = $kind;
            type Cells<'r> = &'r [$cell];
            type Writer = Vec<$cell>;

            fn cells(column: &Column) -> Option<&[$cell]> {
                match &column.cells {
                    Cells::$cells(values) => Some(values),
                    _ => None,
                }
            }

            #[inline]
            fn get<'r>(cells: &Self::Cells<'r>, row: usize) -> Self::Ref<'r> {
                $read(cells[row])
            }

            fn writer(rows: usize) -> Vec<$cell> {
                Vec::with_capacity(rows)
            }

            #[inline]
            fn push_default(writer: &mut Vec<$cell>) {
                writer.push($zero);
            }

            fn finish(writer: Vec<$cell>) -> Cells {
                Cells::$cells(writer)
            }
        }
    };
}

number!(i64, Int, Ints, i64, std::convert::identity, 0);
number!(Time, Time, Times, i64, Time, 0);

impl Kind for f64 {
    const TYPE: Type = Type::Float;
    type Ref<'r> = f64;
    type Cells<'r> = Cow<'r, [f64]>;
    type Writer = Vec<f64>;

    fn cells(column: &Column) -> Option<Cow<'_, [f64]>> {
        match &column.cells {
            Cells::Floats(values) => Some(Cow::Borrowed(values)),
            Cells::Ints(values) => Some(values.iter().map(|&value| float_of(value)).collect()),
            _ => None,
        }
    }

    #[inline]
    fn get<'r>(cells: &Self::Cells<'r>, row: usize) -> Self::Ref<'r> {
        cells[row]
    }

    fn writer(rows: usize) -> Vec<f64> {
        Vec::with_capacity(rows)
    }

    #[inline]
    fn push_default(writer: &mut Vec<f64>) {
        writer.push(0.0);
    }

    fn finish(writer: Vec<f64>) -> Cells {
        Cells::Floats(writer)
    }
}

impl Kind for bool {
    const TYPE: Type = Type::Bool;
    type Ref<'r> = bool;
    type Cells<'r> = &'r [u64];
    type Writer = BitWriter;

    fn cells(column: &Column) -> Option<&[u64]> {
        match &column.cells {
            Cells::Bools(words) => Some(words),
            _ => None,
        }
    }

    #[inline]
    fn get<'r>(cells: &Self::Cells<'r>, row: usize) -> Self::Ref<'r> {
        bits::is_set(cells, row)
    }

    fn writer(rows: usize) -> BitWriter {
        BitWriter::with_capacity(rows)
    }

    #[inline]
    fn push_default(writer: &mut BitWriter) {
        writer.push(false);
    }

    fn finish(writer: BitWriter) -> Cells {
        Cells::Bools(writer.into_words())
    }
}

macro_rules! buffer {
    ($kind:ty, $type:ident, $cells:ident, $buffer:ident, $reference:ty, $read:expr, $empty:expr) => {
        impl Kind for $kind {
            const TYPE: Type = Type::$type;
            type Ref<'r> = $reference;
            type Cells<'r> = &'r $buffer;
            type Writer = $buffer;

            fn cells(column: &Column) -> Option<&$buffer> {
                match &column.cells {
                    Cells::$cells(buffer) => Some(buffer),
                    _ => None,
                }
            }

            #[inline]
            fn get<'r>(cells: &Self::Cells<'r>, row: usize) -> Self::Ref<'r> {
                let cells: &'r $buffer = cells;
                $read(cells.get(row))
            }

            fn writer(rows: usize) -> $buffer {
                let mut buffer = $buffer::default();
                buffer.ends.reserve(rows);
                buffer
            }

            #[inline]
            fn push_default(writer: &mut $buffer) {
                writer.push($empty);
            }

            fn finish(writer: $buffer) -> Cells {
                Cells::$cells(writer)
            }
        }
    };
}

buffer!(str, Text, Texts, Texts, &'r str, std::convert::identity, "");
buffer!(Json<'static>, Json, Json, Texts, Json<'r>, Json, "null");
buffer!([u8], Bytes, Bytes, Blobs, &'r [u8], std::convert::identity, b"");

/// The nearest double.
#[expect(
    clippy::cast_precision_loss,
    reason = "an int beyond 2^53 becomes the nearest double, as documented"
)]
pub(crate) fn float_of(value: i64) -> f64 {
    value as f64
}
