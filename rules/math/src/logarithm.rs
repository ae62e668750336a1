//! Powers, roots and logarithms.

use crate::number;
use rulemill_guest::prelude::*;

/// Euler's number to the power of `value`.
#[function(immutable)]
#[example(0.0 => 1.0)]
#[example(null => null)]
pub fn exp(value: f64) -> Option<f64> {
    number(value.exp())
}

/// The natural logarithm of `value`; null when it is not above 0.
#[function(immutable)]
#[example(1.0 => 0.0)]
#[example(0.0 => null)]
#[example(-1.0 => null)]
#[example(null => null)]
pub fn ln(value: f64) -> Option<f64> {
    (value > 0.0).then(|| value.ln())
}

/// The decimal logarithm of a value, or with two arguments the logarithm to the base of the first of the second. Null when
/// the value is not above 0, or the base not above 1.
#[function(immutable)]
#[example(100.0 => 2.0)]
#[example(2.0, 8.0 => 3.0)]
#[example(10.0, 1000.0 => 3.0)]
#[example(1.0, 8.0 => null)]
#[example(0.0 => null)]
#[example(2.0, -8.0 => null)]
#[example(2.0, 8.0, 1.0 => error)]
#[example(2.0, null => null)]
pub fn log(base_or_value: f64, value: &[f64]) -> Result<Option<f64>, RowError> {
    let (base, value) = match value {
        [] => (10.0, base_or_value),
        [value] => (base_or_value, *value),
        more => {
            let got = more.len() + 1;
            return Err(RowError::new(format!("log takes 1 or 2 arguments, got {got}")));
        }
    };
    if !(value > 0.0 && base > 1.0) {
        return Ok(None);
    }
    // Exact where the value is a power of one of these.
    if base == 2.0 {
        return Ok(Some(value.log2()));
    }
    if base == 10.0 {
        return Ok(Some(value.log10()));
    }
    Ok(number(value.ln() / base.ln()))
}

/// `base` to the power of `exponent`.
#[function(immutable)]
#[example(2.0, 10.0 => 1024.0)]
#[example(2, 10 => 1024.0)]
#[example(2.0, -1.0 => 0.5)]
#[example(0.0, 0.0 => 1.0)]
#[example(-1.0, 0.5 => null)]
#[example(2.0, null => null)]
pub fn power(base: f64, exponent: f64) -> Option<f64> {
    number(base.powf(exponent))
}

/// The root of `value` that is not negative; null when it is below 0.
#[function(immutable)]
#[example(9.0 => 3.0)]
#[example(16 => 4.0)]
#[example(-1.0 => null)]
#[example(null => null)]
pub fn sqrt(value: f64) -> Option<f64> {
    number(value.sqrt())
}
