//! Time as data: microseconds since the Unix epoch, UTC, in types that cannot be mixed up.

use std::fmt;

/// Microseconds since the Unix epoch, UTC; before it, negative. The clock it belongs to is said where it is used:
/// arrival time for what the host recorded, event time for what a message carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Micros(pub i64);

impl Micros {
    /// So many milliseconds after the epoch; saturates.
    pub fn from_millis(millis: i64) -> Self {
        Micros(millis.saturating_mul(1000))
    }
}

/// As RFC 3339 in UTC with milliseconds, rounded down: `2026-11-23T15:04:05.123Z`. A year that does not have four digits
/// is written with its sign, which RFC 3339 does not know: such times are mistakes, and the text shows them as such.
impl fmt::Display for Micros {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.div_euclid(1000);
        let (days, in_day) = (millis.div_euclid(DAY_MILLIS), millis.rem_euclid(DAY_MILLIS));
        let (year, month, day) = date(days);
        if (0..=9999).contains(&year) {
            write!(out, "{year:04}")?;
        } else {
            write!(out, "{year:+}")?;
        }
        let (minutes, millis) = (in_day / 60_000, in_day % 60_000);
        write!(
            out,
            "-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            minutes / 60,
            minutes % 60,
            millis / 1000,
            millis % 1000
        )
    }
}

/// The Gregorian date of a day, counted from the Unix epoch: year, month and day of the month.
fn date(days: i64) -> (i64, i64, i64) {
    // Years are taken to begin in March, so that a leap day is the last of its year. Eras are of 400 years, which all have
    // the same days; the first of March of the year 0 lies 719,468 days before the epoch.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    // Leap days before this day: one in 1460 + 1 days, but none at the end of a century, and one at the end of the era.
    let leap_days = day / 1460 - day / 36_524 + day / (ERA_DAYS - 1);
    let year = (day - leap_days) / 365;
    let day = day - (year * 365 + year / 4 - year / 100);
    // From March on, five months have 153 days: 31, 30, 31, 30, 31.
    let month = (day * 5 + 2) / 153;
    let day = day - (month * 153 + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day)
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The days of 400 years.
const ERA_DAYS: i64 = 146_097;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_446_245_123_999, "2026-11-23T15:04:05.123Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-2_203_891_200_000_001, "1900-02-28T23:59:59.999Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000_001, "-1-12-31T23:59:59.999Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000_000, "+10000-01-01T00:00:00.000Z"),
            (i64::MAX, "+294247-01-10T04:00:54.775Z"),
            (i64::MIN, "-290308-12-21T19:59:05.224Z"),
        ];
        for (micros, expected) in cases {
            assert_eq!(Micros(micros).to_string(), expected);
        }
    }

    #[test]
    fn the_calendar_agrees_with_counting_days() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..2 * ERA_DAYS {
            assert_eq!(date(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let month_days = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > month_days {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
