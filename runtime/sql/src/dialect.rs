//! What SQL looks like for Kuiper's users, for the tokenizer.

use sqlparser::dialect::Dialect;

/// Both quote styles are texts, backticks quote names, and a backslash in a text keeps the quote after it.
#[derive(Debug)]
pub(crate) struct KuiperDialect;

impl Dialect for KuiperDialect {
    fn is_identifier_start(&self, character: char) -> bool {
        character.is_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_alphanumeric() || character == '_'
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '`'
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }
}
