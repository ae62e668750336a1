//! The checkpoints of a directory: which there are, which is the newest that can be used, which go.

use super::error::CheckpointError;
use super::names::{self, Name};
use super::read::CheckpointReader;
use super::reserve::Reserve;
use super::write::CheckpointWriter;
use crate::storage::Storage;
use std::sync::Arc;

/// The checkpoints in a directory. It belongs to one process, which must hold the lock of the storage.
#[derive(Debug)]
pub struct Checkpoints {
    pub(super) storage: Arc<dyn Storage>,
    /// Those that can be used, from old to new; at most two.
    pub(super) kept: Vec<u64>,
    pub(super) next: u64,
    pub(super) reserve: Reserve,
}

/// What was found in the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The newest checkpoint that can be used.
    pub newest: Option<u64>,
    /// Those that cannot, from new to old. What they covered is replayed from further back, if that is still there.
    pub rejected: Vec<Rejected>,
    /// Files that are not checkpoints; they were left alone.
    pub foreign: Vec<String>,
}

/// A checkpoint that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// What it is called now.
    pub file: String,
    /// What is wrong.
    pub reason: String,
}

impl Checkpoints {
    /// Looks through the directory. What is damaged is renamed aside; what is older than two that can be used is removed.
    /// `reserve_bytes` are to be kept free for a checkpoint: see [`Checkpoints::restore_reserve`].
    pub fn open(storage: Arc<dyn Storage>, reserve_bytes: u64) -> Result<(Self, Found), CheckpointError> {
        let listed = storage.list();
        let mut names = listed.map_err(CheckpointError::disk("the directory", "listed"))?;
        names.sort();
        let mut numbers = Vec::new();
        let mut found = Found::default();
        let mut highest = 0;
        for name in &names {
            match Name::parse(name) {
                Name::Checkpoint(number) => {
                    numbers.push(number);
                    highest = highest.max(number);
                }
                Name::Damaged(number) => highest = highest.max(number),
                Name::Unfinished | Name::Reserve => {}
                Name::Foreign => found.foreign.push(name.clone()),
            }
        }
        let (kept, damaged) = sort_out(storage.as_ref(), &numbers, &mut found)?;
        let mut checkpoints = Checkpoints {
            reserve: Reserve::find(storage.as_ref(), reserve_bytes),
            storage,
            kept,
            next: highest.saturating_add(1),
        };
        checkpoints.put_aside(&damaged)?;
        checkpoints.tidy()?;
        found.newest = checkpoints.kept.last().copied();
        Ok((checkpoints, found))
    }

    /// The newest checkpoint; `None` when there is none.
    pub fn newest(&self) -> Result<Option<CheckpointReader>, CheckpointError> {
        let newest = self.kept.last();
        let open = |number: &u64| CheckpointReader::open(self.storage.as_ref(), &names::checkpoint(*number), *number);
        newest.map(open).transpose()
    }

    /// The numbers of those that are kept, from old to new. What the oldest of them needs must not be trimmed.
    pub fn kept(&self) -> &[u64] {
        &self.kept
    }

    /// Begins the next one. Until it is finished, the ones before count.
    pub fn begin(&mut self) -> Result<CheckpointWriter<'_>, CheckpointError> {
        CheckpointWriter::begin(self)
    }

    /// Takes space on the disk, to be given up when it is full; false when the disk has none to spare. A journal on a full disk
    /// can only shrink after a checkpoint, and that needs space. To be called at the start, and after a checkpoint.
    pub fn restore_reserve(&mut self) -> Result<bool, CheckpointError> {
        self.reserve.restore(self.storage.as_ref())
    }

    /// Gives the reserve up, and says whether there was one. A checkpoint does it by itself.
    pub fn give_up_reserve(&mut self) -> bool {
        self.reserve.give_up(self.storage.as_ref())
    }

    /// A new checkpoint is there for good: what is older than the two newest goes.
    pub(super) fn finished(&mut self, number: u64) -> Result<(), CheckpointError> {
        self.kept.push(number);
        while self.kept.len() > KEPT {
            self.kept.remove(0);
        }
        self.tidy()
    }

    fn put_aside(&mut self, damaged: &[u64]) -> Result<(), CheckpointError> {
        for number in damaged {
            let name = names::checkpoint(*number);
            let renamed = self.storage.rename(&name, &names::damaged(*number));
            renamed.map_err(CheckpointError::disk(&name, "renamed"))?;
        }
        let synced = self.storage.sync_directory();
        synced.map_err(CheckpointError::disk("the directory", "synced"))
    }

    /// Removes what is not needed: what was never finished, what is older than those that are kept, and damaged ones beyond a few.
    fn tidy(&mut self) -> Result<(), CheckpointError> {
        let listed = self.storage.list();
        let mut names = listed.map_err(CheckpointError::disk("the directory", "listed"))?;
        names.sort();
        let damaged = names
            .iter()
            .filter(|name| matches!(Name::parse(name), Name::Damaged(_)));
        let mut damaged_too_many = damaged.count().saturating_sub(DAMAGED_MAX);
        let oldest = if self.kept.len() < KEPT { 0 } else { self.kept[0] };
        for name in names {
            let goes = match Name::parse(&name) {
                Name::Checkpoint(number) => number < oldest,
                Name::Unfinished => true,
                Name::Damaged(_) if damaged_too_many > 0 => {
                    damaged_too_many -= 1;
                    true
                }
                Name::Damaged(_) | Name::Reserve | Name::Foreign => false,
            };
            if goes {
                let removed = self.storage.remove(&name);
                removed.map_err(CheckpointError::disk(&name, "removed"))?;
            }
        }
        Ok(())
    }
}

/// Which can be used, from old to new, and which are damaged. Changes nothing. What cannot be read now is neither.
fn sort_out(
    storage: &dyn Storage,
    numbers: &[u64],
    found: &mut Found,
) -> Result<(Vec<u64>, Vec<u64>), CheckpointError> {
    let (mut kept, mut damaged) = (Vec::new(), Vec::new());
    for number in numbers.iter().rev() {
        if kept.len() == KEPT {
            break;
        }
        let name = names::checkpoint(*number);
        match CheckpointReader::open(storage, &name, *number) {
            Ok(_) => kept.insert(0, *number),
            Err(error @ CheckpointError::FutureVersion { .. }) => return Err(error),
            Err(CheckpointError::Damaged { reason, .. }) => {
                damaged.push(*number);
                found.rejected.push(Rejected {
                    file: names::damaged(*number),
                    reason: reason.to_owned(),
                });
            }
            Err(error) => found.rejected.push(Rejected {
                file: name,
                reason: error.to_string(),
            }),
        }
    }
    Ok((kept, damaged))
}

const KEPT: usize = 2;
const DAMAGED_MAX: usize = 4;
