//! Parts of texts between separators.

use rulemill_guest::prelude::*;

/// The part of `text` at `index` after splitting it by `separator`, the first being 0; a negative index counts from the
/// end, the last being -1. An index without a part is an error. An empty separator splits between characters.
#[function(immutable)]
#[example("devices/001/messages", "/", 1 => "001")]
#[example("a/b/c", "/", 0 => "a")]
#[example("a/b/c", "/", -1 => "c")]
#[example("a/b/c", "/", -3 => "a")]
#[example("a/b/c", "/", 3 => error)]
#[example("a/b/c", "/", -4 => error)]
#[example("a/b/c", "/", 4294967296 => error)]
#[example("a/b/c", "/", 9223372036854775807 => error)]
#[example("a/b/c", "/", -9223372036854775808 => error)]
#[example("a::b", "::", 1 => "b")]
#[example("a//b", "/", 1 => "")]
#[example("abc", "/", 0 => "abc")]
#[example("", "/", 0 => "")]
#[example("äb", "", 0 => "ä")]
#[example(null, "/", 0 => null)]
pub fn split_value<'a>(text: &'a str, separator: &str, index: i64) -> Result<&'a str, RowError> {
    let part = if separator.is_empty() {
        character_at(text, index)
    } else if let Ok(index) = usize::try_from(index) {
        text.split(separator).nth(index)
    } else {
        text.rsplit(separator).nth(from_the_end(index))
    };
    part.ok_or_else(|| out_of_range(text, separator, index))
}

/// The part of `text` before the first `separator`; the whole text when that is not in it.
#[function(immutable)]
#[example("key=value=x", "=" => "key")]
#[example("key", "=" => "key")]
#[example("größe", "ß" => "grö")]
#[example("key", "" => "")]
#[example(null, "=" => null)]
pub fn str_before<'a>(text: &'a str, separator: &str) -> &'a str {
    text.split_once(separator).map_or(text, |(before, _)| before)
}

/// The part of `text` behind the first `separator`; empty when that is not in it.
#[function(immutable)]
#[example("key=value=x", "=" => "value=x")]
#[example("key", "=" => "")]
#[example("größe", "ß" => "e")]
#[example("key", "" => "key")]
#[example("key", null => null)]
pub fn str_after<'a>(text: &'a str, separator: &str) -> &'a str {
    text.split_once(separator).map_or("", |(_, after)| after)
}

fn character_at(text: &str, index: i64) -> Option<&str> {
    let (start, character) = match usize::try_from(index) {
        Ok(index) => text.char_indices().nth(index)?,
        Err(_) => text.char_indices().nth_back(from_the_end(index))?,
    };
    Some(&text[start..start + character.len_utf8()])
}

/// -1 is number 0 from the end.
fn from_the_end(index: i64) -> usize {
    usize::try_from(-1 - index).unwrap_or(usize::MAX)
}

fn out_of_range(text: &str, separator: &str, index: i64) -> RowError {
    let parts = match separator {
        "" => text.chars().count(),
        separator => text.split(separator).count(),
    };
    RowError::new(format!("there is no part {index}: the text has {parts} parts"))
}
