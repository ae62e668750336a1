//! Windows in `GROUP BY`.

use super::cursor::Cursor;
use super::expression::expression;
use crate::ast::{Expr, Window, WindowKind};
use crate::problem::Problem;
use crate::tokens::{Symbol, Token};

/// Whether a word begins a window.
pub(super) fn is_window(word: &str) -> bool {
    WINDOWS.iter().any(|window| word.eq_ignore_ascii_case(window))
}

const WINDOWS: &[&str] = &[
    "tumblingwindow",
    "hoppingwindow",
    "slidingwindow",
    "sessionwindow",
    "countwindow",
    "statewindow",
];

/// `TUMBLINGWINDOW(ss, 10) FILTER (WHERE a) OVER (WHEN b)`.
pub(super) fn window(cursor: &mut Cursor<'_>) -> Result<Window, Problem> {
    let start = cursor.span();
    let name = cursor.slice(start).to_ascii_lowercase();
    cursor.advance();
    cursor.expect(Symbol::OpenParen, "`(`")?;
    let kind = kind(cursor, &name)?;
    cursor.expect(Symbol::CloseParen, "`)`")?;
    let mut window = Window {
        kind,
        filter: None,
        when: None,
        span: start,
    };
    if cursor.is_keyword("FILTER") {
        cursor.advance();
        window.filter = Some(condition(cursor, "WHERE")?);
    }
    if cursor.is_keyword("OVER") {
        let over = cursor.advance();
        if !matches!(window.kind, WindowKind::Sliding { .. }) {
            return Err(Problem::new(over, "`OVER (WHEN ...)` is for sliding windows only"));
        }
        window.when = Some(condition(cursor, "WHEN")?);
    }
    window.span = start.to(cursor.last_span());
    Ok(window)
}

/// `(WHERE a > 5)`.
fn condition(cursor: &mut Cursor<'_>, keyword: &str) -> Result<Expr, Problem> {
    cursor.expect(Symbol::OpenParen, "`(`")?;
    cursor.expect_keyword(keyword)?;
    let condition = expression(cursor)?;
    cursor.expect(Symbol::CloseParen, "`)`")?;
    Ok(condition)
}

fn kind(cursor: &mut Cursor<'_>, name: &str) -> Result<WindowKind, Problem> {
    match name {
        "countwindow" => count(cursor),
        "statewindow" => {
            let begin = Box::new(expression(cursor)?);
            cursor.expect(Symbol::Comma, "`,` and the condition that ends the window")?;
            let emit = Box::new(expression(cursor)?);
            Ok(WindowKind::State { begin, emit })
        }
        _ => timed(cursor, name),
    }
}

fn timed(cursor: &mut Cursor<'_>, name: &str) -> Result<WindowKind, Problem> {
    let unit_ms = unit(cursor)?;
    let size_ms = length(cursor, unit_ms)?;
    match name {
        "tumblingwindow" => Ok(WindowKind::Tumbling { size_ms }),
        "hoppingwindow" => Ok(WindowKind::Hopping {
            size_ms,
            hop_ms: length(cursor, unit_ms)?,
        }),
        "sessionwindow" => Ok(WindowKind::Session {
            max_ms: size_ms,
            timeout_ms: length(cursor, unit_ms)?,
        }),
        _ => Ok(WindowKind::Sliding {
            size_ms,
            delay_ms: match *cursor.token() == Token::Symbol(Symbol::Comma) {
                true => Some(length(cursor, unit_ms)?),
                false => None,
            },
        }),
    }
}

fn count(cursor: &mut Cursor<'_>) -> Result<WindowKind, Problem> {
    let rows = integer(cursor)?;
    if !cursor.take(Symbol::Comma) {
        return Ok(WindowKind::Count { rows, every: None });
    }
    let span = cursor.span();
    let every = integer(cursor)?;
    if every > rows {
        let message = format!("a window of {rows} rows cannot come out every {every} rows only; write at most {rows}");
        return Err(Problem::new(span, message));
    }
    Ok(WindowKind::Count {
        rows,
        every: Some(every),
    })
}

/// A unit of time, in milliseconds.
fn unit(cursor: &mut Cursor<'_>) -> Result<u64, Problem> {
    let unit = match cursor.token() {
        Token::Word { text, quoted: false } => match text.to_ascii_lowercase().as_str() {
            "dd" => Some(86_400_000),
            "hh" => Some(3_600_000),
            "mi" => Some(60_000),
            "ss" => Some(1000),
            "ms" => Some(1),
            _ => None,
        },
        _ => None,
    };
    let unit = unit.ok_or_else(|| cursor.unexpected("a unit of time (dd, hh, mi, ss or ms, without quotes)"))?;
    cursor.advance();
    Ok(unit)
}

/// A comma and how many units.
fn length(cursor: &mut Cursor<'_>, unit_ms: u64) -> Result<u64, Problem> {
    cursor.expect(Symbol::Comma, "`,` and how long")?;
    let span = cursor.span();
    let length = integer(cursor)?;
    length
        .checked_mul(unit_ms)
        .filter(|ms| *ms <= LENGTH_MS_MAX)
        .ok_or_else(|| {
            Problem::new(
                span,
                format!("a window may be {} days long at most", LENGTH_MS_MAX / 86_400_000),
            )
        })
}

fn integer(cursor: &mut Cursor<'_>) -> Result<u64, Problem> {
    match cursor.token().clone() {
        Token::Number(text) if text.parse::<u64>().is_ok_and(|value| value > 0) => {
            cursor.advance();
            Ok(text.parse().unwrap_or_default())
        }
        _ => Err(cursor.unexpected("an integer of at least 1")),
    }
}

/// Ten thousand days.
const LENGTH_MS_MAX: u64 = 10_000 * 86_400_000;
