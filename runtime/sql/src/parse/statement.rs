//! Statements.

use super::cursor::Cursor;
use super::select::select;
use super::stream::create;
use crate::ast::{Kind, Statement};
use crate::problem::Problem;
use crate::tokens::Symbol;

/// All statements up to the end.
pub(super) fn statements(cursor: &mut Cursor<'_>) -> Result<Vec<Statement>, Problem> {
    let mut statements = Vec::new();
    loop {
        while cursor.take(Symbol::Semicolon) {}
        if cursor.at_end() {
            return Ok(statements);
        }
        statements.push(statement(cursor)?);
        if !cursor.at_end() && !cursor.take(Symbol::Semicolon) {
            return Err(cursor.unexpected("`;` or the end of the text"));
        }
    }
}

fn statement(cursor: &mut Cursor<'_>) -> Result<Statement, Problem> {
    if cursor.is_keyword("SELECT") {
        return Ok(Statement::Select(Box::new(select(cursor)?)));
    }
    if cursor.take_keyword("CREATE") {
        let kind = kind(cursor)?;
        return Ok(Statement::Create(create(cursor, kind)?));
    }
    if cursor.take_keyword("SHOW") {
        return show(cursor);
    }
    let of_one = if cursor.take_keyword("DESCRIBE") {
        Statement::Describe
    } else if cursor.take_keyword("EXPLAIN") {
        Statement::Explain
    } else if cursor.take_keyword("DROP") {
        Statement::Drop
    } else {
        return Err(cursor.unexpected("`SELECT`, `CREATE`, `SHOW`, `DESCRIBE`, `EXPLAIN` or `DROP`"));
    };
    let kind = kind(cursor)?;
    Ok(of_one(kind, cursor.expect_name("a name")?))
}

fn kind(cursor: &mut Cursor<'_>) -> Result<Kind, Problem> {
    if cursor.take_keyword("STREAM") {
        return Ok(Kind::Stream);
    }
    if cursor.take_keyword("TABLE") {
        return Ok(Kind::Table);
    }
    Err(cursor.unexpected("`STREAM` or `TABLE`"))
}

fn show(cursor: &mut Cursor<'_>) -> Result<Statement, Problem> {
    if cursor.take_keyword("STREAMS") {
        return Ok(Statement::Show(Kind::Stream));
    }
    if cursor.take_keyword("TABLES") {
        return Ok(Statement::Show(Kind::Table));
    }
    Err(cursor.unexpected("`STREAMS` or `TABLES`"))
}
