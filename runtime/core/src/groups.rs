//! The groups of a window: which key is which group. Keys are kept as columns, in order of first arrival.

use crate::at::At;
use crate::hashing::Mixer;
use crate::shared::NONE;
use crate::snapshot::{SnapshotError, Source, Writer, read_column, write_column};
use crate::{Cells, Column, HashSeed};
use hashbrown::HashTable;
use rulemill_plan::Type;
use std::ops::Range;

/// The keys of a window's groups.
///
/// Equal keys: null equals null, every NaN is one key, and -0.0 is 0.0.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    seed: HashSeed,
    by: GroupBy,
    keys: Vec<Column>,
    len: usize,
    hashes: Vec<u64>,
    table: HashTable<u32>,
    /// The group of each topic slot, for rules whose key is decided by the topic alone.
    of_slot: Vec<u32>,
    /// How many bytes the texts among the keys have.
    bytes: usize,
}

/// What makes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupBy {
    /// Equal keys.
    Key,
    /// Every row is one.
    Row,
}

/// Where the key of each row stands: one column and its cells for each part of the key.
pub(crate) type Keys<'a> = [(&'a Column, At<'a>)];

impl Groups {
    pub(crate) fn new(kinds: &[Type], by: GroupBy, seed: &HashSeed) -> Self {
        Groups {
            seed: seed.clone(),
            by,
            keys: kinds.iter().map(|&kind| Column::empty(kind)).collect(),
            len: 0,
            hashes: Vec::new(),
            table: HashTable::new(),
            of_slot: Vec::new(),
            bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The keys of a range of groups.
    pub(crate) fn keys(&self, groups: Range<usize>) -> Vec<Column> {
        self.keys.iter().map(|key| key.slice(groups.clone())).collect()
    }

    /// Leaves no groups, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        for key in &mut self.keys {
            key.clear();
        }
        self.hashes.clear();
        self.table.clear();
        self.of_slot.fill(NONE);
        self.len = 0;
        self.bytes = 0;
    }

    /// The group of a topic slot, or [`NONE`].
    #[inline]
    pub(crate) fn of_slot(&self, slot: u32) -> u32 {
        self.of_slot.get(slot as usize).copied().unwrap_or(NONE)
    }

    /// Remembers the group of a topic slot.
    pub(crate) fn remember_slot(&mut self, slot: u32, group: u32) {
        if self.of_slot.len() <= slot as usize {
            self.of_slot.resize(slot as usize + 1, NONE);
        }
        self.of_slot[slot as usize] = group;
    }

    /// Forgets which topic slot has which group.
    pub(crate) fn forget_slots(&mut self) {
        self.of_slot.clear();
    }

    /// Appends the group of each of `rows` rows; new keys begin groups while `admits` says so of the number of groups and
    /// the bytes of keys, else the row has no group ([`NONE`]). `hashes` is memory to use.
    pub(crate) fn assign(
        &mut self,
        keys: &Keys<'_>,
        rows: usize,
        admits: impl Fn(usize, usize) -> bool,
        hashes: &mut Vec<u64>,
        groups: &mut Vec<u32>,
    ) {
        if self.by == GroupBy::Row {
            self.append(rows, admits, groups);
            return;
        }
        if keys.is_empty() {
            if self.len == 0 && rows > 0 {
                self.len = 1;
            }
            groups.resize(groups.len() + rows, 0);
            return;
        }
        hash_keys(&self.seed, keys, rows, hashes);
        groups.reserve(rows);
        for (row, &hash) in hashes.iter().enumerate() {
            let known = self.table.find(hash, |&group| self.is(group, hash, keys, row));
            groups.push(match known {
                Some(&group) => group,
                None if admits(self.len, self.bytes) => self.insert(hash, keys, row),
                None => NONE,
            });
        }
    }

    /// A group for each row.
    fn append(&mut self, rows: usize, admits: impl Fn(usize, usize) -> bool, groups: &mut Vec<u32>) {
        groups.reserve(rows);
        for _ in 0..rows {
            let number = u32::try_from(self.len).ok();
            let number = number.filter(|&group| group < NONE - 1 && admits(self.len, self.bytes));
            self.len += usize::from(number.is_some());
            groups.push(number.unwrap_or(NONE));
        }
    }

