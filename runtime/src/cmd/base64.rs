//! Bytes that were kept as text: base64 with the standard alphabet and padding (RFC 4648, section 4).

/// The bytes; `None` when the text is not base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|&&letter| letter == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0_u32, 0);
    for &letter in &text[..text.len() - padding] {
        word = word << 6 | digit(letter)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(word >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u32> {
    let digit = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(digit.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::message_line;
    use crate::message::Message;
    use bytes::Bytes;
    use proptest::prelude::*;
    use rulemill_core::Micros;

    #[test]
    fn the_examples_of_the_rfc() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["Zg=", "Z", "Zm9v!", "Zm 9", "====", "Z===", "=m9v"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_dead_letter_keeps_comes_back(mut payload in proptest::collection::vec(any::<u8>(), 0..50)) {
            payload.push(0xff);
            let message = Message {
                topic: "t".into(),
                payload: Bytes::from(payload.clone()),
                qos: 0,
                retain: false,
                arrival: Micros(0),
            };
            let line: serde_json::Value = serde_json::from_slice(&message_line("s", &message)).unwrap();
            prop_assert_eq!(decode(line["payload_base64"].as_str().unwrap()), Some(payload));
        }
    }
}
