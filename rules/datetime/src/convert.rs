//! Times from numbers and back.

use crate::arithmetic::date_and_time;
use rulemill_guest::prelude::*;
use rulemill_guest_values::calendar::{Civil, DAY, SECOND};

/// The time of so many milliseconds since 1970. What is beyond 64 bits of microseconds is an error.
#[function(immutable)]
#[example(1500 => 1500000)]
#[example(-1 => -1000)]
#[example(9223372036854775807 => error)]
#[example(null => null)]
pub fn int_to_time(milliseconds: i64) -> Result<Time, RowError> {
    milliseconds.checked_mul(1000).map(Time).ok_or_else(beyond)
}

/// The time of so many milliseconds since 1970. What is beyond 64 bits of microseconds, and what is no number, is an error.
#[function(immutable)]
#[example(1500.5 => 1500500)]
#[example(-0.5 => -500)]
#[example(1e30 => error)]
#[example(null => null)]
pub fn float_to_time(milliseconds: f64) -> Result<Time, RowError> {
    let microseconds = (milliseconds * 1000.0).trunc();
    if !(-TWO_TO_63..TWO_TO_63).contains(&microseconds) {
        return Err(beyond());
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked, and there is no fraction"
    )]
    let microseconds = microseconds as i64;
    Ok(Time(microseconds))
}

/// The milliseconds of `time` since 1970, rounded down.
#[function(immutable)]
#[example(1500999 => 1500)]
#[example(-1 => -1)]
#[example(null => null)]
pub fn time_to_int(time: Time) -> i64 {
    time.0.div_euclid(1000)
}

/// The seconds of `time` since 1970, rounded down.
#[function(immutable)]
#[example(1500999 => 1)]
#[example(-1 => -1)]
#[example(null => null)]
pub fn to_seconds(time: Time) -> i64 {
    time.0.div_euclid(SECOND)
}

/// The date and time of so many seconds since 1970, such as `2006-01-02 15:04:05`.
#[function(immutable)]
#[example(1136214245 => "2006-01-02 15:04:05")]
#[example(0 => "1970-01-01 00:00:00")]
#[example(-1 => "1969-12-31 23:59:59")]
#[example(9223372036854775807 => error)]
#[example(null => null)]
pub fn from_unix_time(seconds: i64) -> Result<String, RowError> {
    seconds.checked_mul(SECOND).map(date_and_time).ok_or_else(beyond)
}

/// The date of a day, the first day of 1970 being 1, such as `1970-01-01`.
#[function(immutable)]
#[example(1 => "1970-01-01")]
#[example(0 => "1969-12-31")]
#[example(20088 => "2024-12-30")]
#[example(9223372036854775807 => error)]
#[example(-9223372036854775808 => error)]
#[example(null => null)]
pub fn from_days(days: i64) -> Result<String, RowError> {
    let microseconds = days.checked_sub(1).and_then(|days| days.checked_mul(DAY));
    let Civil { year, month, day, .. } = Civil::of(microseconds.ok_or_else(beyond)?);
    Ok(format!("{year:04}-{month:02}-{day:02}"))
}

/// The day of `time`, the first day of 1970 being 1: what `from_days` takes.
#[function(immutable)]
#[example(0 => 1)]
#[example(-1 => 0)]
#[example(86400000000 => 2)]
#[example(null => null)]
pub fn to_days(time: Time) -> i64 {
    time.0.div_euclid(DAY) + 1
}

fn beyond() -> RowError {
    RowError::new("the time is beyond the 64 bits of a datetime")
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
