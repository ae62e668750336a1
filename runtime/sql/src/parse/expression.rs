//! Expressions, by precedence climbing.

use super::cursor::{Cursor, is_reserved};
use super::select::star;
use crate::ast::{Argument, Call, Case, Expr, ExprKind, Literal, Name, Operator, Over, Sense};
use crate::problem::{Problem, Span};
use crate::tokens::{Symbol, Token};

/// An expression.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<Expr, Problem> {
    above(cursor, 0)
}

/// Expressions with commas between them; at least one.
pub(super) fn expressions(cursor: &mut Cursor<'_>) -> Result<Vec<Expr>, Problem> {
    let mut list = vec![expression(cursor)?];
    while cursor.take(Symbol::Comma) {
        list.push(expression(cursor)?);
    }
    Ok(list)
}

/// An expression of operators that bind tighter than `floor`.
fn above(cursor: &mut Cursor<'_>, floor: u8) -> Result<Expr, Problem> {
    cursor.enter()?;
    let mut left = prefix(cursor)?;
    while let Some(infix) = infix(cursor).filter(|infix| infix.strength() > floor) {
        cursor.count_operator()?;
        left = apply(cursor, infix, left)?;
    }
    cursor.leave();
    Ok(left)
}

fn prefix(cursor: &mut Cursor<'_>) -> Result<Expr, Problem> {
    let start = cursor.span();
    let expr = match cursor.token().clone() {
        Token::Symbol(Symbol::Minus) => {
            cursor.advance();
            return negative(cursor, start);
        }
        Token::Symbol(Symbol::Plus) => {
            cursor.advance();
            return above(cursor, STRENGTH_NEGATE);
        }
        Token::Symbol(Symbol::OpenParen) => {
            cursor.advance();
            let inner = expression(cursor)?;
            cursor.expect(Symbol::CloseParen, "`)`")?;
            return Ok(Expr {
                span: start.to(cursor.last_span()),
                ..inner
            });
        }
        Token::Number(text) => {
            cursor.advance();
            ExprKind::Literal(number(&text, start)?)
        }
        Token::Text(text) => {
            cursor.advance();
            ExprKind::Literal(Literal::Text(text))
        }
        Token::Word { text, quoted: true } => {
            cursor.advance();
            ExprKind::Name(text)
        }
        Token::Word { text, quoted: false } => return word(cursor, text),
        Token::Symbol(_) | Token::End => return Err(cursor.unexpected("an expression")),
    };
    Ok(Expr {
        kind: expr,
        span: start.to(cursor.last_span()),
    })
}

/// What follows a minus: a number with its sign, for the least integer has no positive counterpart, or any expression.
fn negative(cursor: &mut Cursor<'_>, start: Span) -> Result<Expr, Problem> {
    if let Token::Number(text) = cursor.token().clone() {
        let span = start.to(cursor.advance());
        let literal = number(&format!("-{text}"), span)?;
        return Ok(Expr {
            kind: ExprKind::Literal(literal),
            span,
        });
    }
    let inner = above(cursor, STRENGTH_NEGATE)?;
    let span = start.to(inner.span);
    Ok(Expr {
        kind: ExprKind::Negate(Box::new(inner)),
        span,
    })
}

fn number(text: &str, span: Span) -> Result<Literal, Problem> {
    if text.contains(['.', 'e', 'E']) {
        return match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Literal::Float(value)),
            _ => Err(Problem::new(span, format!("{text} is too large for a float"))),
        };
    }
    text.parse().map(Literal::Int).map_err(|_| {
        Problem::new(
            span,
            format!("{text} is no integer of 64 bits; write {text}.0 for a float"),
        )
    })
}

