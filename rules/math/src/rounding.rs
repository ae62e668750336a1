//! Rounding of floats.

use rulemill_guest::prelude::*;

/// The least whole number that is not below `value`.
#[function(immutable)]
#[example(1.2 => 2.0)]
#[example(-1.8 => -1.0)]
#[example(null => null)]
pub fn ceil(value: f64) -> f64 {
    value.ceil()
}

/// The greatest whole number that is not above `value`.
#[function(immutable)]
#[example(1.8 => 1.0)]
#[example(-1.2 => -2.0)]
#[example(null => null)]
pub fn floor(value: f64) -> f64 {
    value.floor()
}

/// `value` rounded, halves away from 0: to a whole number, or to so many digits behind the point; negative digits round
/// before the point. Digits beyond what a double holds change nothing.
#[function(immutable)]
#[example(-10.5 => -11.0)]
#[example(2.5 => 3.0)]
#[example(9.9999, 3 => 10.0)]
#[example(2.345, 1 => 2.3)]
#[example(56788.34, -3 => 57000.0)]
#[example(1.5, 400 => 1.5)]
#[example(1.5, -400 => 0.0)]
#[example(1.5, 1, 1 => error)]
#[example(null, 1 => null)]
#[example(1.5, null => null)]
pub fn round(value: f64, digits: &[i64]) -> Result<f64, RowError> {
    match digits {
        [] => Ok(value.round()),
        [digits] => Ok(to_digits(value, *digits, f64::round)),
        more => {
            let got = more.len() + 1;
            Err(RowError::new(format!("round takes 1 or 2 arguments, got {got}")))
        }
    }
}

/// `value` cut off behind so many digits after the point. A number of digits below 0 counts as 0, one above 34 as 34.
#[function(immutable)]
#[example(2.789, 2 => 2.78)]
#[example(-2.789, 0 => -2.0)]
#[example(2.789, -5 => 2.0)]
#[example(2.789, 99 => 2.789)]
#[example(null, 1 => null)]
pub fn trunc(value: f64, digits: i64) -> f64 {
    to_digits(value, digits.clamp(0, 34), f64::trunc)
}

/// Applies `round` where `digits` behind the point are the whole part.
fn to_digits(value: f64, digits: i64, round: fn(f64) -> f64) -> f64 {
    // Beyond these the factor would not be a finite number.
    let Some(exponent) = i32::try_from(digits).ok().filter(|digits| digits.abs() <= 300) else {
        return if digits < 0 && value.is_finite() { 0.0 } else { value };
    };
    if exponent < 0 {
        let unit = 10_f64.powi(-exponent);
        return round(value / unit) * unit;
    }
    let factor = 10_f64.powi(exponent);
    let scaled = value * factor;
    // From here on a double has no digits behind the point, so it stays what it is.
    if scaled.abs() < WHOLE_FROM {
        round(scaled) / factor
    } else {
        value
    }
}

/// 2^53: every double from here on is a whole number.
const WHOLE_FROM: f64 = 9_007_199_254_740_992.0;
