//! Compiled expressions.

use regex_lite::{Regex, RegexBuilder};
use rulemill_guest::RowError;
use std::cell::RefCell;

thread_local! {
    /// The last expression. Mostly it is a constant of the query, and compiling it costs more than the search. It changes no
    /// result, so that it may go at any time.
    static LAST: RefCell<Option<(String, Regex)>> = const { RefCell::new(None) };
}

/// Calls `search` with the expression.
pub(crate) fn with<T>(expression: &str, search: impl FnOnce(&Regex) -> T) -> Result<T, RowError> {
    LAST.with_borrow_mut(|last| {
        if let Some((text, regex)) = last
            && text == expression
        {
            return Ok(search(regex));
        }
        let (_, regex) = last.insert((expression.to_owned(), compile(expression)?));
        Ok(search(regex))
    })
}

fn compile(expression: &str) -> Result<Regex, RowError> {
    RegexBuilder::new(expression)
        .size_limit(COMPILED_LEN_MAX)
        .build()
        .map_err(|error| RowError::new(format!("the regular expression cannot be used: {error}")))
}

/// How large an expression may be when it is compiled, in bytes.
const COMPILED_LEN_MAX: usize = 256 * 1024;
