//! What examples cannot say: bytes, and long texts.

use crate::LIBRARY;
use rulemill_guest::testing::call;

#[test]
fn the_description_is_right() {
    assert_eq!(LIBRARY.describe().check(), []);
}

#[test]
fn every_function_is_on_the_page() {
    let page = include_str!("../../../docs/functions.md");
    for function in LIBRARY.describe().scalars {
        let name = function.name;
        let is_there = page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}("));
        assert!(is_there, "{name} is not in docs/functions.md");
    }
}

#[test]
fn all_bytes_are_encoded_and_decoded() {
    let bytes: Vec<u8> = (0..=255).collect();
    for encoding in ["base64", "hex"] {
        let text = crate::encode_bytes(&bytes, encoding).unwrap();
        assert_eq!(crate::decode(&text, encoding), Ok(bytes.clone()));
    }
    assert_eq!(
        call(&LIBRARY, "decode", &[["aGVsbG8=".into(), "base64".into()]]),
        [Ok("hello".into())]
    );
}

#[test]
fn what_is_not_encoded_is_an_error_with_its_place() {
    for (text, encoding, message) in [
        ("aGV$bG8=", "base64", "the text is not base64 from byte 3 on"),
        ("aGVsbG8=\n", "base64", "the text is not base64 from byte 7 on"),
        ("68zz", "hex", "the text is not hexadecimal from byte 2 on"),
        ("größe!", "hex", "the text is not hexadecimal from byte 0 on"),
    ] {
        let outcome = call(&LIBRARY, "decode", &[[text.into(), encoding.into()]]);
        assert_eq!(outcome, [Err(message.into())], "{text}");
    }
}

#[test]
fn long_texts_have_hashes() {
    // The million letters of FIPS 180.
    let text = "a".repeat(1_000_000);
    for (function, hash) in [
        ("md5", "7707d6ae4e027c70eea2a935c2296f21"),
        ("sha1", "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        (
            "sha256",
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
        ),
        ("crc32", "dc25bfbc"),
    ] {
        assert_eq!(
            call(&LIBRARY, function, &[[text.as_str().into()]]),
            [Ok(hash.into())],
            "{function}"
        );
    }
}
