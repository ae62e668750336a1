//! Numbers and booleans from text and back.

use rulemill_guest::prelude::*;

/// The int that a text says in decimal digits, with or without a sign; another text, or an int beyond 64 bits, is an error.
#[function(immutable)]
#[example("-42" => -42)]
#[example("+7" => 7)]
#[example("9223372036854775807" => 9223372036854775807)]
#[example("9223372036854775808" => error)]
#[example("4.5" => error)]
#[example(" 4" => error)]
#[example("" => error)]
#[example("٤" => error)]
#[example(null => null)]
pub fn text_to_int(text: &str) -> Result<i64, RowError> {
    text.parse()
        .map_err(|_| RowError::new("needs the text of an int of 64 bits, such as -42"))
}

/// The float that a text says, such as `4.5` or `1e3`; another text is an error.
#[function(immutable)]
#[example("4.5" => 4.5)]
#[example("-1e3" => -1000.0)]
#[example("7" => 7.0)]
#[example("4,5" => error)]
#[example("NaN" => error)]
#[example("inf" => error)]
#[example("1e999" => error)]
#[example("" => error)]
#[example(null => null)]
pub fn text_to_float(text: &str) -> Result<f64, RowError> {
    let float = text.parse().ok().filter(|float: &f64| float.is_finite());
    float.ok_or_else(|| RowError::new("needs the text of a number, such as 4.5"))
}

/// The boolean that a text says: `true`, `t` or `1`, `false`, `f` or `0`; the words also as `True` and `TRUE`. Another text is an error.
#[function(immutable)]
#[example("true" => true)]
#[example("T" => true)]
#[example("0" => false)]
#[example("FALSE" => false)]
#[example("yes" => error)]
#[example("" => error)]
#[example(null => null)]
pub fn text_to_bool(text: &str) -> Result<bool, RowError> {
    match text {
        "true" | "True" | "TRUE" | "t" | "T" | "1" => Ok(true),
        "false" | "False" | "FALSE" | "f" | "F" | "0" => Ok(false),
        _ => Err(RowError::new("needs the text true or false")),
    }
}

/// `value` in decimal digits.
#[function(immutable)]
#[example(-9223372036854775808 => "-9223372036854775808")]
#[example(null => null)]
pub fn int_to_text(value: i64) -> String {
    value.to_string()
}

/// `value` in decimal digits, without a point when it has no fraction, with an exponent below 1e-6 and from 1e21 on; `NaN`,
/// `+Inf` and `-Inf` for what is no number.
#[function(immutable)]
#[example(4.5 => "4.5")]
#[example(4.0 => "4")]
#[example(-0.0 => "-0")]
#[example(0.000001 => "0.000001")]
#[example(0.0000001 => "1e-7")]
#[example(1e21 => "1e+21")]
#[example(100000000000000000000.0 => "100000000000000000000")]
#[example(null => null)]
pub fn float_to_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    // Rust writes 1e-7 and 1e21.
    let short = format!("{value:e}");
    let (mantissa, exponent) = short.split_once('e').unwrap_or((&short, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{mantissa}e-{exponent}"),
        None => format!("{mantissa}e+{exponent}"),
    }
}

/// `value` as text: `true` or `false`.
#[function(immutable)]
#[example(true => "true")]
#[example(false => "false")]
#[example(null => null)]
pub fn bool_to_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// `value` without its fraction. What is beyond 64 bits, and what is no number, is an error.
#[function(immutable)]
#[example(4.9 => 4)]
#[example(-4.9 => -4)]
#[example(-9223372036854775808.0 => -9223372036854775808)]
#[example(9223372036854775808.0 => error)]
#[example(null => null)]
pub fn float_to_int(value: f64) -> Result<i64, RowError> {
    if !(-TWO_TO_63..TWO_TO_63).contains(&value) {
        return Err(RowError::new(format!("{value} is beyond the 64 bits of a bigint")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked, and the fraction is to go"
    )]
    let int = value as i64;
    Ok(int)
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
