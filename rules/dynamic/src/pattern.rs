//! `LIKE`.

use rulemill_guest::prelude::*;
use rulemill_guest_values::json::Value;
use std::str::Chars;

/// Whether `text` is like `pattern`, in which `%` is any text, `_` any character, and a backslash keeps what follows it.
/// False when either is null.
#[function(immutable)]
#[example("\"pump 7\"", "\"pump%\"" => true)]
#[example("\"pump 7\"", "\"pump__\"" => true)]
#[example("\"pump 7\"", "\"pump\"" => false)]
#[example("\"größe\"", "\"gr__e\"" => true)]
#[example("\"100%\"", "\"100\\\\%\"" => true)]
#[example("\"1000\"", "\"100\\\\%\"" => false)]
#[example("\"\"", "\"%\"" => true)]
#[example("\"\"", "\"_\"" => false)]
#[example("7", "\"7\"" => error)]
#[example("\"7\"", "7" => error)]
#[example("null", "\"%\"" => false)]
#[example("\"a\"", null => false)]
pub fn any_like(text: Option<Json<'_>>, pattern: Option<Json<'_>>) -> Result<bool, RowError> {
    let Some(text) = Value::present(text)? else {
        return Ok(false);
    };
    let text = text.text()?;
    let Some(pattern) = Value::present(pattern)? else {
        return Ok(false);
    };
    Ok(fits(&text.characters(), &pattern.text()?.characters()))
}

/// Goes along both. Where they differ it goes back to the last `%` and lets it stand for one character more; so the time
/// is at most the product of both lengths, whatever the pattern.
fn fits(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    let mut back: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let mut rest = pattern.clone();
        match rest.next() {
            Some('%') => {
                back = Some((text.clone(), rest.clone()));
                pattern = rest;
                continue;
            }
            None if text.as_str().is_empty() => return true,
            Some(sign) if steps(&mut text, sign, &mut rest) => {
                pattern = rest;
                continue;
            }
            _ => {}
        }
        let Some((from, behind)) = &mut back else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        text = from.clone();
        pattern = behind.clone();
    }
}

/// Whether the next character fits `sign`; then both are behind it.
fn steps(text: &mut Chars<'_>, sign: char, rest: &mut Chars<'_>) -> bool {
    let mut ahead = text.clone();
    let Some(character) = ahead.next() else {
        return false;
    };
    let kept = match sign {
        '\\' => rest.next().unwrap_or('\\'),
        sign => sign,
    };
    if character != kept && sign != '_' {
        return false;
    }
    *text = ahead;
    true
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit() {
        for (text, pattern, expected) in [
            ("abcabd", "%abd", true),
            ("aaab", "a%a%b", true),
            ("ab", "a%%%b", true),
            ("ab", "%_%_%", true),
            ("a", "%_%_%", false),
            ("a_b", "a\\_b", true),
            ("axb", "a\\_b", false),
            ("a\\", "a\\", true),
            ("a\\b", "a\\\\b", true),
            ("日本", "_本", true),
            ("", "", true),
            ("a", "", false),
        ] {
            assert_eq!(fits(text, pattern), expected, "{text} like {pattern}");
        }
    }

    #[test]
    fn many_percent_signs_take_no_more_time_than_one() {
        assert!(!fits(&"a".repeat(10_000), &("%a".repeat(50) + "%b")));
    }
}
