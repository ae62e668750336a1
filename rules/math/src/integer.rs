//! The same functions for ints, whose results stay ints of 64 bits.

use rulemill_guest::prelude::*;

/// The absolute value of `value`. That of the least int is beyond 64 bits, and an error.
#[function(immutable)]
#[example(-7 => 7)]
#[example(9223372036854775807 => 9223372036854775807)]
#[example(-9223372036854775808 => error)]
#[example(null => null)]
pub fn abs_int(value: i64) -> Result<i64, RowError> {
    value
        .checked_abs()
        .ok_or_else(|| RowError::new(format!("abs({value}) is beyond the 64 bits of a bigint")))
}

/// `value`: an int is whole already.
#[function(immutable)]
#[example(7 => 7)]
#[example(null => null)]
pub fn ceil_int(value: i64) -> i64 {
    value
}

/// `value`: an int is whole already.
#[function(immutable)]
#[example(7 => 7)]
#[example(null => null)]
pub fn floor_int(value: i64) -> i64 {
    value
}

/// The remainder of `dividend` divided by `divisor`, with the sign of the dividend. A division by 0 is an error.
#[function(immutable)]
#[example(7, 3 => 1)]
#[example(-7, 3 => -1)]
#[example(-9223372036854775808, -1 => 0)]
#[example(7, 0 => error)]
#[example(7, null => null)]
pub fn mod_int(dividend: i64, divisor: i64) -> Result<i64, RowError> {
    if divisor == 0 {
        return Err(RowError::new(format!("mod({dividend}, 0) divides by zero")));
    }
    Ok(dividend.wrapping_rem(divisor))
}

/// `value` rounded, halves away from 0, to so many digits before the point when `digits` is negative; otherwise itself. A
/// result beyond 64 bits is an error.
#[function(immutable)]
#[example(7 => 7)]
#[example(7, 2 => 7)]
#[example(1250, -2 => 1300)]
#[example(-1250, -2 => -1300)]
#[example(1249, -2 => 1200)]
#[example(5, -1 => 10)]
#[example(7, -400 => 0)]
#[example(9223372036854775807, -1 => error)]
#[example(7, 1, 1 => error)]
#[example(null, 1 => null)]
pub fn round_int(value: i64, digits: &[i64]) -> Result<i64, RowError> {
    let digits = match digits {
        [] => 0,
        [digits] => *digits,
        more => {
            let got = more.len() + 1;
            return Err(RowError::new(format!("round takes 1 or 2 arguments, got {got}")));
        }
    };
    if digits >= 0 {
        return Ok(value);
    }
    // No int is half of 10^20, so all are rounded to 0 from there on.
    let Some(unit) = u32::try_from(digits.unsigned_abs())
        .ok()
        .filter(|digits| *digits < 20)
        .map(|digits| 10_i128.pow(digits))
    else {
        return Ok(0);
    };
    let wide = i128::from(value);
    let rounded = (wide + wide.signum() * unit / 2) / unit * unit;
    i64::try_from(rounded)
        .map_err(|_| RowError::new(format!("round({value}, {digits}) is beyond the 64 bits of a bigint")))
}

/// 1 for a value above 0, -1 for one below, else 0.
#[function(immutable)]
#[example(7 => 1)]
#[example(-9223372036854775808 => -1)]
#[example(0 => 0)]
#[example(null => null)]
pub fn sign_int(value: i64) -> i64 {
    value.signum()
}

/// `value`: an int has nothing behind the point.
#[function(immutable)]
#[example(7, 2 => 7)]
#[example(7, -2 => 7)]
#[example(null, 2 => null)]
pub fn trunc_int(value: i64, _digits: i64) -> i64 {
    value
}
