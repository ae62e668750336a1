//! Texts made of other texts.

use crate::pad::RESULT_LEN_MAX;
use rulemill_guest::prelude::*;
use std::borrow::Cow;

/// `text` followed by all of `others`.
#[function(immutable)]
#[example("a" => "a")]
#[example("a", "b", "c" => "abc")]
#[example("a", "" => "a")]
#[example("a", null, "c" => null)]
pub fn concat(text: &str, others: &[&str]) -> String {
    let mut whole = String::with_capacity(text.len() + others.iter().map(|other| other.len()).sum::<usize>());
    whole.push_str(text);
    others.iter().for_each(|other| whole.push_str(other));
    whole
}

/// `text` with each `from` in it replaced by `to`, from the left and without overlaps. An empty `from` changes nothing. A
/// result of more than 64 KiB that is longer than `text` is an error.
#[function(immutable)]
#[example("a-b-c", "-", "/" => "a/b/c")]
#[example("aaa", "aa", "b" => "ba")]
#[example("abc", "x", "y" => "abc")]
#[example("abc", "", "y" => "abc")]
#[example("abc", "b", "" => "ac")]
#[example("abc", null, "y" => null)]
pub fn replace<'a>(text: &'a str, from: &str, to: &str) -> Result<Cow<'a, str>, RowError> {
    if from.is_empty() || !text.contains(from) {
        return Ok(Cow::Borrowed(text));
    }
    let count = text.matches(from).count();
    let kept_len = text.len() - count * from.len();
    if to.len().saturating_mul(count).saturating_add(kept_len) > RESULT_LEN_MAX.max(text.len()) {
        return Err(RowError::new(format!(
            "the result would have more than {RESULT_LEN_MAX} bytes"
        )));
    }
    Ok(Cow::Owned(text.replace(from, to)))
}
