//! Times and the durations between them.

use rulemill_guest::prelude::*;
use rulemill_guest_values::calendar::{Civil, DAY, duration};

/// The time that is `duration` after `time`, such as `2019-01-01 01:30:00`. A duration is made of numbers and the units `ns`,
/// `us`, `ms`, `s`, `m` and `h`, as in `1h30m`, and goes back with a `-` before it.
#[function(immutable)]
#[example(1546300800000000, "1h30m" => "2019-01-01 01:30:00")]
#[example(1546300800000000, "-1s" => "2018-12-31 23:59:59")]
#[example(1546300800000000, "1h30m10s100ms200us300ns" => "2019-01-01 01:30:10")]
#[example(1546300800000000, "1 day" => error)]
#[example(9223372036854775807, "1us" => error)]
#[example(null, "1h" => null)]
#[example(0, null => null)]
pub fn date_calc(time: Time, duration: &str) -> Result<String, RowError> {
    let Some(microseconds) = self::duration(duration) else {
        return Err(RowError::new("needs a duration such as 1h30m or -500ms"));
    };
    match time.0.checked_add(microseconds) {
        Some(time) => Ok(date_and_time(time)),
        None => Err(RowError::new("the time is beyond the 64 bits of a datetime")),
    }
}

/// How many whole days lie between `from` and `to`; below 0 when `to` comes first.
#[function(immutable)]
#[example(0, 86400000000 => 1)]
#[example(0, 86399999999 => 0)]
#[example(86400000000, 0 => -1)]
#[example(-9223372036854775808, 9223372036854775807 => 213503982)]
#[example(null, 0 => null)]
pub fn date_diff(from: Time, to: Time) -> Result<i64, RowError> {
    let days = (i128::from(to.0) - i128::from(from.0)) / i128::from(DAY);
    i64::try_from(days).map_err(|_| RowError::new("the days are beyond the 64 bits of a bigint"))
}

/// Such as `2006-01-02 15:04:05`.
pub(crate) fn date_and_time(microseconds: i64) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = Civil::of(microseconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}
