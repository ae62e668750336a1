//! Times from text and back.

use rulemill_guest::prelude::*;
use rulemill_guest_values::calendar::{format, time_of_text};

/// `time` as the pattern `format` says, in which runs of letters stand for parts of it: `yyyy` year, `MM` month, `dd` day, `HH` hour, `mm`
/// minute, `ss` second, `SSS` milliseconds and so on. All other signs, and what is between single quotes, stand for
/// themselves. A letter that stands for nothing, or a pattern of more than 1 KiB, is an error.
#[function(immutable)]
#[example(1136214245678901, "YYYY-MM-dd T HH:mm:ss" => "2006-01-02 T 15:04:05")]
#[example(1136214245678901, "YYYY/MM/dd HH:mm:ss.SSS XXX" => "2006/01/02 15:04:05.678 +00:00")]
#[example(1136214245678901, "EEE, d MMM yy 'at' h a" => "Mon, 2 Jan 06 at 3 PM")]
#[example(0, "" => "")]
#[example(0, "Q" => error)]
#[example(null, "yyyy" => null)]
#[example(0, null => null)]
pub fn format_time(time: Time, format: &str) -> Result<String, RowError> {
    if format.len() > PATTERN_LEN_MAX {
        return Err(RowError::new(format!(
            "a pattern may have {PATTERN_LEN_MAX} bytes, got {}",
            format.len()
        )));
    }
    self::format(time.0, format)
        .map_err(|letter| RowError::new(format!("the letter {letter} stands for no part of a time")))
}

/// The time that a text says, such as `2006-01-02T15:04:05.000Z`; also without the time, the seconds or the zone, which then is
/// UTC, and with a blank in place of the `T`.
#[function(immutable)]
#[example("1970-01-01T00:00:01.5Z" => 1500000)]
#[example("1970-01-01 01:00:00+01:00" => 0)]
#[example("1970-01-02" => 86400000000)]
#[example("2006-02-29" => error)]
#[example("now" => error)]
#[example("" => error)]
#[example(null => null)]
pub fn text_to_time(text: &str) -> Result<Time, RowError> {
    time_of_text(text)
        .map(Time)
        .ok_or_else(|| RowError::new("needs a time such as 2006-01-02T15:04:05Z"))
}

/// `time` as text, such as `2006-01-02T15:04:05.678Z`.
#[function(immutable)]
#[example(1136214245678901 => "2006-01-02T15:04:05.678Z")]
#[example(-1 => "1969-12-31T23:59:59.999Z")]
#[example(null => null)]
pub fn time_to_text(time: Time) -> Result<String, RowError> {
    format_time(time, "yyyy-MM-ddTHH:mm:ss.SSS'Z'")
}

/// What a pattern makes may be longer than it, but not more than nine times.
const PATTERN_LEN_MAX: usize = 1024;
