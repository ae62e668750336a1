//! Base64 with `+`, `/` and padding.

/// The bytes in groups of four signs.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |position: usize| u32::from(group.get(position).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * position) & 63) as usize];
            text.push(if position > group.len() { '=' } else { char::from(sign) });
        }
    }
    text
}

/// The bytes of groups of four signs. `Err`: the text is not base64 from this byte on. So is what no encoder writes: a last
/// sign with bits that stand for nothing.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let padding = text.iter().rev().take(2).take_while(|sign| **sign == b'=').count();
    let signs = &text[..text.len() - padding];
    let mut bytes = Vec::with_capacity(signs.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for (position, sign) in signs.iter().enumerate() {
        bits = bits << 6 | value(*sign).ok_or(position)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            let [byte, ..] = (bits >> count).to_le_bytes();
            bytes.push(byte);
            bits &= (1 << count) - 1;
        }
    }
    if !text.len().is_multiple_of(4) || bits != 0 || count == 6 {
        return Err(text.len() / 4 * 4);
    }
    Ok(bytes)
}

fn value(sign: u8) -> Option<u32> {
    let value = match sign {
        b'A'..=b'Z' => sign - b'A',
        b'a'..=b'z' => sign - b'a' + 26,
        b'0'..=b'9' => sign - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_of_the_standard_come_out() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()), Ok(bytes.as_bytes().to_vec()));
        }
    }

    #[test]
    fn what_no_encoder_writes_is_refused() {
        for text in [
            "Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Zh==", "Zm9=", "Zm9v=", "Zm9v====", "Z=g=", "Zm 9v", "Zm-_",
            "ä===",
        ] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
    }
}
