//! A text as tokens, each with its place.

use crate::dialect::KuiperDialect;
use crate::problem::{Problem, Span};
use sqlparser::tokenizer::{Location, Token as Raw, Tokenizer, Whitespace};

/// The smallest part of a text that means something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A name or a keyword. Names in backticks are never keywords.
    Word {
        /// Without backticks.
        text: String,
        /// Whether it stood in backticks.
        quoted: bool,
    },
    /// A number, as it is written.
    Number(String),
    /// A text, its escapes resolved.
    Text(String),
    /// Punctuation.
    Symbol(Symbol),
    /// Behind the last one.
    End,
}

/// Punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Ampersand,
    Arrow,
    Bang,
    Caret,
    CloseBracket,
    CloseParen,
    Colon,
    Comma,
    Dot,
    Equal,
    Greater,
    GreaterEqual,
    Hash,
    Less,
    LessEqual,
    Minus,
    NotEqual,
    OpenBracket,
    OpenParen,
    Percent,
    Pipe,
    Plus,
    Semicolon,
    Slash,
    Star,
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) span: Span,
    /// Whether blanks or a comment stand before it.
    pub(crate) after_blank: bool,
}

/// Cuts a text into tokens; the last one is [`Token::End`].
pub(crate) fn tokenize(text: &str) -> Result<Vec<Placed>, Problem> {
    let whole = Span {
        start: 0,
        end: text.len(),
    };
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a text may have {TEXT_BYTES_MAX} bytes, this one has {}", text.len());
        return Err(Problem::new(Span { end: 0, ..whole }, message));
    }
    let mut lines = Lines::of(text);
    let raw = Tokenizer::new(&KuiperDialect, text)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| {
            let start = lines.position(error.location);
            Problem::new(Span { start, end: start + 1 }, lower_first(&error.message))
        })?;
    let mut tokens = Vec::with_capacity(raw.len() / 2 + 1);
    let mut after_blank = false;
    for entry in raw {
        if let Raw::Whitespace(blank) = &entry.token {
            check_comment(blank);
            after_blank = true;
            continue;
        }
        let span = Span {
            start: lines.position(entry.span.start),
            end: lines.position(entry.span.end),
        };
        let token =
            convert(entry.token).map_err(|what| Problem::new(span, format!("{what} cannot stand in a query")))?;
        if tokens.len() == TOKENS_MAX {
            return Err(Problem::new(
                span,
                format!("a text may have {TOKENS_MAX} words and signs, this one has more"),
            ));
        }
        tokens.push(Placed {
            token,
            span,
            after_blank,
        });
        after_blank = false;
    }
    tokens.push(Placed {
        token: Token::End,
        span: Span {
            start: text.len(),
            end: text.len(),
        },
        after_blank: true,
    });
    Ok(tokens)
}

fn check_comment(blank: &Whitespace) {
    match blank {
        Whitespace::Space
        | Whitespace::Newline
        | Whitespace::Tab
        | Whitespace::SingleLineComment { .. }
        | Whitespace::MultiLineComment(_) => {}
    }
}

fn convert(raw: Raw) -> Result<Token, String> {
    let symbol = match raw {
        Raw::Word(word) => {
            return Ok(Token::Word {
                text: word.value,
                quoted: word.quote_style.is_some(),
            });
        }
        Raw::Number(text, _) => return Ok(Token::Number(text)),
        Raw::SingleQuotedString(text) => return Ok(Token::Text(unescape(&text, '\''))),
        Raw::DoubleQuotedString(text) => return Ok(Token::Text(unescape(&text, '"'))),
        Raw::Ampersand => Symbol::Ampersand,
        Raw::Arrow => Symbol::Arrow,
        Raw::ExclamationMark => Symbol::Bang,
        Raw::Caret => Symbol::Caret,
        Raw::RBracket => Symbol::CloseBracket,
        Raw::RParen => Symbol::CloseParen,
        Raw::Colon => Symbol::Colon,
        Raw::Comma => Symbol::Comma,
        Raw::Period => Symbol::Dot,
        Raw::Eq => Symbol::Equal,
        Raw::Gt => Symbol::Greater,
        Raw::GtEq => Symbol::GreaterEqual,
        Raw::Sharp => Symbol::Hash,
        Raw::Lt => Symbol::Less,
        Raw::LtEq => Symbol::LessEqual,
        Raw::Minus => Symbol::Minus,
        Raw::Neq => Symbol::NotEqual,
        Raw::LBracket => Symbol::OpenBracket,
        Raw::LParen => Symbol::OpenParen,
        Raw::Mod => Symbol::Percent,
        Raw::Pipe => Symbol::Pipe,
        Raw::Plus => Symbol::Plus,
        Raw::SemiColon => Symbol::Semicolon,
        Raw::Div => Symbol::Slash,
        Raw::Mul => Symbol::Star,
        other => return Err(format!("`{other}`")),
    };
    Ok(Token::Symbol(symbol))
}

