//! JSON text, written straight into a byte buffer.
//!
//! Numbers are written as JavaScript and Go write them: the shortest text that reads back as the same double, no
//! trailing `.0`, and an exponent below 1e-6 and from 1e21.

use serde_json::Value;
use std::io::Write;
use std::ops::Range;

/// Writes a double; false, and nothing written, for NaN and the infinities, which JSON cannot say.
pub(crate) fn write_float(out: &mut Vec<u8>, value: f64) -> bool {
    if !value.is_finite() {
        return false;
    }
    let size = value.abs();
    if PLAIN.contains(&size) {
        write_plain(out, value);
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let start = out.len();
        let _ = write!(out, "{value:e}");
        let at = start + out[start..].iter().position(|&byte| byte == b'e').unwrap_or(0);
        if out.get(at + 1).is_some_and(u8::is_ascii_digit) {
            out.insert(at + 1, b'+');
        }
    } else {
        let _ = write!(out, "{value}");
    }
    true
}

/// Writes an integer. By hand, because the formatting machinery takes longer than the rest of a row.
pub(crate) fn write_int(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).expect("a digit is below 10");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writes a text with its quotes. Only what JSON requires is escaped.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

/// Writes bytes as a text in standard base64 with padding.
pub(crate) fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .enumerate()
            .fold(0u32, |word, (at, &byte)| word | u32::from(byte) << (16 - 8 * at));
        for digit in 0..4 {
            let letter = BASE64[(word >> (18 - 6 * digit) & 63) as usize];
            out.push(if digit <= chunk.len() { letter } else { b'=' });
        }
    }
    out.push(b'"');
}

/// Writes a JSON value with the keys of its objects sorted at every level, and its numbers in the form of this module.
///
/// The nesting is bounded by the parser that made the value (128 levels).
pub(crate) fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => write_bool(out, *value),
        Value::Number(number) => {
            if let Some(value) = number.as_i64() {
                write_int(out, value);
            } else if let Some(value) = number.as_u64() {
                let _ = write!(out, "{value}");
            } else if !number.as_f64().is_some_and(|value| write_float(out, value)) {
                out.extend_from_slice(b"null");
            }
        }
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_value(out, item);
            }
            out.push(b']');
        }
        Value::Object(fields) => write_object(out, fields),
    }
}

/// Writes `true` or `false`.
pub(crate) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Writes a double of a size in [`PLAIN`]: whole ones as integers, the others as `serde_json` does, which is faster than the
/// standard library and writes as short there.
fn write_plain(out: &mut Vec<u8>, value: f64) {
    if value.fract() == 0.0 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^63")]
        write_int(out, value as i64);
    } else {
        // Writing a number to memory cannot fail.
        let _ = serde_json::to_writer(out, &value);
    }
}

fn write_object(out: &mut Vec<u8>, fields: &serde_json::Map<String, Value>) {
    // Sorted here rather than by the map, whose order depends on a feature another crate could switch on.
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(out, name);
        out.push(b':');
        write_value(out, value);
    }
    out.push(b'}');
}

/// The sizes of doubles that are written without an exponent whoever writes them.
const PLAIN: Range<f64> = 1e-3..1e15;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_take_the_form_of_javascript_and_go() {
        for (value, expect) in [
            (45.0, "45"),
            (25.5, "25.5"),
            (37.333333333333336, "37.333333333333336"),
            (0.0, "0"),
            (-1.5, "-1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.25e300, "-1.25e+300"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (9.99e-7, "9.99e-7"),
            (5e-324, "5e-324"),
            (9007199254740993.0, "9007199254740992"),
            (-0.0, "-0"),
            (0.0001, "0.0001"),
            (999_999_999_999_999.0, "999999999999999"),
        ] {
            assert_eq!(written(|out| assert!(write_float(out, value))), expect);
        }
    }

    #[test]
    fn integers_are_exact_to_the_last() {
        for value in [0, 7, -10, i64::MAX, i64::MIN] {
            assert_eq!(written(|out| write_int(out, value)), value.to_string());
        }
    }

    #[test]
    fn what_json_cannot_say_is_not_written() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(written(|out| assert!(!write_float(out, value))), "");
        }
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, expect) in [
            (&b""[..], "\"\""),
            (b"f", "\"Zg==\""),
            (b"fo", "\"Zm8=\""),
            (b"foo", "\"Zm9v\""),
            (b"foobar", "\"Zm9vYmFy\""),
            (b"\xff\xfe\xfd", "\"//79\""),
        ] {
            assert_eq!(written(|out| write_base64(out, bytes)), expect);
        }
    }

    #[test]
    fn values_are_sorted_at_every_level() {
        let value: Value = serde_json::from_str(r#"{"b":[{"z":1.0,"a":null}],"a":18446744073709551615}"#).unwrap();
        assert_eq!(
            written(|out| write_value(out, &value)),
            r#"{"a":18446744073709551615,"b":[{"a":null,"z":1}]}"#
        );
    }

    proptest! {
        #[test]
        fn floats_read_back_the_same(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = written(|out| assert!(write_float(out, value)));
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
            prop_assert!(!text.ends_with(".0"));
        }

        #[test]
        fn the_short_way_writes_as_the_standard_library_does(value in 1e-7..1e17, whole in any::<i64>(), power in 0..20i32) {
            let scaled: f64 = value / 10f64.powi(power);
            let values: [f64; 5] = [value, -value, scaled, value.trunc(), whole as f64];
            for value in values {
                if (1e-6..1e21).contains(&value.abs()) {
                    let text = written(|out| assert!(write_float(out, value)));
                    // Of two shortest texts that are equally near, either will do.
                    prop_assert_eq!(text.len(), value.to_string().len());
                    prop_assert_eq!(text.parse::<f64>(), Ok(value));
                    prop_assert!(!text.contains('e'));
                }
            }
            prop_assert_eq!(written(|out| write_int(out, whole)), whole.to_string());
        }

        #[test]
        fn texts_read_back_the_same(text in any::<String>()) {
            let json = written(|out| write_text(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
