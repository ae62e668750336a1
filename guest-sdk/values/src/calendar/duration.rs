//! Durations from text: `1h30m`, `-1.5s`, `250ms`.

use super::civil::{HOUR, MINUTE, SECOND};

/// The microseconds of one or more numbers with units, `ns`, `us`, `µs`, `ms`, `s`, `m` and `h`, behind an optional sign.
/// What is below a microsecond is left out. `None`: it is no such text, or beyond 64 bits.
pub fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut nanoseconds = 0_i128;
    loop {
        let digits_end = rest.find(|sign: char| !sign.is_ascii_digit() && sign != '.')?;
        let (number, behind) = rest.split_at(digits_end);
        let unit_end = behind
            .find(|sign: char| sign.is_ascii_digit() || sign == '.')
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        nanoseconds = nanoseconds.checked_add(part(number, nanoseconds_of(unit)?)?)?;
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    let microseconds = i64::try_from(nanoseconds / 1000).ok()?;
    Some(if negative { -microseconds } else { microseconds })
}

/// `number` times `unit`, where the number may have a fraction.
fn part(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let mut sum = match whole {
        "" => 0,
        whole => i128::from(whole.parse::<u64>().ok()?) * unit,
    };
    let mut unit = unit;
    for digit in fraction.bytes() {
        unit /= 10;
        sum += i128::from(digit - b'0') * unit;
    }
    Some(sum)
}

fn nanoseconds_of(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1000,
        "ms" => 1_000_000,
        "s" => i128::from(SECOND) * 1000,
        "m" => i128::from(MINUTE) * 1000,
        "h" => i128::from(HOUR) * 1000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn units_add_up() {
        for (text, microseconds) in [
            ("1h", 3_600_000_000),
            ("1h30m10s100ms200us", 5_410_100_200),
            ("1h30m10s100ms200µs300ns", 5_410_100_200),
            ("-1h30m", -5_400_000_000),
            ("+1.5s", 1_500_000),
            (".5ms", 500),
            ("999ns", 0),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Some(microseconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_none() {
        for text in [
            "",
            "-",
            "5",
            "h",
            "1x",
            "1h-5m",
            "1..5s",
            ".s",
            "1 h",
            "1d",
            "99999999999999999999h",
            "9999999999h",
            "--1h",
            "1hä",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
