//! Bytes as text: `base64`, with padding, and `hex`, in lower case.

use crate::{base64, hex};
use rulemill_guest::prelude::*;

/// The bytes of `text` in UTF-8, encoded as `base64` or `hex`.
#[function(immutable)]
#[example("hello" , "base64" => "aGVsbG8=")]
#[example("größe", "BASE64" => "Z3LDtsOfZQ==")]
#[example("hello", "hex" => "68656c6c6f")]
#[example("", "base64" => "")]
#[example("hello", "rot13" => error)]
#[example(null, "base64" => null)]
#[example("hello", null => null)]
pub fn encode(text: &str, encoding: &str) -> Result<String, RowError> {
    encode_bytes(text.as_bytes(), encoding)
}

/// `bytes`, encoded as `base64` or `hex`.
#[function(immutable)]
#[example(null, "base64" => null)]
pub fn encode_bytes(bytes: &[u8], encoding: &str) -> Result<String, RowError> {
    Ok(match Kind::of(encoding)? {
        Kind::Base64 => base64::encode(bytes),
        Kind::Hex => hex::encode(bytes),
    })
}

/// The bytes that are encoded in `text` as `base64` or `hex`. A text that is not so encoded is an error.
#[function(immutable)]
#[example("aGVsbG8", "base64" => error)]
#[example("6865f", "hex" => error)]
#[example("aGVsbG8=", "rot13" => error)]
#[example(null, "base64" => null)]
pub fn decode(text: &str, encoding: &str) -> Result<Vec<u8>, RowError> {
    let kind = Kind::of(encoding)?;
    let decoded = match kind {
        Kind::Base64 => base64::decode(text.as_bytes()),
        Kind::Hex => hex::decode(text.as_bytes()),
    };
    decoded.map_err(|at| RowError::new(format!("the text is not {} from byte {at} on", kind.name())))
}

/// The text that is encoded in `text` as `base64` or `hex`. A text that is not so encoded, or stands for bytes that are
/// not UTF-8, is an error.
#[function(immutable)]
#[example("aGVsbG8=", "base64" => "hello")]
#[example("67 72", "hex" => error)]
#[example("6772C3B6", "hex" => "grö")]
#[example("ff", "hex" => error)]
#[example("", "hex" => "")]
#[example(null, "base64" => null)]
pub fn decode_text(text: &str, encoding: &str) -> Result<String, RowError> {
    String::from_utf8(decode(text, encoding)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        RowError::new(format!("the decoded bytes are not UTF-8 from byte {at} on"))
    })
}

enum Kind {
    Base64,
    Hex,
}

impl Kind {
    fn of(name: &str) -> Result<Self, RowError> {
        if name.eq_ignore_ascii_case("base64") {
            return Ok(Kind::Base64);
        }
        if name.eq_ignore_ascii_case("hex") {
            return Ok(Kind::Hex);
        }
        Err(RowError::new("an encoding is base64 or hex"))
    }

    fn name(&self) -> &'static str {
        match self {
            Kind::Base64 => "base64",
            Kind::Hex => "hexadecimal",
        }
    }
}
