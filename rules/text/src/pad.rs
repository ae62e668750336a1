//! Texts that become longer.

use rulemill_guest::prelude::*;

/// `text` behind so many spaces. A negative number, or more than 65,536, is an error.
#[function(immutable)]
#[example("a", 2 => "  a")]
#[example("", 1 => " ")]
#[example("a", 0 => "a")]
#[example("a", -1 => error)]
#[example("a", 65537 => error)]
#[example(null, 1 => null)]
#[example("a", null => null)]
pub fn lpad(text: &str, count: i64) -> Result<String, RowError> {
    Ok(" ".repeat(spaces(count)?) + text)
}

/// `text` with so many spaces behind it. A negative number, or more than 65,536, is an error.
#[function(immutable)]
#[example("a", 2 => "a  ")]
#[example("", 1 => " ")]
#[example("a", 9223372036854775807 => error)]
#[example(null, 1 => null)]
pub fn rpad(text: &str, count: i64) -> Result<String, RowError> {
    Ok(text.to_owned() + &" ".repeat(spaces(count)?))
}

/// `text` so many times in a row. A negative number, or a result of more than 64 KiB, is an error.
#[function(immutable)]
#[example("ab", 3 => "ababab")]
#[example("ab", 0 => "")]
#[example("", 9223372036854775807 => "")]
#[example("ab", -1 => error)]
#[example("ab", 9223372036854775807 => error)]
#[example(null, 1 => null)]
pub fn repeat_text(text: &str, count: i64) -> Result<String, RowError> {
    if count < 0 {
        return Err(RowError::new(format!("the count must be at least 0, got {count}")));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if text.len().saturating_mul(count) > RESULT_LEN_MAX {
        return Err(RowError::new(format!(
            "the result would have more than {RESULT_LEN_MAX} bytes"
        )));
    }
    // An empty text would be repeated as often as it is said, for nothing.
    Ok(if text.is_empty() {
        String::new()
    } else {
        text.repeat(count)
    })
}

fn spaces(count: i64) -> Result<usize, RowError> {
    let spaces = usize::try_from(count).ok().filter(|count| *count <= RESULT_LEN_MAX);
    spaces.ok_or_else(|| {
        RowError::new(format!(
            "the number of spaces must be 0 to {RESULT_LEN_MAX}, got {count}"
        ))
    })
}

/// How many bytes may be added to a text.
pub(crate) const RESULT_LEN_MAX: usize = 64 * 1024;
