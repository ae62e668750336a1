//! What a checkpoint holds.
//!
//! | section | payload |
//! |---|---|
//! | 1 | [`Position`], JSON |
//! | 2 | [`MillState`] without its streams, JSON, once for each mill |
//! | 3 | the [`StreamRecord`] of a stream of the mill before, JSON |
//! | 4 | a piece of the bytes of the stream before, as the core writes them; in order |

use super::change::{LibraryRecord, RuleRecord, StreamRecord};
use rulemill_journal::checkpoint::{CheckpointError, CheckpointReader, CheckpointWriter, SectionKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where in the log the state is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Position {
    /// The version of the JSON of a checkpoint and of changes of code. It goes up when an older rulemill must not read it.
    #[serde(default = "first_format")]
    pub(in super::super) format: u32,
    /// The last batch or tick that is in the state.
    pub(in super::super) done: u64,
    /// The first message that is in no batch of the state.
    pub(in super::super) next_message: u64,
    /// How many mills there were. What comes after is for as many.
    pub(in super::super) mills: usize,
    /// The audiences that messages may name.
    pub(in super::super) audiences: Vec<AudienceRecord>,
}

/// An audience by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct AudienceRecord {
    pub(in super::super) number: u32,
    pub(in super::super) here: Vec<String>,
    pub(in super::super) nowhere: Vec<String>,
}

