//! Numbers: ints of 64 bits stay what they are, all others are doubles.

use std::cmp::Ordering;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Without point and exponent, and within 64 bits.
    Int(i64),
    /// Any other; infinite when it is beyond what a double holds.
    Float(f64),
}

impl Number {
    /// The number that a text is which was checked.
    pub(super) fn of(raw: &str) -> Self {
        match raw.parse() {
            Ok(int) => Number::Int(int),
            Err(_) => Number::Float(raw.parse().unwrap_or(f64::NAN)),
        }
    }

    /// The nearest double.
    #[expect(
        clippy::cast_precision_loss,
        reason = "an int beyond 2^53 becomes the nearest double, as documented"
    )]
    pub fn float(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
        }
    }

    /// The int; `None` when it has a fraction or is beyond 64 bits.
    pub fn whole(self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(int),
            Number::Float(float) => (float.fract() == 0.0).then(|| truncated(float)).flatten(),
        }
    }

    /// The int without its fraction; `None` when it is beyond 64 bits.
    pub fn truncated(self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(int),
            Number::Float(float) => truncated(float),
        }
    }
}

/// Which of two is greater, exactly: no int is rounded to compare it with a float. A NaN equals everything.
pub fn compare_numbers(left: Number, right: Number) -> Ordering {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => left.cmp(&right),
        (Number::Float(left), Number::Float(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
        (Number::Int(left), Number::Float(right)) => int_with_float(left, right),
        (Number::Float(left), Number::Int(right)) => int_with_float(right, left).reverse(),
    }
}

fn int_with_float(int: i64, float: f64) -> Ordering {
    match truncated(float) {
        // Where the whole parts are equal, the fraction decides.
        Some(whole) => int
            .cmp(&whole)
            .then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)),
        None if float > 0.0 => Ordering::Less,
        None if float < 0.0 => Ordering::Greater,
        None => Ordering::Equal,
    }
}

/// The whole part; `None` when it is beyond 64 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range was checked, and the fraction is to go"
)]
fn truncated(float: f64) -> Option<i64> {
    (-TWO_TO_63..TWO_TO_63).contains(&float).then_some(float as i64)
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

#[cfg(test)]
mod tests {
    use super::*;
    use Number::{Float, Int};

    #[test]
    fn ints_of_64_bits_stay_ints() {
        assert_eq!(Number::of("9223372036854775807"), Int(i64::MAX));
        assert_eq!(Number::of("-9223372036854775808"), Int(i64::MIN));
        assert_eq!(Number::of("9223372036854775808"), Float(TWO_TO_63));
        assert_eq!(Number::of("1.0"), Float(1.0));
        assert_eq!(Number::of("1e2"), Float(100.0));
        assert_eq!(Number::of("1e999"), Float(f64::INFINITY));
    }

    #[test]
    fn ints_and_floats_are_compared_exactly() {
        for (left, right, order) in [
            (Int(i64::MAX), Float(TWO_TO_63), Ordering::Less),
            (Int(i64::MIN), Float(-TWO_TO_63), Ordering::Equal),
            (
                Int(9_007_199_254_740_993),
                Float(9_007_199_254_740_992.0),
                Ordering::Greater,
            ),
            (Int(1), Float(1.5), Ordering::Less),
            (Int(-1), Float(-1.5), Ordering::Greater),
            (Int(0), Float(-0.0), Ordering::Equal),
            (Int(5), Float(f64::INFINITY), Ordering::Less),
            (Int(5), Float(f64::NEG_INFINITY), Ordering::Greater),
            (Int(5), Float(f64::NAN), Ordering::Equal),
        ] {
            assert_eq!(compare_numbers(left, right), order, "{left:?} {right:?}");
            assert_eq!(compare_numbers(right, left), order.reverse(), "{right:?} {left:?}");
        }
    }

    #[test]
    fn only_what_fits_becomes_an_int() {
        assert_eq!(Float(4.0).whole(), Some(4));
        assert_eq!(Float(4.5).whole(), None);
        assert_eq!(Float(4.5).truncated(), Some(4));
        assert_eq!(Float(-4.5).truncated(), Some(-4));
        assert_eq!(Float(TWO_TO_63).truncated(), None);
        assert_eq!(Float(f64::NAN).whole(), None);
        assert_eq!(Float(f64::INFINITY).whole(), None);
    }
}
