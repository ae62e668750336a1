//! Why a message could not be decoded.

use std::fmt;

/// A message that gave no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMessage {
    /// Its position in the messages that were given.
    pub position: u32,
    /// The kind of trouble, for counters.
    pub reason: BadReason,
    /// The whole story, for people: what is wrong and at which byte of the payload, counted from zero.
    pub detail: String,
}

/// The kinds of bad payloads; few enough to be a label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BadReason {
    /// There is no payload, or nothing but white space.
    Empty,
    /// The payload is not UTF-8, which JSON must be.
    NotUtf8,
    /// The payload is not JSON.
    NotJson,
    /// The payload ends in the middle of a value.
    Truncated,
    /// Something follows the JSON value.
    TrailingData,
    /// A wanted field lies deeper than 127 levels.
    TooDeep,
    /// The payload is JSON, though not the object or array that the fields are looked up in.
    WrongShape,
}

impl BadReason {
    /// Every reason, in order.
    pub const ALL: [BadReason; 7] = [
        BadReason::Empty,
        BadReason::NotUtf8,
        BadReason::NotJson,
        BadReason::Truncated,
        BadReason::TrailingData,
        BadReason::TooDeep,
        BadReason::WrongShape,
    ];

    /// The name as it stands in metrics and in the dead-letter output.
    pub fn name(self) -> &'static str {
        match self {
            BadReason::Empty => "empty",
            BadReason::NotUtf8 => "not_utf8",
            BadReason::NotJson => "not_json",
            BadReason::Truncated => "truncated",
            BadReason::TrailingData => "trailing_data",
            BadReason::TooDeep => "too_deep",
            BadReason::WrongShape => "wrong_shape",
        }
    }
}

impl fmt::Display for BadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong with `payload`, whose bytes are not UTF-8 from `valid_len` on.
pub(super) fn from_utf8_error(payload: &[u8], valid_len: usize) -> (BadReason, String) {
    let detail = match payload.get(valid_len) {
        Some(byte) => format!("payload is not UTF-8: unexpected byte 0x{byte:02x} at byte {valid_len}"),
        None => format!("payload is not UTF-8: it ends inside a character at byte {valid_len}"),
    };
    (BadReason::NotUtf8, detail)
}

/// What is wrong with `payload`, from the parser's error.
pub(super) fn from_json_error(payload: &str, error: &serde_json::Error) -> (BadReason, String) {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    if error.is_data() {
        return (BadReason::WrongShape, what.to_owned());
    }
    if payload.trim_ascii().is_empty() {
        return (BadReason::Empty, format!("payload is empty ({} bytes)", payload.len()));
    }
    if payload.starts_with('\u{feff}') {
        let detail = "payload is not JSON: it starts with a byte order mark, which JSON forbids, at byte 0";
        return (BadReason::NotJson, detail.to_owned());
    }
    let offset = byte_offset(payload, error.line(), error.column());
    match what {
        _ if error.is_eof() => (
            BadReason::Truncated,
            format!("payload is not JSON: {what} at byte {}", payload.len()),
        ),
        "trailing characters" => (
            BadReason::TrailingData,
            format!("payload goes on after its JSON value at byte {offset}"),
        ),
        "recursion limit exceeded" => (
            BadReason::TooDeep,
            format!("payload is nested too deeply for the fields wanted at byte {offset}"),
        ),
        _ => (
            BadReason::NotJson,
            format!("payload is not JSON: {what} at byte {offset}"),
        ),
    }
}

/// The parser counts lines from one, and columns in bytes from one; people who look at a payload want its byte.
fn byte_offset(payload: &str, line: usize, column: usize) -> usize {
    let line_start = payload
        .bytes()
        .enumerate()
        .filter(|&(_, byte)| byte == b'\n')
        .nth(line.wrapping_sub(2))
        .map_or(0, |(newline, _)| newline + 1);
    (line_start + column.saturating_sub(1)).min(payload.len())
}
