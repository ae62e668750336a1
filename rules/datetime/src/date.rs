//! Parts of the date.

use rulemill_guest::prelude::*;
use rulemill_guest_values::calendar::{Civil, days_in_month};

/// The year.
#[function(immutable)]
#[example(1136214245678901 => 2006)]
#[example(-1 => 1969)]
#[example(null => null)]
pub fn year(time: Time) -> i64 {
    Civil::of(time.0).year
}

/// The month, 1 to 12.
#[function(immutable)]
#[example(1136214245678901 => 1)]
#[example(-1 => 12)]
#[example(null => null)]
pub fn month(time: Time) -> i64 {
    Civil::of(time.0).month
}

/// The English name of the month.
#[function(immutable)]
#[example(1136214245678901 => "January")]
#[example(-1 => "December")]
#[example(null => null)]
pub fn month_name(time: Time) -> &'static str {
    Civil::of(time.0).month_name()
}

/// The day of the month, 1 to 31.
#[function(immutable)]
#[example(1136214245678901 => 2)]
#[example(-1 => 31)]
#[example(null => null)]
pub fn day_of_month(time: Time) -> i64 {
    Civil::of(time.0).day
}

/// The same as `day_of_month`.
#[function(immutable)]
#[example(1136214245678901 => 2)]
#[example(null => null)]
pub fn day(time: Time) -> i64 {
    day_of_month(time)
}

/// The day of the week, Sunday being 1 and Saturday 7.
#[function(immutable)]
#[example(1136214245678901 => 2)]
#[example(0 => 5)]
#[example(null => null)]
pub fn day_of_week(time: Time) -> i64 {
    Civil::of(time.0).weekday() + 1
}

/// The English name of the day of the week.
#[function(immutable)]
#[example(1136214245678901 => "Monday")]
#[example(0 => "Thursday")]
#[example(null => null)]
pub fn day_name(time: Time) -> &'static str {
    Civil::of(time.0).day_name()
}

/// The day of the year, 1 to 366.
#[function(immutable)]
#[example(1136214245678901 => 2)]
#[example(-1 => 365)]
#[example(null => null)]
pub fn day_of_year(time: Time) -> i64 {
    Civil::of(time.0).day_of_year()
}

/// The last day of the month of `time`, such as `2024-02-29`.
#[function(immutable)]
#[example(1136214245678901 => "2006-01-31")]
#[example(1708000000000000 => "2024-02-29")]
#[example(null => null)]
pub fn last_day(time: Time) -> String {
    let Civil { year, month, .. } = Civil::of(time.0);
    format!("{year:04}-{month:02}-{:02}", days_in_month(year, month))
}
