//! The records of an outbox.

use crate::fields::Fields;
use crate::log::{Encode, Kind, Record, Sequence, Unencodable};

/// What an emission is known by: the same one has the same id, also after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmissionId(pub [u8; 16]);

/// An emission that was taken from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emission<'o> {
    /// Its place in the queue; it is acknowledged by this.
    pub sequence: Sequence,
    /// Its id.
    pub id: EmissionId,
    /// Its bytes.
    pub bytes: &'o [u8],
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'r> {
    Emission(EmissionId, &'r [u8]),
    Cursor(Sequence),
    /// Nothing that could be delivered.
    Nothing,
}

impl<'r> Content<'r> {
    pub(super) fn of(record: &Record<'r>) -> Self {
        let mut fields = Fields::new(record.payload);
        let content = if record.kind == EMISSION {
            let id = fields.array().map(EmissionId);
            id.map(|id| Content::Emission(id, fields.rest()))
        } else if record.kind == CURSOR {
            let cursor = fields.u64().map(Sequence);
            // It speaks of what was before it.
            let possible = cursor.filter(|cursor| *cursor < record.sequence && fields.rest().is_empty());
            possible.map(Content::Cursor)
        } else {
            None
        };
        content.unwrap_or(Content::Nothing)
    }
}

/// An emission on its way to the log; its bytes may come in parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewEmission<'p> {
    pub(super) id: EmissionId,
    pub(super) parts: &'p [&'p [u8]],
}

impl NewEmission<'_> {
    /// What it takes on disk.
    pub(super) fn record_bytes(&self) -> u64 {
        record_bytes(self.parts.iter().map(|part| part.len()).sum())
    }
}

impl Encode for NewEmission<'_> {
    fn kind(&self) -> Kind {
        EMISSION
    }

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Unencodable> {
        into.extend_from_slice(&self.id.0);
        for part in self.parts {
            into.extend_from_slice(part);
        }
        Ok(())
    }
}

/// Everything up to this number is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewCursor(pub(super) Sequence);

impl Encode for NewCursor {
    fn kind(&self) -> Kind {
        CURSOR
    }

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Unencodable> {
        into.extend_from_slice(&self.0.0.to_le_bytes());
        Ok(())
    }
}

/// What an emission of so many bytes takes on disk.
pub(super) fn record_bytes(bytes: usize) -> u64 {
    bytes as u64 + OVERHEAD_BYTES
}

const EMISSION: Kind = Kind::new(1).expect("1 is not 0");
const CURSOR: Kind = Kind::new(2).expect("2 is not 0");
/// The head of a record and the id.
const OVERHEAD_BYTES: u64 = 17 + 16;
