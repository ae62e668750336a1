//! From a text to statements. Every problem has a place; parsing ends at the first one, for what follows it is guesswork.

mod cursor;
mod expression;
mod select;
mod statement;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_shape;
mod window;

use crate::ast::{Expr, Statement};
use crate::problem::Problem;
use cursor::Cursor;

/// All statements of a text; a semicolon ends each but the last, which may do without.
pub fn parse(text: &str) -> Result<Vec<Statement>, Problem> {
    let mut cursor = Cursor::new(text)?;
    statement::statements(&mut cursor)
}

/// A text that is one expression.
pub fn parse_expression(text: &str) -> Result<Expr, Problem> {
    let mut cursor = Cursor::new(text)?;
    let expr = expression::expression(&mut cursor)?;
    match cursor.at_end() {
        true => Ok(expr),
        false => Err(cursor.unexpected("the end")),
    }
}
