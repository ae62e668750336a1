//! Hyperbolic functions and their inverses.

use crate::number;
use rulemill_guest::prelude::*;

/// The inverse hyperbolic cosine of `value`; null when it is below 1.
#[function(immutable)]
#[example(1.0 => 0.0)]
#[example(0.5 => null)]
#[example(null => null)]
pub fn acosh(value: f64) -> Option<f64> {
    number(value.acosh())
}

/// The inverse hyperbolic sine of `value`.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(null => null)]
pub fn asinh(value: f64) -> Option<f64> {
    number(value.asinh())
}

/// The inverse hyperbolic tangent of `value`; null when it is not from -1 to 1.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(2.0 => null)]
#[example(null => null)]
pub fn atanh(value: f64) -> Option<f64> {
    number(value.atanh())
}

/// The hyperbolic cosine of `value`.
#[function(immutable)]
#[example(0.0 => 1.0)]
#[example(null => null)]
pub fn cosh(value: f64) -> Option<f64> {
    number(value.cosh())
}

/// The hyperbolic sine of `value`.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(null => null)]
pub fn sinh(value: f64) -> Option<f64> {
    number(value.sinh())
}

/// The hyperbolic tangent of `value`.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(null => null)]
pub fn tanh(value: f64) -> Option<f64> {
    number(value.tanh())
}
