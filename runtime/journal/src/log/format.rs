//! The bytes of headers and records.

use super::sequence::{Kind, Sequence};
use crate::fields::Fields;

/// The version of the format that is written, and the highest that is read.
pub const VERSION: u16 = 1;

/// A longer payload is refused.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;

/// The bytes before the first record.
pub(super) const HEADER_BYTES: usize = 28;

/// The bytes of a record before its payload.
pub(super) const HEAD_BYTES: usize = 17;

const MAGIC: &[u8; 8] = b"RMILLLOG";
const CRC_BYTES: usize = 4;
const MARK: u8 = 0;

/// The beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u16,
    pub(super) salt: u32,
    pub(super) first: Sequence,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.first.0.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header that `bytes` begin with. One of another version has the same form.
    pub(super) fn decode(bytes: &[u8]) -> Result<Header, &'static str> {
        let (covered, rest) = bytes.split_at_checked(HEADER_BYTES - CRC_BYTES).ok_or(TOO_SHORT)?;
        let crc = Fields::new(rest).u32().ok_or(TOO_SHORT)?;
        let mut fields = Fields::new(covered);
        if fields.array() != Some(*MAGIC) {
            return Err("it does not begin like a segment");
        }
        if crc != crc32c::crc32c(covered) {
            return Err("the checksum of its header is wrong");
        }
        let version = fields.u16().ok_or(TOO_SHORT)?;
        let _reserved = fields.u16();
        Ok(Header {
            version,
            salt: fields.u32().ok_or(TOO_SHORT)?,
            first: Sequence(fields.u64().ok_or(TOO_SHORT)?),
        })
    }
}

const TOO_SHORT: &str = "it is too short for a header";

/// The bytes of a record before its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) sequence: Sequence,
    /// `None`: a mark.
    pub(super) kind: Option<Kind>,
    crc: u32,
}

impl Head {
    /// The head that `bytes` begin with; `None` when no record begins so.
    pub(super) fn decode(bytes: &[u8]) -> Option<Head> {
        let mut fields = Fields::new(bytes);
        let crc = fields.u32()?;
        let length = usize::try_from(fields.u32()?).ok()?;
        let sequence = Sequence(fields.u64()?);
        let kind = Kind::new(fields.u8()?);
        let possible = length <= PAYLOAD_BYTES_MAX && (kind.is_some() || length == 0);
        possible.then_some(Head {
            length,
            sequence,
            kind,
            crc,
        })
    }

    /// Whether `record` is what was written, head and payload.
    pub(super) fn fits(&self, record: &[u8], salt: u32) -> bool {
        let covered = record.get(CRC_BYTES..).unwrap_or_default();
        crc32c::crc32c_append(salt, covered) == self.crc
    }

    /// The bytes of the whole record.
    pub(super) fn record_bytes(&self) -> usize {
        HEAD_BYTES + self.length
    }
}

/// Begins a record at the end of `into`; its payload is appended next, then it is finished.
pub(super) fn begin_record(into: &mut Vec<u8>) -> usize {
    let start = into.len();
    into.extend_from_slice(&[0; HEAD_BYTES]);
    start
}

/// Fills in the head of the record that begins at `start` and reaches to the end. False when it is too large.
pub(super) fn finish_record(into: &mut [u8], start: usize, sequence: Sequence, kind: Kind, salt: u32) -> bool {
    finish(into, start, sequence, kind.number(), salt)
}

/// Appends a mark: everything up to `synced` is synced.
pub(super) fn append_mark(into: &mut Vec<u8>, synced: Sequence, salt: u32) {
    let start = begin_record(into);
    finish(into, start, synced, MARK, salt);
}

fn finish(into: &mut [u8], start: usize, sequence: Sequence, kind: u8, salt: u32) -> bool {
    let record = &mut into[start..];
    let payload = record.len() - HEAD_BYTES;
    let Some(length) = u32::try_from(payload).ok().filter(|_| payload <= PAYLOAD_BYTES_MAX) else {
        return false;
    };
    record[4..8].copy_from_slice(&length.to_le_bytes());
    record[8..16].copy_from_slice(&sequence.0.to_le_bytes());
    record[16] = kind;
    let crc = crc32c::crc32c_append(salt, &record[CRC_BYTES..]);
    record[..CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
    true
}
