//! Signs and remainders of floats.

use rulemill_guest::prelude::*;

/// The absolute value of `value`.
#[function(immutable)]
#[example(-1.5 => 1.5)]
#[example(2.0 => 2.0)]
#[example(null => null)]
pub fn abs(value: f64) -> f64 {
    value.abs()
}

/// The remainder of `dividend` divided by `divisor`, with the sign of the dividend. A division by 0 is an error.
#[function(immutable)]
#[example(5.5, 2.0 => 1.5)]
#[example(-5.5, 2.0 => -1.5)]
#[example(5.5, 0.0 => error)]
#[example(null, 2.0 => null)]
pub fn r#mod(dividend: f64, divisor: f64) -> Result<f64, RowError> {
    if divisor == 0.0 {
        return Err(RowError::new(format!("mod({dividend}, {divisor}) divides by zero")));
    }
    Ok(dividend % divisor)
}

/// 1 for a value above 0, -1 for one below, else 0.
#[function(immutable)]
#[example(2.5 => 1)]
#[example(-2.5 => -1)]
#[example(-0.0 => 0)]
#[example(null => null)]
pub fn sign(value: f64) -> i64 {
    i64::from(value > 0.0) - i64::from(value < 0.0)
}
