//! From microseconds to year, month, day and time of day, and back.

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day.
pub const DAY: i64 = 24 * HOUR;

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year; 0 is the year before 1.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// 0 to 999,999.
    pub microsecond: i64,
}

impl Civil {
    /// The date and time of so many microseconds since 1970.
    ///
    /// The days are counted from the first of March of the year 0, so that a leap day is the last of its year, in eras
    /// of 400 years, which all have the same number of days.
    pub fn of(microseconds: i64) -> Self {
        let days = microseconds.div_euclid(DAY) + DAYS_TO_1970;
        let in_day = microseconds.rem_euclid(DAY);
        let (era, in_era) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
        let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * in_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Civil {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: in_year - (153 * from_march + 2) / 5 + 1,
            hour: in_day / HOUR,
            minute: in_day / MINUTE % 60,
            second: in_day / SECOND % 60,
            microsecond: in_day % SECOND,
        }
    }

    /// The microseconds since 1970; `None` beyond 64 bits.
    pub fn microseconds(&self) -> Option<i64> {
        let in_day = self.hour * HOUR + self.minute * MINUTE + self.second * SECOND + self.microsecond;
        // The day in which 64 bits begin does so before that.
        i64::try_from(i128::from(self.days()) * i128::from(DAY) + i128::from(in_day)).ok()
    }

    /// The day of the week; 0 is Sunday.
    pub fn weekday(&self) -> i64 {
        // The first of January of 1970 was a Thursday.
        (self.days() + 4).rem_euclid(7)
    }

    /// The day of the year, from 1.
    pub fn day_of_year(&self) -> i64 {
        let first = Civil {
            month: 1,
            day: 1,
            ..*self
        };
        self.days() - first.days() + 1
    }

    /// The days since 1970.
    fn days(&self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = (self.month + 9) % 12;
        let in_year = (153 * from_march + 2) / 5 + self.day - 1;
        let in_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + in_year;
        era * DAYS_OF_ERA + in_era - DAYS_TO_1970
    }
}

/// How many days a month has.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// From the first of March of the year 0 to 1970.
const DAYS_TO_1970: i64 = 719_468;
/// In 400 years.
const DAYS_OF_ERA: i64 = 146_097;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_a_thousand_years_follows_the_one_before() {
        let mut expected = (1600, 1, 1);
        for day in -135_140..230_000 {
            let civil = Civil::of(day * DAY);
            let (year, month, date) = expected;
            assert_eq!((civil.year, civil.month, civil.day), expected);
            assert_eq!(civil.microseconds(), Some(day * DAY));
            expected = if date < days_in_month(year, month) {
                (year, month, date + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
    }

    #[test]
    fn the_ends_of_time_have_dates() {
        for microseconds in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(Civil::of(microseconds).microseconds(), Some(microseconds));
        }
        assert_eq!(Civil::of(i64::MIN).year, -290_308);
        assert_eq!(Civil::of(i64::MAX).year, 294_247);
        let beyond = Civil {
            day: 31,
            ..Civil::of(i64::MAX)
        };
        assert_eq!(beyond.microseconds(), None);
    }

    #[test]
    fn days_are_counted_in_week_and_year() {
        assert_eq!(Civil::of(0).weekday(), 4);
        assert_eq!(Civil::of(-DAY).weekday(), 3);
        assert_eq!(Civil::of(0).day_of_year(), 1);
        // 31 December 2024, of a leap year.
        assert_eq!(Civil::of(20_088 * DAY).day_of_year(), 366);
    }
}
