//! Numbers as text in other bases than ten.

use rulemill_guest::prelude::*;

/// A number that is text in the base `from`, as text in the base `to`, in upper case. Bases are 2 to 36; a negative base
/// `to` writes numbers below 0 with a sign, otherwise they are written as 64 bits without one. What stands behind the last
/// digit of the base is passed over, and without a digit there is 0. A number beyond 64 bits is an error.
#[function(immutable)]
#[example("a", 16, 2 => "1010")]
#[example("6E", 18, 8 => "172")]
#[example("-17", 10, -18 => "-H")]
#[example("-1", 10, 16 => "FFFFFFFFFFFFFFFF")]
#[example("12x", 10, 10 => "12")]
#[example("", 10, 2 => "0")]
#[example("1", 1, 2 => error)]
#[example("1", 10, 37 => error)]
#[example("10000000000000000", 16, 10 => error)]
#[example(null, 10, 2 => null)]
pub fn conv(number: &str, from: i64, to: i64) -> Result<String, RowError> {
    let (from, signed) = (base(from)?, to < 0);
    let to = base(to)?;
    let number = number.trim_ascii();
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let end = digits.find(|digit: char| !digit.is_digit(from)).unwrap_or(digits.len());
    let magnitude = match &digits[..end] {
        "" => 0,
        digits => u64::from_str_radix(digits, from).map_err(|_| {
            RowError::new(format!(
                "the number is beyond 64 bits: {} digits to the base {from}",
                digits.len()
            ))
        })?,
    };
    let written = if signed || !negative {
        magnitude
    } else {
        magnitude.wrapping_neg()
    };
    let sign = if signed && negative && magnitude > 0 { "-" } else { "" };
    Ok(sign.to_owned() + &digits_of(written, to))
}

/// The int that a hexadecimal text stands for, with or without `0x` before it.
#[function(immutable)]
#[example("0x10" => 16)]
#[example("ff" => 255)]
#[example("-0x10" => -16)]
#[example("7fffffffffffffff" => 9223372036854775807)]
#[example("8000000000000000" => error)]
#[example("0x" => error)]
#[example("xyz" => error)]
#[example("" => error)]
#[example(null => null)]
pub fn hex2dec(hex: &str) -> Result<i64, RowError> {
    let (sign, digits) = match hex.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", hex),
    };
    let digits = digits
        .strip_prefix("0x")
        .or(digits.strip_prefix("0X"))
        .unwrap_or(digits);
    // The parser would take another sign.
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = plain
        .then(|| i64::from_str_radix(&format!("{sign}{digits}"), 16).ok())
        .flatten();
    number.ok_or_else(|| RowError::new("needs a hexadecimal number of at most 64 bits, such as 0x1F"))
}

/// `value` as hexadecimal text behind `0x`, numbers below 0 with a sign before it.
#[function(immutable)]
#[example(16 => "0x10")]
#[example(255 => "0xff")]
#[example(-16 => "-0x10")]
#[example(-9223372036854775808 => "-0x8000000000000000")]
#[example(null => null)]
pub fn dec2hex(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}0x{:x}", value.unsigned_abs())
}

fn base(base: i64) -> Result<u32, RowError> {
    u32::try_from(base.unsigned_abs())
        .ok()
        .filter(|base| (2..=36).contains(base))
        .ok_or_else(|| RowError::new(format!("a base must be 2 to 36, got {base}")))
}

fn digits_of(mut number: u64, base: u32) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % u64::from(base)).ok();
        let digit = digit.and_then(|digit| char::from_digit(digit, base)).unwrap_or('0');
        digits.push(digit.to_ascii_uppercase());
        number /= u64::from(base);
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}
