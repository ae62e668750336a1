//! Characters and their numbers, bytes and places.

use rulemill_guest::prelude::*;

/// The character with this number in Unicode. A number without one is an error.
#[function(immutable)]
#[example(65 => "A")]
#[example(246 => "ö")]
#[example(0 => "\0")]
#[example(55296 => error)]
#[example(-1 => error)]
#[example(9223372036854775807 => error)]
#[example(null => null)]
pub fn chr(code: i64) -> Result<String, RowError> {
    let character = u32::try_from(code).ok().and_then(char::from_u32);
    character
        .map(String::from)
        .ok_or_else(|| RowError::new(format!("there is no character with the number {code}")))
}

/// The number of the first character of `text` in Unicode; 0 when there is none.
#[function(immutable)]
#[example("A" => 65)]
#[example("öl" => 246)]
#[example("" => 0)]
#[example(null => null)]
pub fn ascii(text: &str) -> i64 {
    text.chars().next().map_or(0, |first| i64::from(u32::from(first)))
}

/// How many characters of `text` stand before the first `part` in it; -1 when it is not there, or either is null.
#[function(immutable)]
#[example("foobar", "bar" => 3)]
#[example("größer", "er" => 4)]
#[example("abc", "" => 0)]
#[example("abc", "x" => -1)]
#[example(null, "a" => -1)]
#[example("a", null => -1)]
pub fn indexof(text: Option<&str>, part: Option<&str>) -> i64 {
    let (Some(text), Some(part)) = (text, part) else {
        return -1;
    };
    let before = text.find(part).map(|byte| text[..byte].chars().count());
    before.and_then(|count| i64::try_from(count).ok()).unwrap_or(-1)
}

/// How many bytes `text` has in UTF-8; 0 when it is null.
#[function(immutable)]
#[example("abc" => 3)]
#[example("größe" => 7)]
#[example("" => 0)]
#[example(null => 0)]
pub fn numbytes(text: Option<&str>) -> i64 {
    text.map_or(0, |text| i64::try_from(text.len()).unwrap_or(i64::MAX))
}
