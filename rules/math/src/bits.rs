//! Bits of ints.

use rulemill_guest::prelude::*;

/// The bits that are set in both.
#[function(immutable)]
#[example(12, 10 => 8)]
#[example(-1, 10 => 10)]
#[example(12, null => null)]
pub fn bitand(left: i64, right: i64) -> i64 {
    left & right
}

/// The bits that are set in either.
#[function(immutable)]
#[example(12, 10 => 14)]
#[example(null, 10 => null)]
pub fn bitor(left: i64, right: i64) -> i64 {
    left | right
}

/// The bits that are set in one, but not in both.
#[function(immutable)]
#[example(12, 10 => 6)]
#[example(null, 10 => null)]
pub fn bitxor(left: i64, right: i64) -> i64 {
    left ^ right
}

/// The bits that are not set in `value`.
#[function(immutable)]
#[example(0 => -1)]
#[example(9223372036854775807 => -9223372036854775808)]
#[example(null => null)]
pub fn bitnot(value: i64) -> i64 {
    !value
}
