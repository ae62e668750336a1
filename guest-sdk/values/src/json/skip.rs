//! Walking along text that was checked. On any other text it ends somewhere, and does not panic.

/// The value that begins at the start of `text`, and what follows it.
pub(super) fn split_value(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let end = match bytes.first() {
        Some(b'"') => end_of_text(bytes, 0),
        Some(b'[' | b'{') => end_of_container(bytes),
        _ => end_of_scalar(bytes),
    };
    // The ends are behind ASCII signs, so they are at the edges of characters.
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// `text` without blanks, and without `sign` if that comes first.
pub(super) fn skip_sign(text: &str, sign: u8) -> &str {
    let text = skip_blanks(text);
    match text.as_bytes().first() {
        Some(first) if *first == sign => skip_blanks(&text[1..]),
        _ => text,
    }
}

/// `text` from its first sign that is not blank.
pub(super) fn skip_blanks(text: &str) -> &str {
    text.trim_ascii_start()
}

/// Behind the closing quote of the text that is opened at `start`.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of_container(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_text(bytes, at);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn end_of_scalar(bytes: &[u8]) -> usize {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}');
    bytes.iter().position(ends).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::split_value;

    #[test]
    fn a_value_ends_where_it_ends() {
        for (text, value) in [
            ("12, 3", "12"),
            ("true]", "true"),
            ("\"a\\\"]\" ,1", "\"a\\\"]\""),
            ("[1,\"]\",{\"a\":\"}\"}] ,2", "[1,\"]\",{\"a\":\"}\"}]"),
            ("{\"ä\":{}} }", "{\"ä\":{}}"),
        ] {
            assert_eq!(split_value(text).0, value);
        }
    }

    #[test]
    fn broken_text_does_not_panic() {
        for text in ["", "\"", "\"\\", "[", "{\"", "\"ä\\ä", "]"] {
            split_value(text);
        }
    }
}
