//! Numbers as text for people.

use rulemill_guest::prelude::*;

/// `value` with so many digits behind the point, rounded; with the locale `en_US` as a third argument also with a comma before
/// every three digits. Digits beyond 100, another locale, and what is no number are errors.
#[function(immutable)]
#[example(12332.1234567, 4 => "12332.1235")]
#[example(12332.1234567, 4, "en_US" => "12,332.1235")]
#[example(-1234567, 0, "en_US" => "-1,234,567")]
#[example(123.5, 2, "en_US" => "123.50")]
#[example(0.5, 0 => "0")]
#[example(1.5, -1 => error)]
#[example(1.5, 101 => error)]
#[example(1.5, 1, "de_DE" => error)]
#[example(1.5, 1, "en_US", "en_US" => error)]
#[example(null, 1 => null)]
#[example(1.5, 1, null => null)]
pub fn format(value: f64, digits: i64, locale: &[&str]) -> Result<String, RowError> {
    let Some(digits) = usize::try_from(digits).ok().filter(|digits| *digits <= 100) else {
        return Err(RowError::new(format!("the digits must be 0 to 100, got {digits}")));
    };
    if !value.is_finite() {
        return Err(RowError::new(format!("needs a number, got {value}")));
    }
    let plain = format!("{value:.digits$}");
    match locale {
        [] => Ok(plain),
        ["en_US"] => Ok(with_commas(&plain)),
        [_] => Err(RowError::new("the only locale is en_US")),
        more => {
            let got = more.len() + 2;
            Err(RowError::new(format!("format takes 2 or 3 arguments, got {got}")))
        }
    }
}

fn with_commas(number: &str) -> String {
    let (sign, digits) = number.split_at(usize::from(number.starts_with('-')));
    let whole_len = digits.find('.').unwrap_or(digits.len());
    let mut text = sign.to_owned();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && position < whole_len && (whole_len - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
