//! The Rust types that functions may return, and how their values become a column.

use crate::arguments::Skipped;
use crate::bits::{BitWriter, Validity};
use crate::columns::{Blobs, Column, RowErrorAt, Texts};
use crate::kind::Kind;
use crate::types::{Json, JsonString, RowError, Time};
use std::borrow::Cow;

/// A value of one row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned by a function",
    label = "no column can hold this",
    note = "return `String`, `&str`, `i64`, `f64`, `bool`, `Time`, `Vec<u8>`, `&[u8]` or `Json<'_>`; in an `Option` for \
            null, in a `Result<_, RowError>` for rows that cannot be computed"
)]
pub trait Value {
    /// The type of the column.
    type Kind: Kind + ?Sized;

    #[doc(hidden)]
    fn write_to(self, writer: &mut <Self::Kind as Kind>::Writer);
}

/// What a function may return: a [`Value`], an `Option` of one, or a `Result` of either with [`RowError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned by a function",
    label = "no column can hold this",
    note = "return `String`, `&str`, `i64`, `f64`, `bool`, `Time`, `Vec<u8>`, `&[u8]` or `Json<'_>`; in an `Option` for \
            null, in a `Result<_, RowError>` for rows that cannot be computed"
)]
pub trait Return {
    /// The value when there is one.
    type Value: Value;

    #[doc(hidden)]
    fn outcome(self) -> Result<Option<Self::Value>, RowError>;
}

/// The type of the column that values of `R` make.
pub type KindOf<R> = <<R as Return>::Value as Value>::Kind;

macro_rules! value {
    ($($type:ty => $kind:ty, $writer:ty, $push:expr);* $(;)?) => {$(
        impl Value for $type {
            type Kind = $kind;

            #[inline]
            fn write_to(self, writer: &mut $writer) {
                let push: fn(&mut $writer, $type) = $push;
                push(writer, self);
            }
        }
    )*};
}

value! {
    i64 => i64, Vec<i64>, Vec::push;
    f64 => f64, Vec<f64>, Vec::push;
    bool => bool, BitWriter, BitWriter::push;
    Time => Time, Vec<i64>, |writer, time| writer.push(time.0);
    &str => str, Texts, |writer, text| writer.push(text);
    String => str, Texts, |writer, text| writer.push(&text);
    Cow<'_, str> => str, Texts, |writer, text| writer.push(&text);
    &[u8] => [u8], Blobs, |writer, bytes| writer.push(bytes);
    Vec<u8> => [u8], Blobs, |writer, bytes| writer.push(&bytes);
    JsonString => Json<'static>, Texts, |writer, json| writer.push(&json.0);
    Json<'_> => Json<'static>, Texts, |writer, json| writer.push(json.0);
}

impl<V: Value> Return for V {
    type Value = V;

    #[inline]
    fn outcome(self) -> Result<Option<V>, RowError> {
        Ok(Some(self))
    }
}

impl<V: Value> Return for Option<V> {
    type Value = V;

    #[inline]
    fn outcome(self) -> Result<Option<V>, RowError> {
        Ok(self)
    }
}

impl<V: Value> Return for Result<V, RowError> {
    type Value = V;

    #[inline]
    fn outcome(self) -> Result<Option<V>, RowError> {
        self.map(Some)
    }
}

impl<V: Value> Return for Result<Option<V>, RowError> {
    type Value = V;

    #[inline]
    fn outcome(self) -> Result<Option<V>, RowError> {
        self
    }
}

/// A column and the rows that could not be computed.
pub type Evaluated = (Column, Vec<RowErrorAt>);

/// Calls `call` for each row that is not skipped and makes a column of what it returns; a skipped row is null.
pub fn column_of<R: Return>(rows: usize, skipped: &Skipped, mut call: impl FnMut(usize) -> R) -> Evaluated {
    let mut writer = <KindOf<R> as Kind>::writer(rows);
    let mut validity = Validity::default();
    let mut errors = Vec::new();
    for row in 0..rows {
        let outcome = if skipped.contains(row) {
            Ok(None)
        } else {
            call(row).outcome()
        };
        if let Ok(Some(value)) = outcome {
            value.write_to(&mut writer);
            continue;
        }
        <KindOf<R> as Kind>::push_default(&mut writer);
        validity.clear(row, rows);
        if let Err(error) = outcome {
            errors.push(RowErrorAt::at(row, error));
        }
    }
    let column = Column {
        valid: validity.into_words(),
        cells: <KindOf<R> as Kind>::finish(writer),
    };
    (column, errors)
}
