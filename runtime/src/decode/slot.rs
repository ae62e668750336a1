//! One cell of the row that is being decoded, before the row is known to be good.

use rulemill_core::{Cells, Column, Found};
use rulemill_plan::Type;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What the row holds for one field so far. A later value for the same field replaces an earlier one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot<'m> {
    /// The host fills this column elsewhere: nothing is appended.
    Skip,
    /// Not there, or JSON `null`.
    Missing,
    /// There, and of another type.
    Mistyped(Found),
    Bool(bool),
    /// An integer, or microseconds for a time.
    Int(i64),
    Float(f64),
    /// Text or JSON that stands in the payload as it is.
    Text(&'m str),
    /// Text that had escapes: its range in the row's scratch.
    Unescaped(u32, u32),
    Bytes(&'m [u8]),
}

/// A JSON value that is neither an object nor an array nor `null`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'t> {
    Bool(bool),
    Int(i64),
    /// An integer beyond `i64::MAX`.
    Unsigned(u64),
    Float(f64),
    Text(&'t str),
}

/// The cell for a value that is wanted as `kind`. Texts are the caller's, for it knows where the text lives.
#[inline]
pub(super) fn convert(scalar: Scalar<'_>, kind: Type) -> Slot<'static> {
    match (kind, scalar) {
        (Type::Float, Scalar::Float(value)) => Slot::Float(value),
        #[expect(
            clippy::cast_precision_loss,
            reason = "the nearest double is what a float column promises"
        )]
        (Type::Float, Scalar::Int(value)) => Slot::Float(value as f64),
        (Type::Int, Scalar::Int(value)) => Slot::Int(value),
        (Type::Bool, Scalar::Bool(value)) => Slot::Bool(value),
        _ => convert_between(scalar, kind),
    }
}

/// The conversions that compute something. Apart, for an optimiser that sees them together with the simple ones computes
/// them for every value.
#[inline(never)]
fn convert_between(scalar: Scalar<'_>, kind: Type) -> Slot<'static> {
    let cell = match (kind, scalar) {
        (Type::Int, Scalar::Float(value)) => whole(value).map(Slot::Int),
        #[expect(
            clippy::cast_precision_loss,
            reason = "the nearest double is what a float column promises"
        )]
        (Type::Float, Scalar::Unsigned(value)) => Some(Slot::Float(value as f64)),
        (Type::Time, Scalar::Int(millis)) => millis.checked_mul(MICROS_PER_MILLI).map(Slot::Int),
        (Type::Time, Scalar::Float(millis)) => micros(millis).map(Slot::Int),
        (Type::Time, Scalar::Text(text)) => rfc3339(text).map(Slot::Int),
        (Type::Bool | Type::Int | Type::Float | Type::Time | Type::Text | Type::Bytes | Type::Json, _) => None,
    };
    cell.unwrap_or(Slot::Mistyped(match scalar {
        Scalar::Bool(_) => Found::Bool,
        Scalar::Int(_) | Scalar::Unsigned(_) | Scalar::Float(_) => Found::Number,
        Scalar::Text(_) => Found::Text,
    }))
}

/// Appends the cell to its column; gives what was there when it was of another type and a null stands for it.
#[inline]
pub(super) fn push(slot: Slot<'_>, scratch: &str, column: &mut Column) -> Option<Found> {
    let filled = match (slot, &mut column.cells) {
        (Slot::Skip, _) => return None,
        (Slot::Float(value), Cells::Floats(cells)) => {
            cells.push(value);
            true
        }
        (Slot::Int(value), Cells::Ints(cells) | Cells::Times(cells)) => {
            cells.push(value);
            true
        }
        (Slot::Bool(value), Cells::Bools(cells)) => {
            cells.push(value);
            true
        }
        (Slot::Text(text), Cells::Texts(cells) | Cells::Json(cells)) => {
            cells.push(text);
            true
        }
        (Slot::Unescaped(start, end), Cells::Texts(cells)) => {
            cells.push(&scratch[start as usize..end as usize]);
            true
        }
        (Slot::Bytes(bytes), Cells::Bytes(cells)) => {
            cells.push(bytes);
            true
        }
        _ => false,
    };
    if filled {
        if let Some(valid) = &mut column.valid {
            valid.push(true);
        }
        return None;
    }
    column.push_null();
    match slot {
        Slot::Mistyped(found) => Some(found),
        Slot::Missing => None,
        // A conversion that gave a cell of another type would be a bug; the null must not pass for a missing value.
        _ => Some(Found::Unreadable),
    }
}

/// `5.0` is the integer 5; beyond 2^53 a double no longer says which integer was meant.
#[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= EXACT_INTEGERS).then_some(value as i64)
}

/// Milliseconds with a fraction, to the nearest microsecond.
#[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
fn micros(millis: f64) -> Option<i64> {
    let micros = (millis * 1000.0).round();
    (micros.abs() <= EXACT_INTEGERS).then_some(micros as i64)
}

fn rfc3339(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1000)).ok()
}

const MICROS_PER_MILLI: i64 = 1000;

/// 2^53: up to here every integer is a double of its own.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;
