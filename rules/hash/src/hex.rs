//! Hexadecimal digits.

/// The bytes in lower-case digits, two for each.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The bytes of digits in either case. `Err`: the text is not hexadecimal from this byte on.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let (pairs, rest) = text.as_chunks::<2>();
    let mut bytes = Vec::with_capacity(pairs.len());
    for (position, [high, low]) in pairs.iter().enumerate() {
        match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            (None, _) => return Err(position * 2),
            (_, None) => return Err(position * 2 + 1),
        }
    }
    if rest.is_empty() {
        Ok(bytes)
    } else {
        Err(text.len() - 1)
    }
}

fn digit(sign: u8) -> Option<u8> {
    match sign {
        b'0'..=b'9' => Some(sign - b'0'),
        b'a'..=b'f' => Some(sign - b'a' + 10),
        b'A'..=b'F' => Some(sign - b'A' + 10),
        _ => None,
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
