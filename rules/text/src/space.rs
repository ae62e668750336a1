//! White space around texts, as Unicode defines it.

use rulemill_guest::prelude::*;

/// `text` without white space at both ends.
#[function(immutable)]
#[example("  a b\t\n" => "a b")]
#[example("\u{3000}a\u{a0}" => "a")]
#[example("  " => "")]
#[example(null => null)]
pub fn trim(text: &str) -> &str {
    text.trim()
}

/// `text` without white space at its beginning.
#[function(immutable)]
#[example("  a b " => "a b ")]
#[example(null => null)]
pub fn ltrim(text: &str) -> &str {
    text.trim_start()
}

/// `text` without white space at its end.
#[function(immutable)]
#[example(" a b  " => " a b")]
#[example(null => null)]
pub fn rtrim(text: &str) -> &str {
    text.trim_end()
}
