//! Replacing what an expression fits.

use crate::expression;
use regex_lite::Regex;
use rulemill_guest::prelude::*;

/// `text` with each part that `expression` fits replaced by `replacement`, in which `$1` or `${name}` stands for what a group of
/// the expression fits, and `$$` for `$`. A result of more than 64 KiB that is longer than the text is an error.
#[function(immutable)]
#[example("a1b22", "[0-9]+" , "#" => "a#b#")]
#[example("2006-01-02", "(\\d+)-(\\d+)-(\\d+)", "$3.$2.$1" => "02.01.2006")]
#[example("ab", "(?<x>a)", "${x}$$" => "a$b")]
#[example("abc", "", "-" => "-a-b-c-")]
#[example("abc", "x", "y" => "abc")]
#[example("abc", "(", "" => error)]
#[example(null, "a", "b" => null)]
#[example("a", null, "b" => null)]
#[example("a", "a", null => null)]
pub fn regexp_replace(text: &str, expression: &str, replacement: &str) -> Result<String, RowError> {
    expression::with(expression, |regex| replace(text, regex, replacement))?
}

fn replace(text: &str, regex: &Regex, replacement: &str) -> Result<String, RowError> {
    let mut replaced = String::with_capacity(text.len());
    let mut behind = 0;
    for captures in regex.captures_iter(text) {
        let Some(found) = captures.get(0) else {
            continue;
        };
        replaced.push_str(&text[behind..found.start()]);
        captures.expand(replacement, &mut replaced);
        behind = found.end();
        if replaced.len() > RESULT_LEN_MAX.max(text.len()) {
            return Err(RowError::new(format!(
                "the result would have more than {RESULT_LEN_MAX} bytes"
            )));
        }
    }
    replaced.push_str(&text[behind..]);
    Ok(replaced)
}

/// How many bytes a result may have that is longer than its text.
const RESULT_LEN_MAX: usize = 64 * 1024;
