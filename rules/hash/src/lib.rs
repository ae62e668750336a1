//! The shipped library of hashes and encodings, with eKuiper's names.
//!
//! A hash is of the bytes of a text in UTF-8, and is hexadecimal text in lower case. A null argument gives null.

mod base64;
mod checksum;
mod digest;
mod encoding;
mod hex;
#[cfg(test)]
mod tests;

pub use checksum::crc32;
pub use digest::{md5, sha1, sha256, sha384, sha512};
pub use encoding::{decode, decode_text, encode, encode_bytes};

rulemill_guest::library! {
    name: "hash",
    doc: "Hashes, and encodings of bytes as text.",
    functions: [crc32, decode, decode_text, encode, encode_bytes, md5, sha1, sha256, sha384, sha512],
}
