//! The bytes of one entry: a header that says what the code belongs to, and the code.
//!
//! ```text
//!   0  magic    8 bytes   "rmcode\r\n"
//!   8  format   4 bytes   little endian
//!  12  length   8 bytes   of the code, little endian
//!  20  guest   32 bytes   SHA-256 of the guest's file
//!  52  engine  32 bytes   SHA-256 of all that decides whether the code fits: see `Identity`
//!  84  code    32 bytes   SHA-256 of the code
//! 116  the code
//! ```

use sha2::{Digest as _, Sha256};
use std::fmt;

/// What code belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The SHA-256 of the guest's file.
    pub(super) guest: [u8; 32],
    /// The SHA-256 of the engine's version, settings and processor, and of this program's version.
    pub(super) engine: [u8; 32],
}

/// Why bytes are not the entry that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    /// There is no header.
    #[error("it does not begin with the header of an entry")]
    Header,
    /// A format that this version does not read.
    #[error("it has format {0}, this version reads format {FORMAT}")]
    Format(u32),
    /// The entry of another guest or engine lies under this name.
    #[error("it belongs to another guest or engine")]
    Identity,
    /// It was cut off, or something was added to it.
    #[error("its code should have {expected} bytes and has {found}")]
    Length {
        /// What the header says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The code is not what was written.
    #[error("its code has another SHA-256 than its header says")]
    Code,
}

impl Identity {
    /// The name of its file: the same guest under another engine is another file.
    pub(super) fn file_name(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(MAGIC);
        hash.update(FORMAT.to_le_bytes());
        hash.update(self.engine);
        hash.update(self.guest);
        let mut name = String::with_capacity(64 + SUFFIX.len());
        for byte in hash.finalize() {
            fmt::Write::write_fmt(&mut name, format_args!("{byte:02x}")).expect("a string takes any text");
        }
        name.push_str(SUFFIX);
        name
    }

    /// The header of `code`.
    pub(super) fn header(&self, code: &[u8]) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        let parts: [&[u8]; 6] = [
            MAGIC,
            &FORMAT.to_le_bytes(),
            &(code.len() as u64).to_le_bytes(),
            &self.guest,
            &self.engine,
            &Sha256::digest(code),
        ];
        let mut at = 0;
        for part in parts {
            header[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        header
    }

    /// The code of an entry, when all of it is what this identity's header promised.
    pub(super) fn code_of<'b>(&self, bytes: &'b [u8]) -> Result<&'b [u8], Damage> {
        let (header, code) = bytes.split_at_checked(HEADER_BYTES).ok_or(Damage::Header)?;
        if !header.starts_with(MAGIC) {
            return Err(Damage::Header);
        }
        let format = u32::from_le_bytes(part(header, 8));
        if format != FORMAT {
            return Err(Damage::Format(format));
        }
        let found = Identity {
            guest: part(header, 20),
            engine: part(header, 52),
        };
        if found != *self {
            return Err(Damage::Identity);
        }
        let (expected, found) = (u64::from_le_bytes(part(header, 12)), code.len() as u64);
        if expected != found {
            return Err(Damage::Length { expected, found });
        }
        if Sha256::digest(code)[..] != part::<32>(header, 84) {
            return Err(Damage::Code);
        }
        Ok(code)
    }
}

fn part<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("the range has N bytes")
}

/// Ascends with every change of this layout, and of what is done to a file before it is compiled.
const FORMAT: u32 = 1;
const MAGIC: &[u8; 8] = b"rmcode\r\n";
/// How many bytes stand before the code.
pub(super) const HEADER_BYTES: usize = 116;
/// How the names of entries end.
pub(super) const SUFFIX: &str = ".code";

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity {
        guest: [1; 32],
        engine: [2; 32],
    };

    fn entry(code: &[u8]) -> Vec<u8> {
        [&IDENTITY.header(code)[..], code].concat()
    }

    #[test]
    fn an_entry_gives_back_its_code() {
        for code in [&b""[..], b"code"] {
            assert_eq!(IDENTITY.code_of(&entry(code)), Ok(code));
        }
    }

    #[test]
    fn an_entry_with_any_byte_changed_is_refused() {
        let whole = entry(b"some code");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x40;
            assert!(IDENTITY.code_of(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn an_entry_that_is_cut_off_or_longer_is_refused() {
        let whole = entry(b"some code");
        for length in 0..whole.len() {
            assert!(IDENTITY.code_of(&whole[..length]).is_err(), "{length} bytes");
        }
        let longer = [&whole[..], b"x"].concat();
        let length = Damage::Length { expected: 9, found: 10 };
        assert_eq!(IDENTITY.code_of(&longer), Err(length));
    }

    #[test]
    fn the_entry_of_another_guest_or_engine_is_refused() {
        let others = [
            Identity {
                guest: [3; 32],
                ..IDENTITY
            },
            Identity {
                engine: [3; 32],
                ..IDENTITY
            },
        ];
        for other in others {
            assert_eq!(other.code_of(&entry(b"code")), Err(Damage::Identity));
            assert_ne!(other.file_name(), IDENTITY.file_name());
        }
    }
}
