//! Parts of the time of day.

use rulemill_guest::prelude::*;
use rulemill_guest_values::calendar::Civil;

/// The hour, 0 to 23.
#[function(immutable)]
#[example(1136214245678901 => 15)]
#[example(-1 => 23)]
#[example(null => null)]
pub fn hour(time: Time) -> i64 {
    Civil::of(time.0).hour
}

/// The minute, 0 to 59.
#[function(immutable)]
#[example(1136214245678901 => 4)]
#[example(-1 => 59)]
#[example(null => null)]
pub fn minute(time: Time) -> i64 {
    Civil::of(time.0).minute
}

/// The second, 0 to 59.
#[function(immutable)]
#[example(1136214245678901 => 5)]
#[example(-1 => 59)]
#[example(null => null)]
pub fn second(time: Time) -> i64 {
    Civil::of(time.0).second
}

/// The microseconds of the second, 0 to 999,999.
#[function(immutable)]
#[example(1136214245678901 => 678901)]
#[example(-1 => 999999)]
#[example(null => null)]
pub fn microsecond(time: Time) -> i64 {
    Civil::of(time.0).microsecond
}
