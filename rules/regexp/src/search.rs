//! Finding what an expression fits.

use crate::expression;
use rulemill_guest::prelude::*;

/// Whether `expression` fits a part of `text`. False when either is null.
#[function(immutable)]
#[example("pump 7", "[0-9]+" => true)]
#[example("pump", "^[0-9]+$" => false)]
#[example("größe", "^gr..e$" => true)]
#[example("Pump", "(?i)PUMP" => true)]
#[example("", "" => true)]
#[example("a", "(" => error)]
#[example("a", "\\p{Greek}" => error)]
#[example(null, "a" => false)]
#[example("a", null => false)]
pub fn regexp_matches(text: Option<&str>, expression: Option<&str>) -> Result<bool, RowError> {
    match (text, expression) {
        (Some(text), Some(expression)) => expression::with(expression, |regex| regex.is_match(text)),
        _ => Ok(false),
    }
}

/// The first part of `text` that `expression` fits; empty when there is none.
#[function(immutable)]
#[example("pump 7, valve 12", "[0-9]+" => "7")]
#[example("größe", "ö.*" => "öße")]
#[example("pump", "[0-9]+" => "")]
#[example("a", "[" => error)]
#[example(null, "a" => null)]
#[example("a", null => null)]
pub fn regexp_substring<'a>(text: &'a str, expression: &str) -> Result<&'a str, RowError> {
    expression::with(expression, |regex| regex.find(text).map_or("", |found| found.as_str()))
}

/// The same as `regexp_substring`.
#[function(immutable)]
#[example("pump 7, valve 12", "[0-9]+" => "7")]
#[example(null, "a" => null)]
pub fn regexp_substr<'a>(text: &'a str, expression: &str) -> Result<&'a str, RowError> {
    regexp_substring(text, expression)
}
