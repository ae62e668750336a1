//! Times from text, as ISO 8601 and RFC 3339 write them.

use super::civil::{Civil, HOUR, MINUTE, days_in_month};

/// The microseconds since 1970 of `2006-01-02T15:04:05.000Z` and its shorter forms: only the date, without seconds, with a
/// blank in place of the `T`, without a zone for UTC, with an offset such as `+01:00` or `+0100`. Digits of the second
/// beyond the sixth are left out. `None`: it is no such text, or beyond 64 bits.
pub fn time_of_text(text: &str) -> Option<i64> {
    let mut read = Read(text.trim_ascii().as_bytes());
    let mut civil = Civil {
        year: read.number(4)?,
        month: read.sign(b'-')?.number(2)?,
        day: read.sign(b'-')?.number(2)?,
        hour: 0,
        minute: 0,
        second: 0,
        microsecond: 0,
    };
    if !(1..=12).contains(&civil.month) || !(1..=days_in_month(civil.year, civil.month)).contains(&civil.day) {
        return None;
    }
    let mut offset = 0;
    if read.eat(b'T') || read.eat(b't') || read.eat(b' ') {
        civil.hour = read.number(2).filter(|hour| *hour < 24)?;
        civil.minute = read.sign(b':')?.number(2).filter(|minute| *minute < 60)?;
        if read.eat(b':') {
            civil.second = read.number(2).filter(|second| *second < 60)?;
            if read.eat(b'.') || read.eat(b',') {
                civil.microsecond = read.fraction()?;
            }
        }
        read.eat(b' ');
        offset = read.zone()?;
    }
    if !read.0.is_empty() {
        return None;
    }
    civil.microseconds()?.checked_sub(offset)
}

/// What is still to be read.
struct Read<'t>(&'t [u8]);

impl Read<'_> {
    fn eat(&mut self, sign: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == sign => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn sign(&mut self, sign: u8) -> Option<&mut Self> {
        self.eat(sign).then_some(self)
    }

    fn digit(&mut self) -> Option<i64> {
        match self.0 {
            [digit @ b'0'..=b'9', rest @ ..] => {
                self.0 = rest;
                Some(i64::from(digit - b'0'))
            }
            _ => None,
        }
    }

    /// Exactly so many digits.
    fn number(&mut self, digits: u32) -> Option<i64> {
        let mut number = 0;
        for _ in 0..digits {
            number = number * 10 + self.digit()?;
        }
        Some(number)
    }

    /// Microseconds from the digits behind the point.
    fn fraction(&mut self) -> Option<i64> {
        let mut unit = 100_000;
        let mut microseconds = unit * self.digit()?;
        while let Some(digit) = self.digit() {
            unit /= 10;
            microseconds += unit * digit;
        }
        Some(microseconds)
    }

    fn zone(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.eat(b'Z') || self.eat(b'z') {
            return Some(0);
        }
        let sign = if self.eat(b'-') {
            -1
        } else {
            self.sign(b'+').map(|_| 1)?
        };
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        let minutes = if self.eat(b':') || !self.0.is_empty() {
            self.number(2).filter(|minutes| *minutes < 60)?
        } else {
            0
        };
        Some(sign * (hours * HOUR + minutes * MINUTE))
    }
}

#[cfg(test)]
mod tests {
    use super::time_of_text;

    #[test]
    fn the_forms_of_one_time_are_one_time() {
        for text in [
            "2006-01-02T15:04:05Z",
            "2006-01-02t15:04:05.000000z",
            "2006-01-02 15:04:05",
            "2006-01-02T15:04:05.0000000001",
            "2006-01-02T16:04:05+01:00",
            "2006-01-02T16:34:05 +0130",
            "2006-01-02T08:04:05.0-07",
            " 2006-01-02T15:04:05 ",
        ] {
            assert_eq!(time_of_text(text), Some(1_136_214_245_000_000), "{text}");
        }
        assert_eq!(time_of_text("1970-01-01"), Some(0));
        assert_eq!(time_of_text("1970-01-01T00:01"), Some(60_000_000));
        assert_eq!(time_of_text("1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(time_of_text("2024-02-29T00:00:00.5Z"), Some(1_709_164_800_500_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "now",
            "2006",
            "2006-1-2",
            "2006-13-01",
            "2006-00-01",
            "2006-02-29",
            "2006-01-32",
            "2006-01-02T",
            "2006-01-02T24:00:00Z",
            "2006-01-02T15:60:00Z",
            "2006-01-02T15:04:60Z",
            "2006-01-02T15:04:05.Z",
            "2006-01-02T15:04:05X",
            "2006-01-02T15:04:05+1",
            "2006-01-02T15:04:05+25:00",
            "2006-01-02T15:04:05Zz",
            "-2006-01-02",
            "２００６-01-02",
        ] {
            assert_eq!(time_of_text(text), None, "{text}");
        }
    }
}
