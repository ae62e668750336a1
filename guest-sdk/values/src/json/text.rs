//! Texts and their escapes.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A text, as it stands between its quotes.
#[derive(Clone, Copy)]
pub struct Text<'j> {
    escaped: &'j str,
}

impl<'j> Text<'j> {
    /// The text of a value that begins and ends with quotes.
    pub(super) fn quoted(raw: &'j str) -> Self {
        let escaped = raw.strip_prefix('"').unwrap_or(raw);
        Text {
            escaped: escaped.strip_suffix('"').unwrap_or(escaped),
        }
    }

    /// The characters that it stands for. Half of a pair of surrogates becomes the sign for what is not known, U+FFFD.
    pub fn characters(self) -> Cow<'j, str> {
        let Some(first) = self.escaped.find('\\') else {
            return Cow::Borrowed(self.escaped);
        };
        let mut characters = String::with_capacity(self.escaped.len());
        characters.push_str(&self.escaped[..first]);
        let mut rest = &self.escaped[first..];
        while let Some(escape) = rest.strip_prefix('\\') {
            let (character, behind) = unescape(escape);
            characters.push(character);
            let next = behind.find('\\').unwrap_or(behind.len());
            characters.push_str(&behind[..next]);
            rest = &behind[next..];
        }
        Cow::Owned(characters)
    }

    /// Which of two comes first, by code points.
    pub fn compare(self, other: Text<'_>) -> Ordering {
        self.characters().cmp(&other.characters())
    }
}

/// The character of the escape at the start of `text`, which is behind a backslash, and what follows it.
fn unescape(text: &str) -> (char, &str) {
    let mut characters = text.chars();
    let character = match characters.next() {
        Some('u') => return unescape_number(characters.as_str()),
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some(itself) => itself,
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, characters.as_str())
}

/// Four hexadecimal digits, or two times four with `\u` between them.
fn unescape_number(text: &str) -> (char, &str) {
    let (unit, rest) = unit(text);
    if let Some(character) = char::from_u32(unit) {
        return (character, rest);
    }
    if let (0xd800..0xdc00, Some(second)) = (unit, rest.strip_prefix("\\u"))
        && let (low @ 0xdc00..0xe000, behind) = self::unit(second)
    {
        let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), behind);
    }
    (char::REPLACEMENT_CHARACTER, rest)
}

fn unit(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, ""));
    (u32::from_str_radix(digits, 16).unwrap_or(0xd800), rest)
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn escapes_stand_for_characters() {
        for (raw, characters) in [
            (r#""""#, ""),
            (r#""größe""#, "größe"),
            (r#""a\"b\\c\/""#, "a\"b\\c/"),
            (r#""\b\f\n\r\t""#, "\u{8}\u{c}\n\r\t"),
            (r#""x\u00e4y""#, "xäy"),
            (r#""\ud83d\ude00!""#, "😀!"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ] {
            assert_eq!(Text::quoted(raw).characters(), characters, "{raw}");
        }
    }
}
