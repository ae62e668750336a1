//! An emission as bytes, ready for any sink.

use bytes::Bytes;
use rulemill_core::Micros;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;

/// The rows that one rule emitted together, as one JSON array: `[{"a":1},{"a":2}]`.
#[derive(Clone, Debug)]
pub struct EncodedEmission {
    /// The rule's id: the name of its file without `.wasm`.
    pub rule: Arc<str>,
    /// The window's start and end; `None` for a rule without a window.
    pub window: Option<(Micros, Micros)>,
    /// For a rule without a window: which batch it is of. Two batches may give the same rows.
    pub place: Option<Place>,
    /// The array, brackets included.
    pub json: Bytes,
    /// Where each row ends in `json`: row 0 starts at 1, row i at `ends[i-1] + 1` (after the comma).
    pub ends: Vec<u32>,
}

/// A place in the order of everything that a mill thread emits, the same when it is done again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The batch, by its number in the order of all batches.
    pub position: u64,
    /// Which emission of the rule it is, of those of the batch.
    pub number: u32,
}

/// What an emission is known by: the same one has the same id whenever and however often it is sent, and others have others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EmissionId(pub [u8; 16]);

/// One row of an emission.
#[derive(Clone, Copy, Debug)]
pub struct EncodedRow<'a> {
    /// The row's object.
    pub json: &'a [u8],
}

impl EncodedEmission {
    /// The rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = EncodedRow<'_>> + '_ {
        (0..self.ends.len()).map(|row| EncodedRow {
            json: &self.json[self.start(row)..self.ends[row] as usize],
        })
    }

    /// Where row `row` starts in `json`.
    pub fn start(&self, row: usize) -> usize {
        if row == 0 { 1 } else { self.ends[row - 1] as usize + 1 }
    }

    /// The id: a hash of the rule, of the window or the batch, and of the rows. The rows are in it because one window may be
    /// emitted in several parts, as when the clock was set back; a consumer that drops what it has seen must not drop these.
    pub fn id(&self) -> EmissionId {
        let mut hash = Sha256::new();
        hash.update((self.rule.len() as u64).to_le_bytes());
        hash.update(self.rule.as_bytes());
        match (self.window, self.place) {
            (Some((start, end)), _) => {
                hash.update([1]);
                hash.update(start.0.to_le_bytes());
                hash.update(end.0.to_le_bytes());
            }
            (None, Some(place)) => {
                hash.update([2]);
                hash.update(place.position.to_le_bytes());
                hash.update(place.number.to_le_bytes());
            }
            (None, None) => hash.update([3]),
        }
        hash.update(&self.json);
        let whole: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(&whole[..16]);
        EmissionId(id)
    }

    /// The same with a member `field` at the beginning of each row: the emission's id, a dash, and the number of the row.
    pub fn with_ids(&self, field: &str) -> EncodedEmission {
        let id = self.id();
        let key = serde_json::to_string(field).unwrap_or_default();
        let mut json = Vec::with_capacity(self.json.len() + self.ends.len() * (key.len() + 48));
        let mut ends = Vec::with_capacity(self.ends.len());
        for (number, row) in self.rows().enumerate() {
            json.push(if number == 0 { b'[' } else { b',' });
            let members = &row.json[1..];
            json.extend_from_slice(format!("{{{key}:\"{id}-{number}\"").as_bytes());
            if members != b"}" {
                json.push(b',');
            }
            json.extend_from_slice(members);
            ends.push(u32::try_from(json.len()).unwrap_or(u32::MAX));
        }
        json.push(b']');
        EncodedEmission {
            json: Bytes::from(json),
            ends,
            ..self.clone()
        }
    }
}

/// As 32 hexadecimal digits.
impl fmt::Display for EmissionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(out, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emission() -> EncodedEmission {
        EncodedEmission {
            rule: Arc::from("r"),
            window: Some((Micros(0), Micros(10))),
            place: None,
            json: Bytes::from_static(br#"[{"a":1},{}]"#),
            ends: vec![8, 11],
        }
    }

    #[test]
    fn whatever_differs_gives_another_id_and_the_same_gives_the_same() {
        let place = |position, number| Some(Place { position, number });
        let others = [
            EncodedEmission {
                rule: Arc::from("s"),
                ..emission()
            },
            EncodedEmission {
                window: Some((Micros(0), Micros(20))),
                ..emission()
            },
            EncodedEmission {
                window: None,
                ..emission()
            },
            EncodedEmission {
                window: None,
                place: place(1, 0),
                ..emission()
            },
            EncodedEmission {
                window: None,
                place: place(1, 1),
                ..emission()
            },
            EncodedEmission {
                window: None,
                place: place(2, 0),
                ..emission()
            },
            EncodedEmission {
                json: Bytes::from_static(br#"[{"a":2},{}]"#),
                ..emission()
            },
        ];
        let mut ids: Vec<String> = others.iter().map(|other| other.id().to_string()).collect();
        ids.push(emission().id().to_string());
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert_eq!(emission().id(), emission().id());
        assert!(ids.iter().all(|id| id.len() == 32));
    }

    #[test]
    fn every_row_can_carry_its_id() {
        let with = emission().with_ids("id");
        let id = emission().id();
        assert_eq!(with.json, format!(r#"[{{"id":"{id}-0","a":1}},{{"id":"{id}-1"}}]"#));
        let rows: Vec<&[u8]> = with.rows().map(|row| row.json).collect();
        assert_eq!(rows[1], format!(r#"{{"id":"{id}-1"}}"#).as_bytes());
    }
}
