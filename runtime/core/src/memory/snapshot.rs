//! A memory as bytes, and back.

use super::{Memory, Remembering};
use crate::HashSeed;
use crate::groups::{GroupBy, Groups};
use crate::snapshot::{SnapshotError, Source, Writer, number_of};

impl Memory {
    pub(crate) fn write(&self, to: &mut Writer) {
        self.partitions.write(to);
        to.words(self.counts.iter().copied());
        to.words(self.running.iter().map(|&running| u64::from(running)));
        to.words(self.sums.as_flattened().iter().copied());
        for store in &self.stores {
            store.write(to);
        }
    }

    pub(crate) fn read(step: &Remembering, seed: &HashSeed, from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        let mut memory = Memory::new(step, seed);
        memory.partitions = Groups::read(&step.partition_kinds, GroupBy::Key, seed, from)?;
        let partitions = memory.partitions.len();
        memory.counts = from.words()?;
        memory.running = from.words()?.into_iter().map(|running| running != 0).collect();
        let sums = from.words()?;
        memory.sums = sums.as_chunks::<2>().0.to_vec();
        let expected = if step.has_sums() { partitions * 2 } else { 0 };
        if memory.counts.len() != partitions || memory.running.len() != partitions || sums.len() != expected {
            return Err(SnapshotError::Damaged("a memory of another length"));
        }
        let places = partitions * step.task.places();
        for (store, kind) in memory.stores.iter_mut().zip(step.stored()) {
            *store = super::Store::read(kind, places, from)?;
            memory.bytes += (0..places).map(|place| store.bytes_at(place)).sum::<usize>();
        }
        Ok(memory)
    }
}

impl Remembering {
    /// What its state looks like, as bytes to be compared.
    pub(crate) fn write_shape(&self, to: &mut Writer) {
        to.u8(REMEMBERING);
        to.u8(self.task.number());
        to.count(self.task.places());
        for kinds in [&self.kinds, &self.partition_kinds] {
            let kinds: Vec<u8> = kinds.iter().map(|&kind| number_of(kind)).collect();
            to.bytes(&kinds);
        }
    }
}

/// Stands before a memory in the shape of a state. No kind of window has this number.
const REMEMBERING: u8 = 254;
