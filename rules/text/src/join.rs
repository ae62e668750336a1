//! Texts made of other texts.

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

/// `text` with each `from` in it replaced by `to`, from the left and without overlaps. An empty `from` changes nothing.
#[function(immutable)]
#[example("a-b-c", "-", "/" => "a/b/c")]
#[example("aaa", "aa", "b" => "ba")]
#[example("abc", "x", "y" => "abc")]
#[example("abc", "", "y" => "abc")]
#[example("abc", "b", "" => "ac")]
#[example("abc", null, "y" => null)]
pub fn replace<'a>(text: &'a str, from: &str, to: &str) -> Cow<'a, str> {
    if from.is_empty() || !text.contains(from) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(from, to))
}
