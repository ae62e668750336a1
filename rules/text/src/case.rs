//! Upper and lower case, by the rules of Unicode that hold in every language.

use rulemill_guest::prelude::*;

/// `text` in upper case.
#[function(immutable)]
#[example("Pump 1b" => "PUMP 1B")]
#[example("größe" => "GRÖSSE")]
#[example("" => "")]
#[example(null => null)]
pub fn upper(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_uppercase()
    } else {
        text.to_uppercase()
    }
}

/// `text` in lower case.
#[function(immutable)]
#[example("Pump 1B" => "pump 1b")]
#[example("GRÖßE" => "größe")]
#[example("" => "")]
#[example(null => null)]
pub fn lower(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.to_lowercase()
    }
}
