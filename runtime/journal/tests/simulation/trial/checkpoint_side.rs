//! The checkpoints and their model: which were begun, and which were said to be there for good.

use super::{Broken, Tally, bytes_of, id_of};
use rulemill_journal::Storage;
use rulemill_journal::checkpoint::{CheckpointError, CheckpointReader, Checkpoints, Found, SectionKind};
use rulemill_journal::log::Sequence;
use rulemill_journal::sim::{Random, SimDisk};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const DIRECTORY: &str = "checkpoint";

pub(super) struct CheckpointSide {
    storage: Arc<dyn Storage>,
    disk: SimDisk,
    checkpoints: Option<Checkpoints>,
    found: Found,
    /// What was to be in each: a position, and the first and the last number of what else.
    begun: BTreeMap<u64, Content>,
    finished: u64,
    last_id: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    position: Sequence,
    first_id: u64,
    last_id: u64,
}

impl CheckpointSide {
    pub(super) fn new(disk: &SimDisk) -> Self {
        CheckpointSide {
            storage: disk.directory(DIRECTORY),
            disk: disk.clone(),
            checkpoints: None,
            found: Found::default(),
            begun: BTreeMap::new(),
            finished: 0,
            last_id: 0,
        }
    }

    pub(super) fn open(&mut self) -> Result<(), String> {
        self.checkpoints = None;
        let opened = Checkpoints::open(Arc::clone(&self.storage), RESERVE_BYTES);
        let (mut checkpoints, found) = opened.map_err(|error| error.to_string())?;
        let reserved = checkpoints.restore_reserve();
        reserved.map_err(|error| error.to_string())?;
        self.checkpoints = Some(checkpoints);
        self.found = found;
        Ok(())
    }

    pub(super) fn check(&mut self, damaged: bool, ever_damaged: bool, tally: &mut Tally) -> Result<(), Broken> {
        let newest = self.found.newest.unwrap_or(0);
        // One that is damaged is told once, by whatever attempt to open, so only the damage itself is an excuse.
        if newest < self.finished && !damaged {
            return Err(format!("checkpoint {} is gone: {:?}", self.finished, self.found));
        }
        if !self.found.rejected.is_empty() && !ever_damaged {
            return Err(format!("nothing is damaged, but it says {:?}", self.found));
        }
        let read = self
            .checkpoints
            .as_ref()
            .and_then(|checkpoints| checkpoints.newest().transpose());
        let content = read.transpose().and_then(|reader| reader.map(read_all).transpose());
        let content = content.map_err(|error| error.to_string())?;
        if content.as_ref() != self.begun.get(&newest) {
            return Err(format!("checkpoint {newest} holds {content:?}"));
        }
        tally.rejected += self.found.rejected.len() as u64;
        self.finished = newest;
        Ok(())
    }

    /// What the newest covers.
    pub(super) fn position(&self) -> Sequence {
        let content = self.begun.get(&self.finished);
        content.map_or(Sequence::START, |content| content.position)
    }

    /// What the older of two covers: neither of them needs that any more.
    pub(super) fn may_trim(&self) -> Option<Sequence> {
        let kept = self.checkpoints.as_ref().map(Checkpoints::kept)?;
        match kept {
            [older, _] => self.begun.get(older).map(|content| content.position),
            _ => None,
        }
    }

    /// Writes one, and says whether it is there.
    pub(super) fn write(
        &mut self,
        random: &mut Random,
        position: Sequence,
        disk_is_good: bool,
    ) -> Result<bool, Broken> {
        let Some(checkpoints) = &mut self.checkpoints else {
            return Ok(false);
        };
        let content = Content {
            position,
            first_id: self.last_id + 1,
            last_id: self.last_id + 1 + random.below(5) as u64,
        };
        self.last_id = content.last_id;
        let had_reserve = self.storage.size("reserve").is_ok_and(|size| size == RESERVE_BYTES);
        let written = write(checkpoints, content, &mut self.begun);
        match written {
            Ok(number) => {
                self.finished = number;
                // Space may have come back.
                let _ = checkpoints.restore_reserve();
                Ok(true)
            }
            Err(CheckpointError::Disk(_)) if !disk_is_good || self.disk.is_off() => Ok(false),
            Err(CheckpointError::Disk(error)) if error.is_disk_full() && !had_reserve => Ok(false),
            Err(error) => Err(format!(
                "a checkpoint was not written on a good disk with a reserve: {error}"
            )),
        }
    }
}

fn write(
    checkpoints: &mut Checkpoints,
    content: Content,
    begun: &mut BTreeMap<u64, Content>,
) -> Result<u64, CheckpointError> {
    let mut writer = checkpoints.begin()?;
    begun.insert(writer.number(), content);
    writer.section(POSITION, &content.position.0.to_le_bytes())?;
    for id in content.first_id..=content.last_id {
        let bytes = bytes_of(id);
        // So that the reserve is always enough.
        writer.section(STATE, &bytes[..bytes.len().min(SECTION_BYTES)])?;
    }
    Ok(writer.finish()?.0)
}

fn read_all(mut reader: CheckpointReader) -> Result<Content, CheckpointError> {
    let mut bytes = Vec::new();
    let mut content = Content {
        position: Sequence::START,
        first_id: 0,
        last_id: 0,
    };
    let mut ids = Vec::new();
    while let Some(kind) = reader.next_section(&mut bytes)? {
        if kind == POSITION {
            let number = bytes.as_slice().try_into().map_or(0, u64::from_le_bytes);
            content.position = Sequence(number);
        } else {
            ids.push(id_of_part(&bytes).unwrap_or(0));
        }
    }
    content.first_id = ids.first().copied().unwrap_or(0);
    content.last_id = ids.last().copied().unwrap_or(0);
    Ok(content)
}

fn id_of_part(bytes: &[u8]) -> Option<u64> {
    let id = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let whole = bytes_of(id);
    (id_of(&whole).is_some() && whole.starts_with(bytes)).then_some(id)
}

const POSITION: SectionKind = SectionKind::new(1).expect("1 is not 0");
const STATE: SectionKind = SectionKind::new(2).expect("2 is not 0");
const RESERVE_BYTES: u64 = 3_000;
const SECTION_BYTES: usize = 500;
