//! Queries.

use super::cursor::{Cursor, is_reserved};
use super::expression::expression;
use super::window::{is_window, window};
use crate::ast::{Expr, ExprKind, Item, Join, JoinKind, Name, OrderBy, Select, Source, Star, Window};
use crate::problem::{Problem, Span};
use crate::tokens::{Symbol, Token};

/// `SELECT ...`.
pub(super) fn select(cursor: &mut Cursor<'_>) -> Result<Select, Problem> {
    let start = cursor.expect_keyword("SELECT")?;
    let mut items = vec![item(cursor)?];
    while cursor.take(Symbol::Comma) {
        items.push(item(cursor)?);
    }
    if !cursor.is_keyword("FROM") {
        return Err(cursor.unexpected("`,` or `FROM`"));
    }
    cursor.advance();
    let from = source(cursor)?;
    let joins = joins(cursor)?;
    let filter = clause(cursor, "WHERE")?;
    let (group_by, window) = group_by(cursor)?;
    let having = clause(cursor, "HAVING")?;
    let order_by = order_by(cursor)?;
    let limit = limit(cursor)?;
    Ok(Select {
        items,
        from,
        joins,
        filter,
        group_by,
        window,
        having,
        order_by,
        limit,
        span: start.to(cursor.last_span()),
    })
}

fn item(cursor: &mut Cursor<'_>) -> Result<Item, Problem> {
    if *cursor.token() == Token::Symbol(Symbol::Star) {
        let star = star(cursor, None)?;
        if cursor.is_keyword("AS") {
            return Err(Problem::new(
                cursor.span(),
                "`*` stands for many fields and can have no alias",
            ));
        }
        return Ok(Item::Star(star));
    }
    let expr = match stream_star(cursor)? {
        Ok(star) => return Ok(Item::Star(star)),
        Err(expr) => expr,
    };
    let alias = match cursor.take_keyword("AS") {
        true => Some(cursor.expect_name("a name behind `AS`")?),
        false => None,
    };
    let invisible = alias.is_some() && cursor.take_keyword("INVISIBLE");
    Ok(Item::Expr { expr, alias, invisible })
}

/// `stream.*`, or else an expression.
fn stream_star(cursor: &mut Cursor<'_>) -> Result<Result<Star, Expr>, Problem> {
    let named = match (cursor.token(), cursor.token_after()) {
        (Token::Word { text, quoted }, Token::Symbol(Symbol::Dot)) if *quoted || !is_reserved(text) => text.clone(),
        _ => return expression(cursor).map(Err),
    };
    if !cursor.star_follows() {
        return expression(cursor).map(Err);
    }
    let span = cursor.advance();
    cursor.advance();
    star(cursor, Some(Name { text: named, span })).map(Ok)
}

/// `* EXCEPT (a, b) REPLACE (c AS d)`.
pub(super) fn star(cursor: &mut Cursor<'_>, stream: Option<Name>) -> Result<Star, Problem> {
    let start = cursor.expect(Symbol::Star, "`*`")?;
    let mut except = Vec::new();
    if cursor.take_keyword("EXCEPT") {
        cursor.expect(Symbol::OpenParen, "`(`")?;
        except.push(cursor.expect_name("the name of a field")?);
        while cursor.take(Symbol::Comma) {
            except.push(cursor.expect_name("the name of a field")?);
        }
        cursor.expect(Symbol::CloseParen, "`,` or `)`")?;
    }
    let mut replace = Vec::new();
    if cursor.take_keyword("REPLACE") {
        cursor.expect(Symbol::OpenParen, "`(`")?;
        replace.push(replacement(cursor)?);
        while cursor.take(Symbol::Comma) {
            replace.push(replacement(cursor)?);
        }
        cursor.expect(Symbol::CloseParen, "`,` or `)`")?;
    }
    Ok(Star {
        stream,
        except,
        replace,
        span: start.to(cursor.last_span()),
    })
}

fn replacement(cursor: &mut Cursor<'_>) -> Result<(Expr, Name), Problem> {
    let expr = expression(cursor)?;
    cursor.expect_keyword("AS")?;
    Ok((expr, cursor.expect_name("the name of a field")?))
}

fn source(cursor: &mut Cursor<'_>) -> Result<Source, Problem> {
    let stream = stream_name(cursor)?;
    let alias = match cursor.take_keyword("AS") {
        true => Some(cursor.expect_name("a name behind `AS`")?),
        false => None,
    };
    Ok(Source { stream, alias })
}

