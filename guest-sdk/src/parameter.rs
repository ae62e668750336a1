//! The Rust types that parameters may have.

use crate::arguments::{Reader, Skipped};
use crate::kind::Kind;
use crate::types::{Json, Time};

/// A type that a parameter of a function may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of a parameter",
    label = "no column can be read as this",
    note = "use `&str`, `i64`, `f64`, `bool`, `Time`, `&[u8]` or `Json<'_>`, or an `Option` of one of them"
)]
pub trait Parameter<'r>: Sized {
    /// The type of the column.
    type Kind: Kind + ?Sized;
    /// Whether the function takes nulls.
    const NULLABLE: bool;

    #[doc(hidden)]
    fn read(reader: &Reader<'r, Self::Kind>, row: usize) -> Self;
    #[doc(hidden)]
    fn skip(reader: &Reader<'r, Self::Kind>, rows: usize, skipped: &mut Skipped);
}

macro_rules! parameter {
    ($($type:ty => $kind:ty),* $(,)?) => {$(
        impl<'r> Parameter<'r> for $type {
            type Kind = $kind;
            const NULLABLE: bool = false;

            #[inline]
            fn read(reader: &Reader<'r, $kind>, row: usize) -> Self {
                reader.get(row)
            }

            fn skip(reader: &Reader<'r, $kind>, rows: usize, skipped: &mut Skipped) {
                skipped.add_nulls_of(reader, rows);
            }
        }
    )*};
}

parameter! {
    &'r str => str,
    &'r [u8] => [u8],
    Json<'r> => Json<'static>,
    Time => Time,
    bool => bool,
    f64 => f64,
    i64 => i64,
}

impl<'r, P: Parameter<'r>> Parameter<'r> for Option<P> {
    type Kind = P::Kind;
    const NULLABLE: bool = true;

    #[inline]
    fn read(reader: &Reader<'r, P::Kind>, row: usize) -> Self {
        if reader.is_null(row) {
            None
        } else {
            Some(P::read(reader, row))
        }
    }

    fn skip(_: &Reader<'r, P::Kind>, _: usize, _: &mut Skipped) {}
}
