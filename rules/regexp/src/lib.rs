//! The shipped library of regular expressions, with eKuiper's names.
//!
//! Expressions are those of RE2 without classes of Unicode (`\p{Greek}`), so the time is at most the product of the lengths
//! of text and expression. An expression that is none, or too large, is an error of its row. It is a library of its own,
//! because the engine is larger than all functions of texts.

mod expression;
mod replace;
mod search;
#[cfg(test)]
mod tests;

pub use replace::regexp_replace;
pub use search::{regexp_matches, regexp_substr, regexp_substring};

rulemill_guest::library! {
    name: "regexp",
    doc: "Regular expressions: search and replace.",
    functions: [regexp_matches, regexp_replace, regexp_substr, regexp_substring],
}
