//! Functions of single numbers.

use rulemill_guest::prelude::*;

/// `value`, but not below `least` and not above `most`. A `least` above `most` is an error.
#[function(immutable)]
#[example(5.0, 0.0, 10.0 => 5.0)]
#[example(-5.0, 0.0, 10.0 => 0.0)]
#[example(15, 0, 10 => 10.0)]
#[example(5.0, 10.0, 0.0 => error)]
#[example(null, 0.0, 10.0 => null)]
pub fn clamp(value: f64, least: f64, most: f64) -> Result<f64, RowError> {
    if least <= most {
        return Ok(value.clamp(least, most));
    }
    Err(RowError::new(format!(
        "the least, {least}, must not be above the most, {most}"
    )))
}

/// `value` rounded to so many digits after the point, halves away from zero. Negative digits round before the point.
/// Digits beyond what a double holds change nothing.
#[function(immutable)]
#[example(2.345, 1 => 2.3)]
#[example(2.5, 0 => 3.0)]
#[example(-2.5, 0 => -3.0)]
#[example(1234.0, -2 => 1200.0)]
#[example(1.5, 400 => 1.5)]
#[example(1.5, -400 => 0.0)]
#[example(null, 1 => null)]
pub fn round_to(value: f64, digits: i64) -> f64 {
    // Beyond these the factor, or the product, would not be a finite number.
    let Some(digits) = i32::try_from(digits).ok().filter(|digits| digits.abs() <= 300) else {
        return if digits < 0 { 0.0 } else { value };
    };
    let factor = 10_f64.powi(digits);
    let scaled = value * factor;
    if scaled.is_finite() {
        scaled.round() / factor
    } else {
        value
    }
}
