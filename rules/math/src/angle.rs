//! Angles and their functions. Angles are in radians.

use crate::number;
use rulemill_guest::prelude::*;

/// The inverse cosine of `value`; null when it is not from -1 to 1.
#[function(immutable)]
#[example(1.0 => 0.0)]
#[example(1 => 0.0)]
#[example(2.0 => null)]
#[example(null => null)]
pub fn acos(value: f64) -> Option<f64> {
    number(value.acos())
}

/// The inverse sine of `value`; null when it is not from -1 to 1.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(-2.0 => null)]
#[example(null => null)]
pub fn asin(value: f64) -> Option<f64> {
    number(value.asin())
}

/// The inverse tangent of `value`.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(null => null)]
pub fn atan(value: f64) -> Option<f64> {
    number(value.atan())
}

/// The angle between the positive x-axis and the line from the origin to the point `x`, `y`; `y` comes first.
#[function(immutable)]
#[example(0.0, 1.0 => 0.0)]
#[example(0.0, 0.0 => 0.0)]
#[example(1.0, null => null)]
pub fn atan2(y: f64, x: f64) -> Option<f64> {
    number(y.atan2(x))
}

/// The cosine of `angle`.
#[function(immutable)]
#[example(0.0 => 1.0)]
#[example(null => null)]
pub fn cos(angle: f64) -> Option<f64> {
    number(angle.cos())
}

/// The cotangent of `angle`. Where the tangent is 0 it is an error.
#[function(immutable)]
#[example(0.0 => error)]
#[example(null => null)]
pub fn cot(angle: f64) -> Result<Option<f64>, RowError> {
    let tangent = angle.tan();
    if tangent == 0.0 {
        return Err(RowError::new(format!(
            "there is no cotangent of {angle}: its tangent is 0"
        )));
    }
    Ok(number(1.0 / tangent))
}

/// `angle` in degrees.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(null => null)]
pub fn degrees(angle: f64) -> Option<f64> {
    number(angle.to_degrees())
}

/// The ratio of a circle's circumference to its diameter.
#[function(immutable)]
pub fn pi() -> f64 {
    std::f64::consts::PI
}

/// The angle of so many degrees.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(null => null)]
pub fn radians(degrees: f64) -> Option<f64> {
    number(degrees.to_radians())
}

/// The sine of `angle`.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(null => null)]
pub fn sin(angle: f64) -> Option<f64> {
    number(angle.sin())
}

/// The tangent of `angle`.
#[function(immutable)]
#[example(0.0 => 0.0)]
#[example(null => null)]
pub fn tan(angle: f64) -> Option<f64> {
    number(angle.tan())
}
