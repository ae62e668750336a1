//! The tokens that are left.

use crate::ast::Name;
use crate::problem::{Problem, Span};
use crate::tokens::{Placed, Symbol, Token, tokenize};

/// Where parsing stands in a text.
pub(super) struct Cursor<'t> {
    text: &'t str,
    tokens: Vec<Placed>,
    position: usize,
    /// How many expressions are open.
    depth: usize,
    /// How many operators the outermost of them has so far.
    operators: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Result<Self, Problem> {
        Ok(Cursor {
            text,
            tokens: tokenize(text)?,
            position: 0,
            depth: 0,
            operators: 0,
        })
    }

    /// Goes on to the next token and gives the place of this one.
    pub(super) fn advance(&mut self) -> Span {
        let span = self.span();
        if self.position + 1 < self.tokens.len() {
            self.position += 1;
        }
        span
    }

    /// Takes a sign if it is the next token.
    pub(super) fn take(&mut self, symbol: Symbol) -> bool {
        let next = *self.token() == Token::Symbol(symbol);
        if next {
            self.advance();
        }
        next
    }

    /// Takes a sign, which must be the next token.
    pub(super) fn expect(&mut self, symbol: Symbol, words: &str) -> Result<Span, Problem> {
        match *self.token() == Token::Symbol(symbol) {
            true => Ok(self.advance()),
            false => Err(self.unexpected(words)),
        }
    }

    /// Takes a keyword if it is the next token.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let next = self.is_keyword(keyword);
        if next {
            self.advance();
        }
        next
    }

    /// Takes a keyword, which must be the next token.
    pub(super) fn expect_keyword(&mut self, keyword: &str) -> Result<Span, Problem> {
        match self.is_keyword(keyword) {
            true => Ok(self.advance()),
            false => Err(self.unexpected(&format!("`{keyword}`"))),
        }
    }

    /// Takes a name, which must be the next token.
    pub(super) fn expect_name(&mut self, words: &str) -> Result<Name, Problem> {
        let name = match self.token() {
            Token::Word { text, quoted } if *quoted || !is_reserved(text) => text.clone(),
            _ => return Err(self.unexpected(words)),
        };
        let span = self.advance();
        Ok(Name { text: name, span })
    }

    /// Says that one more expression is open, or that there are too many.
    pub(super) fn enter(&mut self) -> Result<(), Problem> {
        if self.depth == 0 {
            self.operators = 0;
        }
        self.depth += 1;
        match self.depth <= DEPTH_MAX {
            true => Ok(()),
            false => Err(Problem::new(
                self.span(),
                format!("expressions may be {DEPTH_MAX} deep in each other, these are deeper"),
            )),
        }
    }

    /// Says that the outermost expression has one more operator. A chain of them is a tree as deep as it is long.
    pub(super) fn count_operator(&mut self) -> Result<(), Problem> {
        self.operators += 1;
        match self.operators <= OPERATORS_MAX {
            true => Ok(()),
            false => Err(Problem::new(
                self.span(),
                format!("an expression may have {OPERATORS_MAX} operators, this one has more; `a IN (1, 2, 3)` is one"),
            )),
        }
    }

    /// Says that the innermost expression is done.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn token(&self) -> &Token {
        &self.tokens[self.position].token
    }

    /// The token behind the next one.
    pub(super) fn token_after(&self) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.position + 1).min(last)].token
    }

    /// Whether the token after the next one but one is a star: `name.*`.
    pub(super) fn star_follows(&self) -> bool {
        let third = self.tokens.get(self.position + 2);
        third.is_some_and(|placed| placed.token == Token::Symbol(Symbol::Star))
    }

    /// The place of the next token.
    pub(super) fn span(&self) -> Span {
        self.tokens[self.position].span
    }

    /// The place of the token that was taken last.
    pub(super) fn last_span(&self) -> Span {
        self.tokens[self.position.saturating_sub(1)].span
    }

    /// Whether blanks or a comment stand before the next token.
    pub(super) fn after_blank(&self) -> bool {
        self.tokens[self.position].after_blank
    }

    pub(super) fn at_end(&self) -> bool {
        *self.token() == Token::End
    }

    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.token(), Token::Word { text, quoted: false } if text.eq_ignore_ascii_case(keyword))
    }

    /// A part of the text.
    pub(super) fn slice(&self, span: Span) -> &'t str {
        &self.text[span.start..span.end]
    }

    /// The problem that the next token is not what is expected.
    pub(super) fn unexpected(&self, expected: &str) -> Problem {
        let found = match self.token() {
            Token::End => "the end of the text".to_owned(),
            _ => format!("`{}`", shorten(self.slice(self.span()))),
        };
        Problem::new(self.span(), format!("expected {expected}, found {found}"))
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Keywords that are names only in backticks, because a query could not be read otherwise.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

const RESERVED: &[&str] = &[
    "and", "as", "between", "by", "case", "cross", "else", "end", "false", "from", "full", "group", "having", "in",
    "inner", "is", "join", "left", "like", "limit", "not", "null", "on", "or", "order", "over", "right", "select",
    "then", "true", "when", "where",
];

/// Every level costs some hundred bytes of stack in each of the passes over an expression.
const DEPTH_MAX: usize = 100;
const OPERATORS_MAX: usize = 500;
