//! Lengths and parts, in characters.

use rulemill_guest::prelude::*;

/// How many characters `text` has; 0 when it is null.
#[function(immutable)]
#[example("abc" => 3)]
#[example("größe" => 5)]
#[example("" => 0)]
#[example(null => 0)]
pub fn length(text: Option<&str>) -> i64 {
    text.map_or(0, |text| i64::try_from(text.chars().count()).unwrap_or(i64::MAX))
}

/// The characters of `text` from position `start` up to, and without, position `end`; up to the last one when no `end`
/// is given. Positions beyond the text stand for its end. A negative position, or an end before the start, is an error.
#[function(immutable)]
#[example("telemetry", 4 => "metry")]
#[example("telemetry", 0, 4 => "tele")]
#[example("größe", 2, 4 => "öß")]
#[example("abc", 1, 99 => "bc")]
#[example("abc", 9 => "")]
#[example("größe", 1, 9223372036854775807 => "röße")]
#[example("abc", 2, 2 => "")]
#[example("abc", -1 => error)]
#[example("abc", 2, 1 => error)]
#[example("abc", 0, 1, 2 => error)]
#[example(null, 1 => null)]
pub fn substring<'a>(text: &'a str, start: i64, end: &[i64]) -> Result<&'a str, RowError> {
    if let [_, _, ..] = end {
        let got = end.len() + 2;
        return Err(RowError::new(format!("substring takes 2 or 3 arguments, got {got}")));
    }
    let from = byte_at(text, start, "start")?;
    let Some(&end) = end.first() else {
        return Ok(&text[from..]);
    };
    if end < start {
        return Err(RowError::new(format!(
            "the end must not be before the start {start}, got {end}"
        )));
    }
    Ok(&text[from..byte_at(text, end, "end")?])
}

/// The characters of `text` from the last to the first.
#[function(immutable)]
#[example("größe" => "eßörg")]
#[example("" => "")]
#[example(null => null)]
pub fn reverse(text: &str) -> String {
    text.chars().rev().collect()
}

/// Where character `position` begins, in bytes; the end of the text when there are fewer characters.
fn byte_at(text: &str, position: i64, name: &str) -> Result<usize, RowError> {
    if position < 0 {
        return Err(RowError::new(format!("the {name} must be at least 0, got {position}")));
    }
    // A guest has 32 bits for a length, and a position 64.
    let position = usize::try_from(position).unwrap_or(usize::MAX);
    if text.is_ascii() {
        return Ok(position.min(text.len()));
    }
    Ok(text.char_indices().nth(position).map_or(text.len(), |(byte, _)| byte))
}
