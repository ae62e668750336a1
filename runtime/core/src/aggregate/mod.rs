//! The aggregates of a window: the states of all groups, updated as rows arrive.
//!
//! No row is kept. What an update does with a column is decided once a batch, not once a cell.

mod blobs;
mod distinct;
mod layout;
mod library;
mod numbers;
mod pick;

use crate::at::{At, for_values};
use crate::program::Function;
use crate::snapshot::{SnapshotError, Source, Writer};
use crate::{Bits, Cells, Column, Fault, HashSeed};
use blobs::Blobs;
use distinct::Distinct;
use layout::Place;
pub(crate) use layout::{Operand, StateLayout, Update};
pub(crate) use library::{Accumulation, accumulate, finish as finish_library};
pub(crate) use numbers::{CompensatedSum, IntSum};
use pick::{First, Largest, Last, Smallest};
use std::ops::Range;

/// The states of all aggregates for all groups of a window.
#[derive(Clone, Debug)]
pub(crate) struct States {
    /// A row for each group, one after the other, as the layout says.
    words: Vec<u64>,
    beside: Vec<Beside>,
}

/// The states of one aggregate that does not fit into words.
#[derive(Clone, Debug)]
pub(crate) enum Beside {
    Blobs(Blobs),
    Distinct(Distinct),
    /// Words of states of a library's aggregate, one group after the other.
    Library(Vec<u64>),
}

/// What the states of a window may still grow by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Bytes of texts.
    pub(crate) bytes: usize,
    /// Values of one `count_distinct`.
    pub(crate) distinct: usize,
}

/// A group whose result cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedGroup {
    pub(crate) group: u32,
    pub(crate) fault: Fault,
    pub(crate) message: String,
}

/// The rows that an aggregate is given: the group of each, and where its argument stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) groups: &'a [u32],
    pub(crate) column: &'a Column,
    pub(crate) at: At<'a>,
}

impl Given<'_> {
    #[inline]
    fn for_values(&self, each: impl FnMut(usize, usize)) {
        for_values(self.groups, self.at, self.column.valid.as_ref(), each);
    }
}

impl States {
    /// The states of no groups.
    pub(crate) fn new(layout: &StateLayout, seed: &HashSeed) -> Self {
        let beside = layout.beside.iter().map(|function| match function {
            Function::Distinct(_) => Beside::Distinct(Distinct::new(seed)),
            Function::Library(_) => Beside::Library(Vec::new()),
            _ => Beside::Blobs(Blobs::default()),
        });
        States {
            words: Vec::new(),
            beside: beside.collect(),
        }
    }

    /// Adds states of groups without rows until there are `groups`. A library's states are added when they are known.
    #[inline]
    pub(crate) fn grow(&mut self, layout: &StateLayout, groups: usize) {
        while self.words.len() < groups * layout.width() {
            self.words.extend_from_slice(&layout.initial);
        }
        for beside in &mut self.beside {
            match beside {
                Beside::Blobs(blobs) => blobs.grow(groups),
                Beside::Distinct(distinct) => distinct.grow(groups),
                Beside::Library(_) => {}
            }
        }
    }

    /// Counts rows.
    #[inline]
    pub(crate) fn count_rows(&mut self, layout: &StateLayout, groups: &[u32]) {
        if let Some(at) = layout.rows_at {
            for &group in groups {
                self.words[group as usize * layout.width() + at] += 1;
            }
        }
    }

    /// Adds the values of rows, nulls aside. Not for a library's aggregates.
    pub(crate) fn update(&mut self, layout: &StateLayout, update: Update, given: Given<'_>, room: &mut Room) {
        let rows = Rows {
            words: &mut self.words,
            width: layout.width(),
        };
        match update {
            Update::Count { at } => rows.count(at, given),
            Update::SumInts { at } => rows.sum_ints(at, given),
            Update::SumFloats { at } => rows.sum_floats(at, given),
            Update::Moments { at } => rows.moments(at, given),
            Update::Smallest { at } => rows.pick(at, given, Smallest),
            Update::Largest { at } => rows.pick(at, given, Largest),
            Update::Last { at } => rows.pick(at, given, Last),
            Update::First { at } => rows.first(at, given),
            Update::Beside { at } => match (&mut self.beside[at], &layout.beside[at]) {
                (Beside::Distinct(distinct), _) => distinct.update(given, room),
                (Beside::Blobs(blobs), Function::Extreme { largest: true, .. }) => blobs.update(given, room, Largest),
                (Beside::Blobs(blobs), Function::Extreme { largest: false, .. }) => blobs.update(given, room, Smallest),
                (Beside::Blobs(blobs), Function::Edge { last: true, .. }) => blobs.update(given, room, Last),
                (Beside::Blobs(blobs), _) => blobs.update(given, room, First),
                (Beside::Library(_), _) => {}
            },
        }
    }

