//! The bytes of headers and sections.

use crate::fields::Fields;
use std::num::NonZeroU32;

/// The version of the format that is written, and the highest that is read.
pub const VERSION: u16 = 1;

/// A longer section is refused.
pub const SECTION_BYTES_MAX: usize = 64 << 20;

pub(super) const HEADER_BYTES: usize = 24;
pub(super) const HEAD_BYTES: usize = 12;
const MAGIC: &[u8; 8] = b"RMILLCKP";
const CRC_BYTES: usize = 4;
const END: u32 = 0;

/// What a section is, as its writer numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SectionKind(NonZeroU32);

impl SectionKind {
    /// The kind of that number; 0 is the end.
    pub const fn new(number: u32) -> Option<SectionKind> {
        match NonZeroU32::new(number) {
            Some(number) => Some(SectionKind(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

/// The beginning of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u16,
    pub(super) number: u64,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header that `bytes` begin with. One of another version has the same form.
    pub(super) fn decode(bytes: &[u8]) -> Result<Header, &'static str> {
        const TOO_SHORT: &str = "it is too short for a header";
        let (covered, rest) = bytes.split_at_checked(HEADER_BYTES - CRC_BYTES).ok_or(TOO_SHORT)?;
        let crc = Fields::new(rest).u32().ok_or(TOO_SHORT)?;
        let mut fields = Fields::new(covered);
        if fields.array() != Some(*MAGIC) {
            return Err("it does not begin like a checkpoint");
        }
        if crc != crc32c::crc32c(covered) {
            return Err("the checksum of its header is wrong");
        }
        let version = fields.u16().ok_or(TOO_SHORT)?;
        let _reserved = fields.u16();
        let number = fields.u64().ok_or(TOO_SHORT)?;
        Ok(Header { version, number })
    }
}

/// A place for a section: in which checkpoint, and where there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) section: u32,
}

impl Place {
    pub(super) fn next(self) -> Place {
        Place {
            section: self.section.wrapping_add(1),
            ..self
        }
    }

    fn seed(self) -> u32 {
        let seed = crc32c::crc32c(&self.number.to_le_bytes());
        crc32c::crc32c_append(seed, &self.section.to_le_bytes())
    }
}

/// The bytes of a section before its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// `None`: the end.
    pub(super) kind: Option<SectionKind>,
    pub(super) length: usize,
    crc: u32,
}

impl Head {
    pub(super) fn decode(bytes: &[u8]) -> Option<Head> {
        let mut fields = Fields::new(bytes);
        let crc = fields.u32()?;
        let kind = SectionKind::new(fields.u32()?);
        let length = usize::try_from(fields.u32()?).ok()?;
        let possible = length <= SECTION_BYTES_MAX && (kind.is_some() || length == 0);
        possible.then_some(Head { kind, length, crc })
    }

    /// What the checksum begins from in this place; it is carried over the payload.
    pub(super) fn begin(&self, place: Place) -> u32 {
        begin_crc(place, self.kind, u32::try_from(self.length).unwrap_or(u32::MAX))
    }

    /// Whether `crc`, carried over the payload, is what was written.
    pub(super) fn ends_with(&self, crc: u32) -> bool {
        self.crc == crc
    }
}

/// Appends the head of a section; its payload comes next. `length` is at most [`SECTION_BYTES_MAX`].
pub(super) fn append_head(into: &mut Vec<u8>, place: Place, kind: Option<SectionKind>, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a section is not that large");
    let crc = crc32c::crc32c_append(begin_crc(place, kind, length), payload);
    into.extend_from_slice(&crc.to_le_bytes());
    into.extend_from_slice(&kind.map_or(END, SectionKind::number).to_le_bytes());
    into.extend_from_slice(&length.to_le_bytes());
}

fn begin_crc(place: Place, kind: Option<SectionKind>, length: u32) -> u32 {
    let crc = crc32c::crc32c_append(place.seed(), &kind.map_or(END, SectionKind::number).to_le_bytes());
    crc32c::crc32c_append(crc, &length.to_le_bytes())
}
