//! The number of distinct values, exact.

use super::{FailedGroup, Given, OTHER_GROUPS, Room, read_failed};
use crate::groups::key_bits;
use crate::isolate::row_number;
use crate::snapshot::{SnapshotError, Source, Writer};
use crate::{Cells, Column, Fault, HashSeed};
use hashbrown::HashTable;
use std::collections::BTreeSet;
use std::ops::Range;

/// The values seen, each with its group, and how many each group has.
#[derive(Clone, Debug)]
pub(crate) struct Distinct {
    seed: HashSeed,
    counts: Vec<u64>,
    fixed: HashTable<(u32, u64)>,
    texts: HashTable<(u32, Box<[u8]>)>,
    /// Groups that have a value for which there was no room.
    failed: BTreeSet<u32>,
}

impl Distinct {
    pub(super) fn new(seed: &HashSeed) -> Self {
        Distinct {
            seed: seed.clone(),
            counts: Vec::new(),
            fixed: HashTable::new(),
            texts: HashTable::new(),
            failed: BTreeSet::new(),
        }
    }

    /// Leaves no groups. The memory of the values goes: the next window may have fewer.
    pub(super) fn clear(&mut self) {
        *self = Distinct::new(&self.seed);
    }

    pub(super) fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    /// In an order of its own, as that of the tables depends on the seed.
    pub(super) fn write(&self, to: &mut Writer) {
        to.count(self.counts.len());
        let mut fixed: Vec<&(u32, u64)> = self.fixed.iter().collect();
        fixed.sort_unstable();
        to.count(fixed.len());
        for &&(group, value) in &fixed {
            to.u32(group);
            to.u64(value);
        }
        let mut texts: Vec<&(u32, Box<[u8]>)> = self.texts.iter().collect();
        texts.sort_unstable();
        to.count(texts.len());
        for (group, value) in texts {
            to.u32(*group);
            to.bytes(value);
        }
        to.count(self.failed.len());
        for &group in &self.failed {
            to.u32(group);
        }
    }

    pub(super) fn read(seed: &HashSeed, groups: usize, from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        let mut distinct = Distinct::new(seed);
        if from.u32()? as usize != groups {
            return Err(OTHER_GROUPS);
        }
        distinct.counts = vec![0; groups];
        let (start, mixer) = (seed.start(), seed.mixer());
        let hash = |&(group, value): &(u32, u64)| mixer.mixed(mixer.mixed(start, group.into()), value);
        for _ in 0..from.count()? {
            let entry = (from.u32()?, from.u64()?);
            *distinct.counts.get_mut(entry.0 as usize).ok_or(OTHER_GROUPS)? += 1;
            distinct.fixed.insert_unique(hash(&entry), entry, hash);
        }
        let hash = |known: &(u32, Box<[u8]>)| mixer.mixed(mixer.mixed(start, known.0.into()), seed.bytes(&known.1));
        for _ in 0..from.count()? {
            let entry: (u32, Box<[u8]>) = (from.u32()?, from.bytes()?.into());
            *distinct.counts.get_mut(entry.0 as usize).ok_or(OTHER_GROUPS)? += 1;
            distinct.texts.insert_unique(hash(&entry), entry, hash);
        }
        distinct.failed = read_failed(groups, from)?;
        Ok(distinct)
    }

    pub(super) fn update(&mut self, given: Given<'_>, room: &mut Room) {
        match &given.column.cells {
            Cells::Bools(bits) => self.add_fixed(given, room, |cell| u64::from(bits.get(cell))),
            Cells::Ints(values) | Cells::Times(values) => {
                self.add_fixed(given, room, |cell| values[cell].cast_unsigned());
            }
            Cells::Floats(values) => self.add_fixed(given, room, |cell| key_bits(values[cell])),
            Cells::Texts(texts) | Cells::Json(texts) => self.add_texts(given, room, |cell| texts.get(cell).as_bytes()),
            Cells::Bytes(blobs) => self.add_texts(given, room, |cell| blobs.get(cell)),
        }
    }

    #[inline]
    fn add_fixed(&mut self, given: Given<'_>, room: &Room, value: impl Fn(usize) -> u64) {
        let (start, mixer) = (self.seed.start(), self.seed.mixer());
        // The group and the value are brought in one after the other: together, one could cancel the other.
        let hash = |&(group, value): &(u32, u64)| mixer.mixed(mixer.mixed(start, group.into()), value);
        given.for_values(|group, cell| {
            let entry = (row_number(group), value(cell));
            if self.fixed.find(hash(&entry), |known| *known == entry).is_some() {
                return;
            }
            if self.fixed.len() >= room.distinct {
                self.failed.insert(entry.0);
                return;
            }
            self.fixed.insert_unique(hash(&entry), entry, hash);
            self.counts[group] += 1;
        });
    }

    #[inline]
    fn add_texts<'v>(&mut self, given: Given<'_>, room: &mut Room, value: impl Fn(usize) -> &'v [u8]) {
        let seed = self.seed.clone();
        let mixer = seed.mixer();
        let hash_of =
            |group: u32, value: &[u8]| mixer.mixed(mixer.mixed(seed.start(), group.into()), seed.bytes(value));
        given.for_values(|group, cell| {
            let (number, value) = (row_number(group), value(cell));
            let hash = hash_of(number, value);
            let known = self.texts.find(hash, |known| known.0 == number && *known.1 == *value);
            if known.is_some() {
                return;
            }
            if self.texts.len() >= room.distinct || room.bytes < value.len() {
                self.failed.insert(number);
                return;
            }
            room.bytes -= value.len();
            self.texts
                .insert_unique(hash, (number, value.into()), |known| hash_of(known.0, &known.1));
            self.counts[group] += 1;
        });
    }

    /// The numbers of a range of groups. Groups without one for want of room are noted, counted from its start.
    pub(super) fn finish(&self, groups: Range<usize>, failed: &mut Vec<FailedGroup>) -> Column {
        let (start, end) = (row_number(groups.start), row_number(groups.end));
        failed.extend(self.failed.range(start..end).map(|group| FailedGroup {
            group: group - start,
            fault: Fault::Bound,
            message: "it has more distinct values than a window may remember".to_owned(),
        }));
        let counts = self.counts[groups].iter();
        let ints = counts.map(|&count| i64::try_from(count).unwrap_or(i64::MAX));
        Column::new(Cells::Ints(ints.collect()))
    }
}