fn word(cursor: &mut Cursor<'_>, text: String) -> Result<Expr, Problem> {
    let start = cursor.span();
    if text.eq_ignore_ascii_case("not") {
        cursor.advance();
        let inner = above(cursor, STRENGTH_NOT)?;
        let span = start.to(inner.span);
        return Ok(Expr {
            kind: ExprKind::Not(Box::new(inner)),
            span,
        });
    }
    if text.eq_ignore_ascii_case("case") {
        return case(cursor);
    }
    let literal = match text.to_ascii_lowercase().as_str() {
        "null" => Some(Literal::Null),
        "true" => Some(Literal::Bool(true)),
        "false" => Some(Literal::Bool(false)),
        _ => None,
    };
    let kind = match literal {
        Some(literal) => {
            cursor.advance();
            ExprKind::Literal(literal)
        }
        None if *cursor.token_after() == Token::Symbol(Symbol::OpenParen) && may_be_called(&text) => {
            call(cursor, text)?
        }
        None if is_reserved(&text) => return Err(cursor.unexpected("an expression")),
        None => {
            cursor.advance();
            ExprKind::Name(text)
        }
    };
    Ok(Expr {
        kind,
        span: start.to(cursor.last_span()),
    })
}

/// `left` and `right` are functions as well as kinds of joins.
fn may_be_called(word: &str) -> bool {
    !is_reserved(word) || ["left", "right"].iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn case(cursor: &mut Cursor<'_>) -> Result<Expr, Problem> {
    let start = cursor.advance();
    let operand = match cursor.is_keyword("WHEN") {
        true => None,
        false => Some(expression(cursor)?),
    };
    let mut branches = Vec::new();
    while cursor.take_keyword("WHEN") {
        let when = expression(cursor)?;
        cursor.expect_keyword("THEN")?;
        branches.push((when, expression(cursor)?));
    }
    if branches.is_empty() {
        return Err(cursor.unexpected("`WHEN`"));
    }
    let otherwise = match cursor.take_keyword("ELSE") {
        true => Some(expression(cursor)?),
        false => None,
    };
    cursor.expect_keyword("END")?;
    Ok(Expr {
        kind: ExprKind::Case(Box::new(Case {
            operand,
            branches,
            otherwise,
        })),
        span: start.to(cursor.last_span()),
    })
}

fn call(cursor: &mut Cursor<'_>, function: String) -> Result<ExprKind, Problem> {
    let span = cursor.advance();
    cursor.expect(Symbol::OpenParen, "`(`")?;
    let mut arguments = Vec::new();
    while !cursor.take(Symbol::CloseParen) {
        if !arguments.is_empty() {
            cursor.expect(Symbol::Comma, "`,` or `)`")?;
        }
        arguments.push(match *cursor.token() == Token::Symbol(Symbol::Star) {
            true => Argument::Star(star(cursor, None)?),
            false => Argument::Expr(expression(cursor)?),
        });
    }
    let over = match cursor.is_keyword("OVER") {
        true => Some(Box::new(over(cursor)?)),
        false => None,
    };
    Ok(ExprKind::Call(Call {
        function: Name { text: function, span },
        arguments,
        over,
    }))
}

/// `OVER (PARTITION BY a, b WHEN c)`.
fn over(cursor: &mut Cursor<'_>) -> Result<Over, Problem> {
    let start = cursor.expect_keyword("OVER")?;
    cursor.expect(Symbol::OpenParen, "`(`")?;
    let mut partition_by = Vec::new();
    if cursor.take_keyword("PARTITION") {
        cursor.expect_keyword("BY")?;
        partition_by = expressions(cursor)?;
    }
    let when = match cursor.take_keyword("WHEN") {
        true => Some(expression(cursor)?),
        false => None,
    };
    if partition_by.is_empty() && when.is_none() {
        return Err(cursor.unexpected("`PARTITION BY` or `WHEN`"));
    }
    cursor.expect(Symbol::CloseParen, "`)`")?;
    Ok(Over {
        partition_by,
        when,
        span: start.to(cursor.last_span()),
    })
}

/// What can stand behind an expression and go on with it.
#[derive(Clone, Copy, PartialEq)]
enum Infix {
    Binary(Operator),
    IsNull,
    Between(Sense),
    In(Sense),
    Like(Sense),
    Member,
    Bracket,
}

impl Infix {
    fn strength(self) -> u8 {
        match self {
            Infix::Binary(Operator::Or) => 1,
            Infix::Binary(Operator::And) => 2,
            Infix::Binary(
                Operator::Equal
                | Operator::NotEqual
                | Operator::Less
                | Operator::LessEqual
                | Operator::Greater
                | Operator::GreaterEqual,
            )
            | Infix::IsNull
            | Infix::Between(_)
            | Infix::In(_)
            | Infix::Like(_) => STRENGTH_COMPARE,
            Infix::Binary(Operator::BitOr) => 5,
            Infix::Binary(Operator::BitXor) => 6,
            Infix::Binary(Operator::BitAnd) => 7,
            Infix::Binary(Operator::Add | Operator::Subtract) => 8,
            Infix::Binary(Operator::Multiply | Operator::Divide | Operator::Remainder) => 9,
            Infix::Member | Infix::Bracket => 11,
        }
    }
}

const STRENGTH_NOT: u8 = 3;
const STRENGTH_COMPARE: u8 = 4;
const STRENGTH_NEGATE: u8 = 10;

fn infix(cursor: &Cursor<'_>) -> Option<Infix> {
    let symbol = match cursor.token() {
        Token::Word { text, quoted: false } => return infix_word(cursor, text),
        Token::Symbol(symbol) => *symbol,
        _ => return None,
    };
    let operator = match symbol {
        Symbol::Equal => Operator::Equal,
        Symbol::NotEqual => Operator::NotEqual,
        Symbol::Bang if *cursor.token_after() == Token::Symbol(Symbol::Equal) => Operator::NotEqual,
        Symbol::Less => Operator::Less,
        Symbol::LessEqual => Operator::LessEqual,
        Symbol::Greater => Operator::Greater,
        Symbol::GreaterEqual => Operator::GreaterEqual,
        Symbol::Pipe => Operator::BitOr,
        Symbol::Caret => Operator::BitXor,
        Symbol::Ampersand => Operator::BitAnd,
        Symbol::Plus => Operator::Add,
        Symbol::Minus => Operator::Subtract,
        Symbol::Star => Operator::Multiply,
        Symbol::Slash => Operator::Divide,
        Symbol::Percent => Operator::Remainder,
        Symbol::Arrow | Symbol::Dot => return Some(Infix::Member),
        Symbol::OpenBracket => return Some(Infix::Bracket),
        _ => return None,
    };
    Some(Infix::Binary(operator))
}

fn infix_word(cursor: &Cursor<'_>, text: &str) -> Option<Infix> {
    let word = |text: &str, sense| match text.to_ascii_lowercase().as_str() {
        "between" => Some(Infix::Between(sense)),
        "in" => Some(Infix::In(sense)),
        "like" => Some(Infix::Like(sense)),
        _ => None,
    };
    match text.to_ascii_lowercase().as_str() {
        "or" => Some(Infix::Binary(Operator::Or)),
        "and" => Some(Infix::Binary(Operator::And)),
        "is" => Some(Infix::IsNull),
        "not" => match cursor.token_after() {
            Token::Word { text, quoted: false } => word(text, Sense::Negated),
            _ => None,
        },
        _ => word(text, Sense::Plain),
    }
}

/// The expression that `left` and what follows make.
fn apply(cursor: &mut Cursor<'_>, infix: Infix, left: Expr) -> Result<Expr, Problem> {
    let start = left.span;
    let left = Box::new(left);
    cursor.advance();
    let kind = match infix {
        Infix::Binary(operator) => binary(cursor, operator, left)?,
        Infix::IsNull => return is_null(cursor, left),
        Infix::Between(sense) => {
            skip_not(cursor, sense);
            let low = above(cursor, STRENGTH_COMPARE)?;
            cursor.expect_keyword("AND")?;
            let high = above(cursor, STRENGTH_COMPARE)?;
            ExprKind::Between(sense, left, Box::new(low), Box::new(high))
        }
        Infix::In(sense) => {
            skip_not(cursor, sense);
            is_in(cursor, sense, left)?
        }
        Infix::Like(sense) => {
            skip_not(cursor, sense);
            let pattern = above(cursor, STRENGTH_COMPARE)?;
            ExprKind::Like(sense, left, Box::new(pattern))
        }
        Infix::Member => member(cursor, left)?,
        Infix::Bracket => bracket(cursor, left)?,
    };
    Ok(Expr {
        kind,
        span: start.to(cursor.last_span()),
    })
}

fn skip_not(cursor: &mut Cursor<'_>, sense: Sense) {
    if sense == Sense::Negated {
        cursor.advance();
    }
}

fn binary(cursor: &mut Cursor<'_>, operator: Operator, left: Box<Expr>) -> Result<ExprKind, Problem> {
    // Kuiper takes `> =` and `! =` as well.
    let equal = matches!(operator, Operator::Less | Operator::Greater | Operator::NotEqual)
        && *cursor.token() == Token::Symbol(Symbol::Equal);
    let operator = match operator {
        Operator::Less if equal => Operator::LessEqual,
        Operator::Greater if equal => Operator::GreaterEqual,
        other => other,
    };
    if equal {
        cursor.advance();
    }
    let right = above(cursor, Infix::Binary(operator).strength())?;
    Ok(ExprKind::Binary(operator, left, Box::new(right)))
}

fn is_null(cursor: &mut Cursor<'_>, left: Box<Expr>) -> Result<Expr, Problem> {
    let start = left.span;
    let negated = cursor.take_keyword("NOT");
    cursor.expect_keyword("NULL")?;
    let span = start.to(cursor.last_span());
    let kind = ExprKind::IsNull(left);
    let expr = Expr { kind, span };
    Ok(match negated {
        false => expr,
        true => Expr {
            kind: ExprKind::Not(Box::new(expr)),
            span,
        },
    })
}

fn is_in(cursor: &mut Cursor<'_>, sense: Sense, left: Box<Expr>) -> Result<ExprKind, Problem> {
    if !cursor.take(Symbol::OpenParen) {
        let array = above(cursor, STRENGTH_COMPARE)?;
        return Ok(ExprKind::InArray(sense, left, Box::new(array)));
    }
    let list = expressions(cursor)?;
    cursor.expect(Symbol::CloseParen, "`,` or `)`")?;
    Ok(ExprKind::In(sense, left, list))
}

fn member(cursor: &mut Cursor<'_>, left: Box<Expr>) -> Result<ExprKind, Problem> {
    let name = match cursor.token() {
        Token::Word { text, .. } => text.clone(),
        _ => return Err(cursor.unexpected("the name of a member")),
    };
    let span = cursor.advance();
    Ok(ExprKind::Member(left, Name { text: name, span }))
}

fn bracket(cursor: &mut Cursor<'_>, left: Box<Expr>) -> Result<ExprKind, Problem> {
    let bound = |cursor: &mut Cursor<'_>| match cursor.token() {
        Token::Symbol(Symbol::Colon | Symbol::CloseBracket) => Ok(None),
        _ => expression(cursor).map(Some),
    };
    let from = bound(cursor)?;
    let slice = cursor.take(Symbol::Colon) || from.is_none();
    let to = match slice {
        true => bound(cursor)?,
        false => None,
    };
    cursor.expect(Symbol::CloseBracket, "`]`")?;
    Ok(match from {
        Some(index) if !slice => ExprKind::Index(left, Box::new(index)),
        from => ExprKind::Slice(left, from.map(Box::new), to.map(Box::new)),
    })
}