    /// The states of the aggregate of that number, if it is a library's.
    pub(crate) fn library(&self, layout: &StateLayout, number: usize) -> Option<&[u64]> {
        match self.beside.get(layout.beside_of(number)?)? {
            Beside::Library(states) => Some(states),
            Beside::Blobs(_) | Beside::Distinct(_) => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn library_mut(&mut self, layout: &StateLayout, number: usize) -> Option<&mut Vec<u64>> {
        match self.beside.get_mut(layout.beside_of(number)?)? {
            Beside::Library(states) => Some(states),
            Beside::Blobs(_) | Beside::Distinct(_) => None,
        }
    }

    /// The results of the aggregate of that number for a range of groups, and the groups that have none, counted from
    /// the start of the range. Not for a library's aggregates.
    pub(crate) fn finish(
        &self,
        layout: &StateLayout,
        (number, function): (usize, &Function),
        groups: Range<usize>,
        failed: &mut Vec<FailedGroup>,
    ) -> Column {
        let results = Results {
            words: &self.words,
            width: layout.width(),
            groups: groups.clone(),
        };
        match (layout.places[number], function) {
            (Place::Count { at }, _) => results.counts(at),
            (Place::SumInts { at, count }, Function::Sum(_)) => results.int_sums(at, count, failed),
            (Place::SumInts { at, count }, _) => results.int_averages(at, count),
            (Place::SumFloats { at, count }, Function::Sum(_)) => results.float_sums(at, count),
            (Place::SumFloats { at, count }, _) => results.float_averages(at, count),
            (Place::Moments { at }, Function::Spread { root, sample, .. }) => results.spreads(at, *root, *sample),
            (Place::Value { at, count }, Function::Extreme { kind, .. } | Function::Edge { kind, .. }) => {
                results.values(at, count, *kind)
            }
            (Place::Beside { at }, function) => match (&self.beside[at], function) {
                (Beside::Blobs(blobs), Function::Extreme { kind, .. } | Function::Edge { kind, .. }) => {
                    blobs.finish(*kind, groups, failed)
                }
                (Beside::Distinct(distinct), _) => distinct.finish(groups, failed),
                (Beside::Blobs(_) | Beside::Library(_), _) => {
                    unreachable!("states are those of their function; a library's are finished by its guest")
                }
            },
            (Place::Moments { .. } | Place::Value { .. }, _) => unreachable!("places are those of their function"),
        }
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.words(self.words.iter().copied());
        for beside in &self.beside {
            match beside {
                Beside::Blobs(blobs) => blobs.write(to),
                Beside::Distinct(distinct) => distinct.write(to),
                Beside::Library(states) => to.words(states.iter().copied()),
            }
        }
    }

    /// The states of so many groups.
    pub(crate) fn read(
        layout: &StateLayout,
        seed: &HashSeed,
        groups: usize,
        from: &mut Source<'_>,
    ) -> Result<Self, SnapshotError> {
        let mut states = States::new(layout, seed);
        states.words = from.words()?;
        if states.words.len() != groups * layout.width() {
            return Err(OTHER_GROUPS);
        }
        for (beside, function) in states.beside.iter_mut().zip(&layout.beside) {
            match (beside, function) {
                (Beside::Blobs(blobs), _) => *blobs = Blobs::read(groups, from)?,
                (Beside::Distinct(distinct), _) => *distinct = Distinct::read(seed, groups, from)?,
                (Beside::Library(states), Function::Library(bound)) => {
                    *states = from.words()?;
                    if states.len() != groups * bound.state_words as usize {
                        return Err(OTHER_GROUPS);
                    }
                }
                (Beside::Library(_), _) => unreachable!("states are those of their function"),
            }
        }
        Ok(states)
    }

    /// Leaves no groups, and keeps the memory of the rows.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        for beside in &mut self.beside {
            match beside {
                Beside::Blobs(blobs) => *blobs = Blobs::default(),
                Beside::Distinct(distinct) => distinct.clear(),
                Beside::Library(states) => states.clear(),
            }
        }
    }
}

/// What stands beside the words of a layout, by numbers that stay.
pub(crate) fn shape_beside(layout: &StateLayout) -> impl Iterator<Item = u8> {
    layout.beside.iter().map(|function| match function {
        Function::Distinct(_) => 1,
        Function::Library(_) => 2,
        _ => 0,
    })
}

/// Reads which groups failed.
fn read_failed(groups: usize, from: &mut Source<'_>) -> Result<std::collections::BTreeSet<u32>, SnapshotError> {
    let count = from.count()?;
    let failed: std::collections::BTreeSet<u32> = (0..count).map(|_| from.u32()).collect::<Result<_, _>>()?;
    match failed.last() {
        Some(&last) if last as usize >= groups => Err(OTHER_GROUPS),
        _ => Ok(failed),
    }
}

const OTHER_GROUPS: SnapshotError = SnapshotError::Damaged("states of another number of groups");

/// The rows of words, to be updated.
struct Rows<'a> {
    words: &'a mut [u64],
    width: usize,
}

/// The rows of words of some groups, to be read.
struct Results<'a> {
    words: &'a [u64],
    width: usize,
    groups: Range<usize>,
}

impl Rows<'_> {
    /// Calls `each` with the words of a state, and the cell of each value.
    #[inline]
    fn for_values<const WORDS: usize>(
        self,
        at: usize,
        given: Given<'_>,
        mut each: impl FnMut(&mut [u64; WORDS], usize),
    ) {
        given.for_values(|group, cell| {
            let start = group * self.width + at;
            if let Some(state) = self.words[start..].first_chunk_mut() {
                each(state, cell);
            }
        });
    }

    fn count(self, at: usize, given: Given<'_>) {
        self.for_values(at, given, |[count], _| *count += 1);
    }
}

impl Results<'_> {
    /// The words of a state of each group.
    #[inline]
    fn states<const WORDS: usize>(&self, at: usize) -> impl Iterator<Item = [u64; WORDS]> {
        self.groups.clone().map(move |group| {
            let start = group * self.width + at;
            *self.words[start..]
                .first_chunk()
                .expect("a row has the words of its layout")
        })
    }

    fn counts(&self, at: usize) -> Column {
        let counts = self.states(at).map(|[count]| i64::try_from(count).unwrap_or(i64::MAX));
        Column::new(Cells::Ints(counts.collect()))
    }

    /// The bits of the groups that have a value; `None` if all have.
    fn with_value(&self, count: usize, least: u64) -> Option<Bits> {
        let bits: Bits = self.states(count).map(|[count]| count >= least).collect();
        (bits.count_ones() < bits.len()).then_some(bits)
    }
}