/// A backslash keeps a quote; before anything else it stands for itself, so that patterns can be written as they are.
/// A quote that is written twice stands for one.
fn unescape(raw: &str, quote: char) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(next @ ('\'' | '"')) => text.push(next),
                Some(next) => text.extend(['\\', next]),
                None => text.push('\\'),
            },
            _ if character == quote && characters.peek() == Some(&quote) => {
                characters.next();
                text.push(quote);
            }
            _ => text.push(character),
        }
    }
    text
}

/// From lines and columns, which come in rising order, to positions in bytes.
struct Lines<'t> {
    text: &'t str,
    line: u64,
    column: u64,
    position: usize,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        Lines {
            text,
            line: 1,
            column: 1,
            position: 0,
        }
    }

    fn position(&mut self, wanted: Location) -> usize {
        if (wanted.line, wanted.column) < (self.line, self.column) {
            *self = Lines::of(self.text);
        }
        for character in self.text[self.position..].chars() {
            if (self.line, self.column) >= (wanted.line, wanted.column) {
                break;
            }
            self.position += character.len_utf8();
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.position
    }
}

fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// A query of a person has some hundred bytes; one that a program writes may have thousands of names.
const TEXT_BYTES_MAX: usize = 256 * 1024;
const TOKENS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let tokens = tokenize(text).unwrap();
        tokens
            .iter()
            .map(|placed| text[placed.span.start..placed.span.end].to_owned())
            .collect()
    }

    #[test]
    fn spans_are_bytes_also_behind_other_letters_and_lines() {
        let text = "SELECT größe, 'ü' -- ä\r\n\tFROM `中文`";
        assert_eq!(texts(text), ["SELECT", "größe", ",", "'ü'", "FROM", "`中文`", ""]);
    }

    #[test]
    fn a_backslash_keeps_a_quote_and_is_itself_otherwise() {
        let tokens = tokenize(r#"'a"b\'c' "x\\_y" "say ""hi""" "" '\d'"#).unwrap();
        let texts: Vec<&Token> = tokens.iter().map(|placed| &placed.token).collect();
        let wanted = ["a\"b'c", "x\\\\_y", "say \"hi\"", "", "\\d"].map(|text| Token::Text(text.to_owned()));
        assert_eq!(texts[..5], wanted.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_text_without_end_is_a_problem_at_its_begin() {
        let problem = tokenize("SELECT 'abc").unwrap_err();
        assert_eq!(problem.span.start, 7, "{problem:?}");
        let problem = tokenize("SELECT `half FROM tb").unwrap_err();
        assert_eq!(problem.span.start, 7, "{problem:?}");
    }

    #[test]
    fn a_text_of_a_megabyte_is_refused_at_once() {
        let problem = tokenize(&"a ".repeat(1 << 20)).unwrap_err();
        assert!(problem.message.contains("may have 262144 bytes"), "{problem:?}");
    }

    #[test]
    fn a_sign_of_another_dialect_is_named() {
        let problem = tokenize("SELECT a := 5 FROM b").unwrap_err();
        assert_eq!(problem.message, "`:=` cannot stand in a query");
    }
}
