//! The aggregates of a window: one array of states for each, indexed by group, updated as rows arrive.
//!
//! No row is kept. What a state does with a column is decided once a batch, not once a cell.

mod distinct;
mod library;
mod numbers;
mod pick;

use crate::at::{At, for_values};
use crate::program::Function;
use crate::{Bits, Cells, Column, Fault, HashSeed};
use distinct::Distinct;
pub(crate) use library::{Accumulation, accumulate, finish as finish_library};
use numbers::{FloatSums, IntSums, Moments};
use pick::{Blobs, Picked, Picks};
use rulemill_plan::Type;

/// The states of one aggregate for all groups of a window.
#[derive(Debug)]
pub(crate) enum States {
    Counts(Vec<u64>),
    IntSums(IntSums),
    FloatSums(FloatSums),
    Moments(Moments),
    Ints(Picks<i64>),
    Floats(Picks<f64>),
    Bools(Picks<bool>),
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
    pub(crate) fn new(function: &Function, seed: &HashSeed) -> Self {
        match function {
            Function::CountRows | Function::CountValues => States::Counts(Vec::new()),
            Function::Sum(Type::Int) | Function::Avg(Type::Int) => States::IntSums(IntSums::default()),
            Function::Sum(_) | Function::Avg(_) => States::FloatSums(FloatSums::default()),
            Function::Spread { .. } => States::Moments(Moments::default()),
            Function::Extreme { kind, .. } | Function::Edge { kind, .. } => match kind {
                Type::Bool => States::Bools(Picks::default()),
                Type::Int | Type::Time => States::Ints(Picks::default()),
                Type::Float => States::Floats(Picks::default()),
                Type::Text | Type::Bytes | Type::Json => States::Blobs(Blobs::default()),
            },
            Function::Distinct(_) => States::Distinct(Distinct::new(seed)),
            Function::Library(_) => States::Library(Vec::new()),
        }
    }

    /// Adds states of groups without rows until there are `groups`. A library's states are added when they are known.
    pub(crate) fn grow(&mut self, groups: usize) {
        match self {
            States::Counts(counts) => counts.resize(groups, 0),
            States::IntSums(sums) => sums.grow(groups),
            States::FloatSums(sums) => sums.grow(groups),
            States::Moments(moments) => moments.grow(groups),
            States::Ints(picks) => picks.grow(groups),
            States::Floats(picks) => picks.grow(groups),
            States::Bools(picks) => picks.grow(groups),
            States::Blobs(picks) => picks.grow(groups),
            States::Distinct(distinct) => distinct.grow(groups),
            States::Library(_) => {}
        }
    }

    /// Counts rows.
    pub(crate) fn count(&mut self, groups: &[u32]) {
        if let States::Counts(counts) = self {
            for &group in groups {
                counts[group as usize] += 1;
            }
        }
    }

    /// Adds the values of rows, nulls aside. Not for a library's aggregates.
    pub(crate) fn update(&mut self, function: &Function, given: Given<'_>, room: &mut Room) {
        match (self, function) {
            (States::Counts(counts), _) => given.for_values(|group, _| counts[group] += 1),
            (States::IntSums(sums), _) => sums.update(given),
            (States::FloatSums(sums), _) => sums.update(given),
            (States::Moments(moments), _) => moments.update(given),
            (States::Distinct(distinct), _) => distinct.update(given, room),
            (States::Library(_), _) => {}
            (picks, Function::Extreme { largest: true, .. }) => picks.pick(given, room, pick::Largest),
            (picks, Function::Extreme { largest: false, .. }) => picks.pick(given, room, pick::Smallest),
            (picks, Function::Edge { last: true, .. }) => picks.pick(given, room, pick::Last),
            (picks, Function::Edge { last: false, .. }) => picks.pick(given, room, pick::First),
            (States::Ints(_) | States::Floats(_) | States::Bools(_) | States::Blobs(_), _) => {
                unreachable!("these states are made for min, max, first and last")
            }
        }
    }

    fn pick(&mut self, given: Given<'_>, room: &mut Room, pick: impl pick::Pick) {
        match (self, &given.column.cells) {
            (States::Ints(picks), Cells::Ints(values) | Cells::Times(values)) => {
                picks.update(given, |cell| values[cell], pick);
            }
            (States::Floats(picks), Cells::Floats(values)) => picks.update(given, |cell| values[cell], pick),
            (States::Bools(picks), Cells::Bools(bits)) => picks.update(given, |cell| bits.get(cell), pick),
            (States::Blobs(picks), Cells::Texts(texts) | Cells::Json(texts)) => {
                picks.update(given, |cell| texts.get(cell).as_bytes(), room, pick);
            }
            (States::Blobs(picks), Cells::Bytes(blobs)) => picks.update(given, |cell| blobs.get(cell), room, pick),
            _ => unreachable!("states have the type of their argument: compile sees to it"),
        }
    }

    /// The results of all groups, and the groups that have none. Leaves no groups, and keeps the memory where that is
    /// cheap. Not for a library's aggregates.
    pub(crate) fn finish(&mut self, function: &Function, failed: &mut Vec<FailedGroup>) -> Column {
        match (self, function) {
            (States::Counts(counts), _) => counted(counts),
            (States::IntSums(sums), Function::Sum(_)) => sums.finish_sum(failed),
            (States::IntSums(sums), _) => sums.finish_avg(),
            (States::FloatSums(sums), Function::Sum(_)) => sums.finish_sum(),
            (States::FloatSums(sums), _) => sums.finish_avg(),
            (States::Moments(moments), Function::Spread { root, sample, .. }) => moments.finish(*root, *sample),
            (States::Ints(picks), Function::Extreme { kind, .. } | Function::Edge { kind, .. }) => {
                let Picked { values, valid } = picks.finish();
                let cells = if *kind == Type::Time {
                    Cells::Times(values)
                } else {
                    Cells::Ints(values)
                };
                Column { valid, cells }
            }
            (States::Floats(picks), _) => {
                let Picked { values, valid } = picks.finish();
                Column {
                    valid,
                    cells: Cells::Floats(values),
                }
            }
            (States::Bools(picks), _) => {
                let Picked { values, valid } = picks.finish();
                Column {
                    valid,
                    cells: Cells::Bools(values.into_iter().collect()),
                }
            }
            (States::Blobs(picks), Function::Extreme { kind, .. } | Function::Edge { kind, .. }) => {
                picks.finish(*kind, failed)
            }
            (States::Distinct(distinct), _) => distinct.finish(failed),
            (States::Moments(_) | States::Ints(_) | States::Blobs(_) | States::Library(_), _) => {
                unreachable!("states are those of their function; a library's are finished by its guest")
            }
        }
    }
}

/// Counts as ints.
fn counted(counts: &mut Vec<u64>) -> Column {
    let ints = counts.drain(..).map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    Column::new(Cells::Ints(ints.collect()))
}

/// The bits of the groups that have a value; `None` if all have.
fn with_value(has_value: impl Iterator<Item = bool>) -> Option<Bits> {
    let bits: Bits = has_value.collect();
    (bits.count_ones() < bits.len()).then_some(bits)
}