/// The state of one mill.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct MillState {
    pub(in super::super) mill: usize,
    /// The last change of code that is in it, by its record.
    pub(in super::super) last_switch: u64,
    /// How far time has come, in microseconds.
    pub(in super::super) now_us: i64,
    pub(in super::super) libraries: Vec<LibraryRecord>,
    /// The versions of rules, by their tags, those included that only finish their windows.
    pub(in super::super) versions: BTreeMap<u64, RuleRecord>,
    /// The tag of the version of each rule that runs.
    pub(in super::super) running: BTreeMap<String, u64>,
    /// The digests of versions that may come back, because those that run are on probation.
    #[serde(default)]
    pub(in super::super) last_good: BTreeSet<String>,
    #[serde(skip)]
    pub(in super::super) streams: Vec<(StreamRecord, Vec<u8>)>,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct State {
    pub(in super::super) position: Position,
    pub(in super::super) mills: Vec<MillState>,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum StateError {
    #[error(transparent)]
    File(#[from] CheckpointError),
    #[error("checkpoint {number} says something else than this version of rulemill writes: {reason}")]
    Contents { number: u64, reason: String },
}

/// Checkpoints of the first version do not say so.
fn first_format() -> u32 {
    1
}

/// The version that is written, and the last that is read.
pub(in super::super) const FORMAT: u32 = 1;

impl Position {
    /// The first record that matters.
    pub(in super::super) fn first_needed(&self) -> u64 {
        self.next_message.min(self.done.saturating_add(1))
    }
}

impl State {
    pub(in super::super) fn write(&self, to: &mut CheckpointWriter<'_>) -> Result<(), StateError> {
        let number = to.number();
        to.section(POSITION, &json(&self.position, number)?)?;
        for mill in &self.mills {
            to.section(MILL, &json(mill, number)?)?;
            for (stream, bytes) in &mill.streams {
                to.section(STREAM, &json(stream, number)?)?;
                for piece in bytes.chunks(PIECE_BYTES) {
                    to.section(PIECE, piece)?;
                }
            }
        }
        Ok(())
    }

    pub(in super::super) fn read(from: &mut CheckpointReader) -> Result<State, StateError> {
        let number = from.number();
        let wrong = |reason: &str| StateError::Contents {
            number,
            reason: reason.to_owned(),
        };
        let parse = |error: serde_json::Error| StateError::Contents {
            number,
            reason: error.to_string(),
        };
        let mut state = State::default();
        let mut payload = Vec::new();
        while let Some(kind) = from.next_section(&mut payload)? {
            if kind == POSITION {
                state.position = serde_json::from_slice(&payload).map_err(parse)?;
            } else if kind == MILL {
                state.mills.push(serde_json::from_slice(&payload).map_err(parse)?);
            } else if kind == STREAM {
                let stream = serde_json::from_slice(&payload).map_err(parse)?;
                let mill = state.mills.last_mut().ok_or_else(|| wrong("a stream without a mill"))?;
                mill.streams.push((stream, Vec::new()));
            } else if kind == PIECE {
                let mill = state.mills.last_mut();
                let stream = mill.and_then(|mill| mill.streams.last_mut());
                let (_, bytes) = stream.ok_or_else(|| wrong("state without a stream"))?;
                bytes.extend_from_slice(&payload);
            } else {
                return Err(wrong("a section that is not known"));
            }
        }
        if state.position.format > FORMAT {
            return Err(wrong(&format!(
                "it has format {}, and this version of rulemill reads up to format {FORMAT}",
                state.position.format
            )));
        }
        if state.position.mills == 0 {
            return Err(wrong("it has no position"));
        }
        Ok(state)
    }

    /// The digests of the code that it needs.
    pub(in super::super) fn code(&self) -> BTreeSet<String> {
        let rules = self.mills.iter().flat_map(|mill| mill.versions.values());
        let libraries = self.mills.iter().flat_map(|mill| &mill.libraries);
        let rules = rules.map(|rule| rule.wasm.clone());
        let last_good = self.mills.iter().flat_map(|mill| mill.last_good.iter().cloned());
        rules
            .chain(libraries.map(|library| library.wasm.clone()))
            .chain(last_good)
            .collect()
    }

    /// Its bytes in memory, about.
    pub(in super::super) fn bytes(&self) -> usize {
        let streams = self.mills.iter().flat_map(|mill| &mill.streams);
        streams.map(|(_, bytes)| bytes.len()).sum()
    }
}

fn json(value: &impl Serialize, number: u64) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec(value).map_err(|error| StateError::Contents {
        number,
        reason: error.to_string(),
    })
}

const POSITION: SectionKind = SectionKind::new(1).expect("1 is not 0");
const MILL: SectionKind = SectionKind::new(2).expect("2 is not 0");
const STREAM: SectionKind = SectionKind::new(3).expect("3 is not 0");
const PIECE: SectionKind = SectionKind::new(4).expect("4 is not 0");
/// A section holds so much of a stream.
const PIECE_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_journal::Storage;
    use rulemill_journal::checkpoint::Checkpoints;
    use rulemill_journal::sim::SimDisk;
    use std::sync::Arc;

    #[test]
    fn a_state_comes_back_as_it_was_also_when_it_is_large() {
        let stream = |name: &str| StreamRecord {
            source: None,
            filters: vec![name.to_owned()],
        };
        let state = State {
            position: Position {
                format: FORMAT,
                done: 9,
                next_message: 5,
                mills: 2,
                audiences: vec![AudienceRecord {
                    number: 3,
                    here: vec!["a".to_owned()],
                    nowhere: Vec::new(),
                }],
            },
            mills: vec![
                MillState {
                    last_switch: 7,
                    now_us: -5,
                    running: BTreeMap::from([("mean".to_owned(), 4)]),
                    streams: vec![(stream("a"), vec![7; PIECE_BYTES + 1]), (stream("b"), Vec::new())],
                    ..MillState::default()
                },
                MillState {
                    mill: 1,
                    ..MillState::default()
                },
            ],
        };
        let disk: Arc<dyn Storage> = SimDisk::new(1).directory("checkpoints");
        let (mut checkpoints, _) = Checkpoints::open(Arc::clone(&disk), 0).unwrap();
        let mut writer = checkpoints.begin().unwrap();
        state.write(&mut writer).unwrap();
        writer.finish().unwrap();
        let back = State::read(&mut checkpoints.newest().unwrap().unwrap()).unwrap();
        assert_eq!(back, state);
        assert_eq!(back.position.first_needed(), 5);
        assert_eq!(back.bytes(), PIECE_BYTES + 1);
    }
}
