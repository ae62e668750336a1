//! The shipped library of mathematical functions, with eKuiper's names.
//!
//! Where eKuiper takes ints and floats under one name there are two functions here, the one for ints with `_int` behind
//! its name. What has no number as its result (the root of -1) is null. A null argument gives null.

mod angle;
mod base;
mod bits;
mod hyperbolic;
mod integer;
mod logarithm;
mod remainder;
mod rounding;
#[cfg(test)]
mod tests;

pub use angle::{acos, asin, atan, atan2, cos, cot, degrees, pi, radians, sin, tan};
pub use base::{conv, dec2hex, hex2dec};
pub use bits::{bitand, bitnot, bitor, bitxor};
pub use hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh};
pub use integer::{abs_int, ceil_int, floor_int, mod_int, round_int, sign_int, trunc_int};
pub use logarithm::{exp, ln, log, power, sqrt};
pub use remainder::{abs, r#mod, sign};
pub use rounding::{ceil, floor, round, trunc};

rulemill_guest::library! {
    name: "math",
    doc: "Mathematical functions: angles, logarithms, rounding, bits and number bases.",
    functions: [
        abs, abs_int, acos, acosh, asin, asinh, atan, atan2, atanh, bitand, bitnot, bitor, bitxor, ceil, ceil_int, conv,
        cos, cosh, cot, dec2hex, degrees, exp, floor, floor_int, hex2dec, ln, log, r#mod, mod_int, pi, power, radians,
        round, round_int, sign, sign_int, sin, sinh, sqrt, tan, tanh, trunc, trunc_int,
    ],
}

/// The number, or null when there is none.
fn number(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}
