//! Bytes and texts.

use rulemill_guest::prelude::*;

/// The bytes of `text` in UTF-8.
#[function(immutable)]
#[example(null => null)]
pub fn text_to_bytes(text: &str) -> &[u8] {
    text.as_bytes()
}

/// The text that the bytes are in UTF-8. Bytes that are none are an error.
#[function(immutable)]
#[example(null => null)]
pub fn bytes_to_text(bytes: &[u8]) -> Result<&str, RowError> {
    std::str::from_utf8(bytes)
        .map_err(|error| RowError::new(format!("the bytes are not UTF-8 from byte {} on", error.valid_up_to())))
}