/// A name, or a topic filter as it is: everything up to the next blank.
fn stream_name(cursor: &mut Cursor<'_>) -> Result<Name, Problem> {
    let filter_sign = |token: &Token| {
        matches!(
            token,
            Token::Symbol(Symbol::Slash | Symbol::Plus | Symbol::Hash | Symbol::Minus | Symbol::Dot)
        )
    };
    if !filter_sign(cursor.token()) {
        let name = cursor.expect_name("the name of a stream")?;
        if cursor.after_blank() || !filter_sign(cursor.token()) {
            return Ok(name);
        }
        return Ok(rest_of_filter(cursor, name.span));
    }
    let start = cursor.advance();
    Ok(rest_of_filter(cursor, start))
}

fn rest_of_filter(cursor: &mut Cursor<'_>, start: Span) -> Name {
    let mut span = start;
    while !cursor.after_blank() {
        match cursor.token() {
            Token::Word { .. }
            | Token::Number(_)
            | Token::Symbol(Symbol::Slash | Symbol::Plus | Symbol::Hash | Symbol::Minus | Symbol::Dot) => {
                span = start.to(cursor.advance());
            }
            _ => break,
        }
    }
    Name {
        text: cursor.slice(span).to_owned(),
        span,
    }
}

fn joins(cursor: &mut Cursor<'_>) -> Result<Vec<Join>, Problem> {
    let mut joins = Vec::new();
    loop {
        let kind = match cursor.token() {
            Token::Word { text, quoted: false } => match text.to_ascii_lowercase().as_str() {
                "join" | "inner" => JoinKind::Inner,
                "left" => JoinKind::Left,
                "right" => JoinKind::Right,
                "full" => JoinKind::Full,
                "cross" => JoinKind::Cross,
                _ => return Ok(joins),
            },
            _ => return Ok(joins),
        };
        if !cursor.is_keyword("JOIN") {
            cursor.advance();
        }
        cursor.expect_keyword("JOIN")?;
        let source = source(cursor)?;
        let on = match cursor.is_keyword("ON") {
            true if kind == JoinKind::Cross => {
                return Err(Problem::new(
                    cursor.span(),
                    "a cross join joins all rows and has no `ON`",
                ));
            }
            true => {
                cursor.advance();
                Some(expression(cursor)?)
            }
            false if kind == JoinKind::Cross => None,
            false => return Err(cursor.unexpected("`ON`")),
        };
        joins.push(Join { kind, source, on });
    }
}

fn clause(cursor: &mut Cursor<'_>, keyword: &str) -> Result<Option<Expr>, Problem> {
    match cursor.take_keyword(keyword) {
        true => expression(cursor).map(Some),
        false => Ok(None),
    }
}

fn group_by(cursor: &mut Cursor<'_>) -> Result<(Vec<Expr>, Option<Window>), Problem> {
    let (mut keys, mut found) = (Vec::new(), None);
    if !cursor.take_keyword("GROUP") {
        return Ok((keys, found));
    }
    cursor.expect_keyword("BY")?;
    loop {
        let is_window = matches!(cursor.token(), Token::Word { text, quoted: false } if is_window(text))
            && *cursor.token_after() == Token::Symbol(Symbol::OpenParen);
        if is_window {
            let window = window(cursor)?;
            if found.is_some() {
                return Err(Problem::new(
                    window.span,
                    "a query can have one window, this is the second",
                ));
            }
            found = Some(window);
        } else {
            keys.push(expression(cursor)?);
        }
        if !cursor.take(Symbol::Comma) {
            return Ok((keys, found));
        }
    }
}

fn order_by(cursor: &mut Cursor<'_>) -> Result<Vec<OrderBy>, Problem> {
    let mut order = Vec::new();
    if !cursor.take_keyword("ORDER") {
        return Ok(order);
    }
    cursor.expect_keyword("BY")?;
    loop {
        let expr = expression(cursor)?;
        if matches!(expr.kind, ExprKind::Literal(_)) {
            return Err(Problem::new(
                expr.span,
                "a constant orders nothing; name a field or an alias",
            ));
        }
        let descending = cursor.take_keyword("DESC");
        if !descending {
            cursor.take_keyword("ASC");
        }
        order.push(OrderBy { expr, descending });
        if !cursor.take(Symbol::Comma) {
            return Ok(order);
        }
    }
}

fn limit(cursor: &mut Cursor<'_>) -> Result<Option<u32>, Problem> {
    if !cursor.take_keyword("LIMIT") {
        return Ok(None);
    }
    let limit = match cursor.token() {
        Token::Number(text) => text.parse().ok().filter(|limit| *limit > 0),
        _ => None,
    };
    match limit {
        Some(limit) => {
            cursor.advance();
            Ok(Some(limit))
        }
        None => Err(cursor.unexpected("an integer of at least 1 behind `LIMIT`")),
    }
}
