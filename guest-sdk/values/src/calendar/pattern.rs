//! Times to text, by a pattern of letters.

use super::civil::Civil;
use std::fmt::Write;

/// The time as the pattern says: a run of a letter stands for a part of the time, all other signs for themselves, and so
/// does what is between single quotes.
///
/// `G` era, `y` and `Y` year, `M` month (`MMM` and `MMMM` its name), `d` day, `E` day of the week, `H` and `h` hour of 24 and of
/// 12, `a` AM or PM, `m` minute, `s` second, `S` digits of the fraction of a second, `z`, `Z` and `X` the zone, which is UTC.
/// `Err`: this letter stands for nothing.
pub fn format(microseconds: i64, pattern: &str) -> Result<String, char> {
    let civil = Civil::of(microseconds);
    let mut text = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(sign) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (inner, behind) = quoted.split_once('\'').unwrap_or((quoted, ""));
            // Two quotes in a row are one.
            text.push_str(if inner.is_empty() { "'" } else { inner });
            rest = behind;
            continue;
        }
        let run = rest.find(|other| other != sign).unwrap_or(rest.len());
        if sign.is_ascii_alphabetic() && !(sign == 'T' && run == 1) {
            part(&mut text, &civil, sign, run).ok_or(sign)?;
        } else {
            text.push_str(&rest[..run]);
        }
        rest = &rest[run..];
    }
    Ok(text)
}

/// Writes the part that a letter stands for which comes `run` times; `None` when it stands for nothing.
fn part(text: &mut String, civil: &Civil, letter: char, run: usize) -> Option<()> {
    let hour12 = (civil.hour + 11) % 12 + 1;
    match (letter, run) {
        ('G', _) => text.push_str(if civil.year > 0 { "AD" } else { "BC" }),
        ('Y' | 'y', 2) => number(text, civil.year.rem_euclid(100), 2),
        ('Y' | 'y', _) => number(text, civil.year, 4),
        ('M', 1 | 2) => number(text, civil.month, run),
        ('M', 3) => text.push_str(&name(&MONTHS, civil.month - 1)[..3]),
        ('M', _) => text.push_str(name(&MONTHS, civil.month - 1)),
        ('d', _) => number(text, civil.day, run.min(2)),
        ('E', 1..=3) => text.push_str(&name(&DAYS, civil.weekday())[..3]),
        ('E', _) => text.push_str(name(&DAYS, civil.weekday())),
        ('H', _) => number(text, civil.hour, run.min(2)),
        ('h', _) => number(text, hour12, run.min(2)),
        ('a', _) => text.push_str(if civil.hour < 12 { "AM" } else { "PM" }),
        ('m', _) => number(text, civil.minute, run.min(2)),
        ('s', _) => number(text, civil.second, run.min(2)),
        ('S', _) => {
            let digits = run.min(6);
            let mut fraction = String::new();
            number(&mut fraction, civil.microsecond, 6);
            text.push_str(&fraction[..digits]);
        }
        ('z', _) => text.push_str("UTC"),
        ('Z', _) | ('X', 2) => text.push_str("+0000"),
        ('X', 1) => text.push_str("+00"),
        ('X', _) => text.push_str("+00:00"),
        _ => return None,
    }
    Some(())
}

/// The name of a month from 0, or of a day of the week.
fn name(names: &[&'static str], position: i64) -> &'static str {
    let position = usize::try_from(position).unwrap_or_default();
    names.get(position).copied().unwrap_or("???")
}

fn number(text: &mut String, number: i64, digits: usize) {
    write!(text, "{number:0digits$}").expect("a String takes all that is written");
}

impl Civil {
    /// The name of the month.
    pub fn month_name(&self) -> &'static str {
        name(&MONTHS, self.month - 1)
    }

    /// The name of the day of the week.
    pub fn day_name(&self) -> &'static str {
        name(&DAYS, self.weekday())
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn letters_stand_for_parts() {
        for (pattern, text) in [
            ("YYYY-MM-dd T HH:mm:ss", "2006-01-02 T 15:04:05"),
            ("YYYY/MM/dd HH:mm:ss.SSS XXX", "2006/01/02 15:04:05.678 +00:00"),
            ("yyyy-MM-ddTHH:mm:ss.SSSSSS", "2006-01-02T15:04:05.678901"),
            ("yy M MMM MMMM d", "06 1 Jan January 2"),
            ("EEE EEEE h hh a", "Mon Monday 3 03 PM"),
            ("S SS z Z X XX", "6 67 UTC +0000 +00 +0000"),
            ("G 'at' '' €", "AD at ' €"),
            ("", ""),
        ] {
            assert_eq!(format(1_136_214_245_678_901, pattern).as_deref(), Ok(text), "{pattern}");
        }
        assert_eq!(format(0, "yyyy Q"), Err('Q'));
    }

    #[test]
    fn times_far_away_do_not_panic() {
        for microseconds in [i64::MIN, -1, i64::MAX] {
            assert!(format(microseconds, "GyYMMMMdEEEEHhamsSSSSSSSSSzZX").is_ok());
        }
        assert_eq!(
            format(-1, "yyyy-MM-dd HH:mm:ss.SSS").as_deref(),
            Ok("1969-12-31 23:59:59.999")
        );
    }
}