    /// Removes the groups from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        for group in len..self.hashes.len() {
            if let Ok(entry) = self
                .table
                .find_entry(self.hashes[group], |&entry| entry as usize == group)
            {
                entry.remove();
            }
        }
        self.hashes.truncate(len);
        for key in &mut self.keys {
            self.bytes -= (len..self.len).map(|row| text_len(key, row)).sum::<usize>();
            key.truncate(len);
        }
        for group in &mut self.of_slot {
            if *group != NONE && *group as usize >= len {
                *group = NONE;
            }
        }
        self.len = len;
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.count(self.len);
        for key in &self.keys {
            write_column(key, to);
        }
    }

    /// Groups with keys of these types.
    pub(crate) fn read(
        kinds: &[Type],
        by: GroupBy,
        seed: &HashSeed,
        from: &mut Source<'_>,
    ) -> Result<Self, SnapshotError> {
        let mut groups = Groups::new(kinds, by, seed);
        groups.len = from.u32()? as usize;
        if groups.len >= NONE as usize || (kinds.is_empty() && by == GroupBy::Key && groups.len > 1) {
            return Err(SnapshotError::Damaged("more groups than there may be"));
        }
        for (key, &kind) in groups.keys.iter_mut().zip(kinds) {
            *key = read_column(from, groups.len)?;
            if key.kind() != kind {
                return Err(SnapshotError::Damaged("a key of another type"));
            }
            groups.bytes += (0..groups.len).map(|row| text_len(key, row)).sum::<usize>();
        }
        if !kinds.is_empty() {
            groups.index()?;
        }
        Ok(groups)
    }

    /// Makes the hashes of all keys anew.
    fn index(&mut self) -> Result<(), SnapshotError> {
        let keys: Vec<_> = self.keys.iter().map(|key| (key, At::From(0))).collect();
        hash_keys(&self.seed, &keys, self.len, &mut self.hashes);
        let hashes = &self.hashes;
        for (group, &hash) in (0..).zip(hashes) {
            let known = self.table.find(hash, |&other| {
                let same = |key| same(key, other as usize, key, group as usize);
                hashes[other as usize] == hash && self.keys.iter().all(same)
            });
            if known.is_some() {
                return Err(SnapshotError::Damaged("a key that comes twice"));
            }
            self.table.insert_unique(hash, group, |&group| hashes[group as usize]);
        }
        Ok(())
    }

    #[inline]
    fn is(&self, group: u32, hash: u64, keys: &Keys<'_>, row: usize) -> bool {
        let group = group as usize;
        self.hashes[group] == hash
            && self
                .keys
                .iter()
                .zip(keys)
                .all(|(key, (column, at))| same(key, group, column, at.cell(row)))
    }

    fn insert(&mut self, hash: u64, keys: &Keys<'_>, row: usize) -> u32 {
        let group = u32::try_from(self.len).ok().filter(|&group| group < NONE - 1);
        let group = group.expect("groups are bounded far below 2^32");
        for (key, (column, at)) in self.keys.iter_mut().zip(keys) {
            push_key(key, column, at.cell(row));
            self.bytes += text_len(key, self.len);
        }
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash, group, |&group| hashes[group as usize]);
        self.len += 1;
        group
    }
}

/// How many bytes a cell has besides those that every cell has.
pub(crate) fn text_len(column: &Column, row: usize) -> usize {
    match &column.cells {
        Cells::Texts(texts) | Cells::Json(texts) => texts.get(row).len(),
        Cells::Bytes(blobs) => blobs.get(row).len(),
        Cells::Bools(_) | Cells::Ints(_) | Cells::Floats(_) | Cells::Times(_) => 0,
    }
}

/// A float as it counts as a key: one NaN, one zero.
#[inline]
pub(crate) fn key_bits(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

fn push_key(key: &mut Column, from: &Column, cell: usize) {
    key.push_from(from, cell);
    if let Cells::Floats(values) = &mut key.cells
        && let Some(last) = values.last_mut()
    {
        *last = f64::from_bits(key_bits(*last));
    }
}

#[inline]
fn same(key: &Column, group: usize, column: &Column, cell: usize) -> bool {
    match (key.is_null(group), column.is_null(cell)) {
        (true, true) => return true,
        (false, false) => {}
        (true, false) | (false, true) => return false,
    }
    match (&key.cells, &column.cells) {
        (Cells::Texts(left), Cells::Texts(right)) | (Cells::Json(left), Cells::Json(right)) => {
            left.get(group) == right.get(cell)
        }
        (Cells::Ints(left), Cells::Ints(right)) | (Cells::Times(left), Cells::Times(right)) => {
            left[group] == right[cell]
        }
        (Cells::Floats(left), Cells::Floats(right)) => left[group].to_bits() == key_bits(right[cell]),
        (Cells::Bools(left), Cells::Bools(right)) => left.get(group) == right.get(cell),
        (Cells::Bytes(left), Cells::Bytes(right)) => left.get(group) == right.get(cell),
        _ => unreachable!("a key column has the type of its source: compile sees to it"),
    }
}

/// The hash of each row's key, column by column.
fn hash_keys(seed: &HashSeed, keys: &Keys<'_>, rows: usize, hashes: &mut Vec<u64>) {
    hashes.clear();
    hashes.resize(rows, seed.start());
    let mixer = seed.mixer();
    for (column, at) in keys {
        match &column.cells {
            Cells::Bools(bits) => hash_cells(mixer, column, *at, hashes, |cell| u64::from(bits.get(cell))),
            Cells::Ints(values) | Cells::Times(values) => {
                hash_cells(mixer, column, *at, hashes, |cell| values[cell].cast_unsigned());
            }
            Cells::Floats(values) => hash_cells(mixer, column, *at, hashes, |cell| key_bits(values[cell])),
            Cells::Texts(texts) | Cells::Json(texts) => {
                hash_cells(mixer, column, *at, hashes, |cell| {
                    seed.bytes(texts.get(cell).as_bytes())
                });
            }
            Cells::Bytes(blobs) => hash_cells(mixer, column, *at, hashes, |cell| seed.bytes(blobs.get(cell))),
        }
    }
}

#[inline]
fn hash_cells(mixer: Mixer, column: &Column, at: At<'_>, hashes: &mut [u64], value: impl Fn(usize) -> u64) {
    const NULL: u64 = 0x9e37_79b9_7f4a_7c15;
    for (row, hash) in hashes.iter_mut().enumerate() {
        let cell = at.cell(row);
        let bits = if column.is_null(cell) { NULL } else { value(cell) };
        *hash = mixer.mixed(*hash, bits);
    }
}
