//! Whether a text is JSON: strictly, without recursion.

/// How many arrays and objects may be in each other. A text that goes deeper is refused.
pub const DEPTH_MAX: usize = 100;

/// Why a text is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It is not JSON from this byte on.
    At(usize),
    /// It goes deeper than [`DEPTH_MAX`].
    TooDeep,
}

/// The value in `text`, without the blanks around it.
pub(super) fn check(text: &str) -> Result<&str, Malformed> {
    let mut scan = Scan {
        bytes: text.as_bytes(),
        at: 0,
    };
    scan.blanks();
    let start = scan.at;
    scan.value()?;
    let end = scan.at;
    scan.blanks();
    if scan.at < scan.bytes.len() {
        return Err(Malformed::At(scan.at));
    }
    Ok(&text[start..end])
}

struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
}

/// The arrays and objects that are open: a bit each, set for an object.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: usize,
}

impl Scan<'_> {
    fn value(&mut self) -> Result<(), Malformed> {
        let mut open = Open::default();
        loop {
            self.blanks();
            if self.begin(&mut open)? {
                continue;
            }
            // A value is complete: close what ends with it, up to the comma before the next one.
            loop {
                if open.depth == 0 {
                    return Ok(());
                }
                self.blanks();
                if self.eat(b',') {
                    if open.in_object() {
                        self.name()?;
                    }
                    break;
                }
                let end = if open.in_object() { b'}' } else { b']' };
                self.expect(end)?;
                open.depth -= 1;
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container: then it gives true, and a value must follow.
    fn begin(&mut self, open: &mut Open) -> Result<bool, Malformed> {
        if self.eat(b'{') {
            self.blanks();
            if self.eat(b'}') {
                return Ok(false);
            }
            open.push(true)?;
            self.name()?;
            return Ok(true);
        }
        if self.eat(b'[') {
            self.blanks();
            if self.eat(b']') {
                return Ok(false);
            }
            open.push(false)?;
            return Ok(true);
        }
        self.scalar()?;
        Ok(false)
    }

    fn scalar(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => self.text(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(Malformed::At(self.at)),
        }
    }

    /// The name of a member and the colon behind it.
    fn name(&mut self) -> Result<(), Malformed> {
        self.blanks();
        self.text()?;
        self.blanks();
        self.expect(b':')
    }

    fn text(&mut self) -> Result<(), Malformed> {
        self.expect(b'"')?;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..0x20 => break,
                _ => self.at += 1,
            }
        }
        Err(Malformed::At(self.at))
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(Malformed::At(self.at));
                }
                self.at += 5;
                Ok(())
            }
            _ => Err(Malformed::At(self.at)),
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return Err(Malformed::At(start));
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(Malformed::At(self.at));
        }
        self.at += word.len();
        Ok(())
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.eat(byte) {
            return Ok(());
        }
        Err(Malformed::At(self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

impl Open {
    fn push(&mut self, object: bool) -> Result<(), Malformed> {
        if self.depth == DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        let bit = 1 << self.depth;
        self.objects = if object {
            self.objects | bit
        } else {
            self.objects & !bit
        };
        self.depth += 1;
        Ok(())
    }

    /// Whether the innermost is an object. There must be one.
    fn in_object(&self) -> bool {
        self.objects >> (self.depth - 1) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_taken_without_blanks_around_it() {
        for (text, value) in [
            (" 1 ", "1"),
            ("-0.5e+10", "-0.5e+10"),
            ("\t[ ]\n", "[ ]"),
            ("{}", "{}"),
            (
                r#" {"a": [1, {"b": null}], "a\u00e4": "\\\"" } "#,
                r#"{"a": [1, {"b": null}], "a\u00e4": "\\\"" }"#,
            ),
            (r#""größe \/\b\f\n\r\t""#, r#""größe \/\b\f\n\r\t""#),
        ] {
            assert_eq!(check(text), Ok(value));
        }
    }

    #[test]
    fn what_is_not_json_is_refused_where_it_ends_to_be() {
        for (text, at) in [
            ("", 0),
            ("  ", 2),
            ("tru", 0),
            ("nul", 0),
            ("01", 1),
            ("1.", 2),
            (".5", 0),
            ("+1", 0),
            ("1e", 2),
            ("-", 1),
            ("NaN", 0),
            ("1 2", 2),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("[1}", 2),
            ("{\"a\"}", 4),
            ("{\"a\":}", 5),
            ("{a:1}", 1),
            ("{\"a\":1,}", 7),
            ("{\"a\":1", 6),
            ("[", 1),
            ("]", 0),
            ("\"a", 2),
            ("\"\\x\"", 2),
            ("\"\\u12g4\"", 2),
            ("\"\\u12", 2),
            ("\"a\nb\"", 2),
        ] {
            assert_eq!(check(text), Err(Malformed::At(at)), "{text:?}");
        }
    }

    #[test]
    fn ten_thousand_brackets_are_refused() {
        let fine = "[".repeat(DEPTH_MAX) + &"]".repeat(DEPTH_MAX);
        assert_eq!(check(&fine), Ok(fine.as_str()));
        for bracket in ["[", "{\"a\":"] {
            assert_eq!(check(&bracket.repeat(10_000)), Err(Malformed::TooDeep));
        }
    }
}
