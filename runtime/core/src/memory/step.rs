//! A step that remembers, after its check.

use crate::program::Slot;
use rulemill_plan::{Accumulation, Type};

/// What a step does with rows, with every column resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Remembering {
    /// Which of the fold's memories it has.
    pub(crate) place: usize,
    pub(crate) task: Task,
    pub(crate) values: Vec<Slot>,
    pub(crate) kinds: Vec<Type>,
    /// One for each of the values, or none.
    pub(crate) defaults: Vec<Backup>,
    pub(crate) partition: Vec<Slot>,
    pub(crate) partition_kinds: Vec<Type>,
    pub(crate) conditions: Conditions<Slot>,
    pub(crate) outputs: Vec<Type>,
    pub(crate) label: String,
    /// The most partitions.
    pub(crate) partitions_max: usize,
    /// The most bytes of texts, in the columns of the partitions and in the values.
    pub(crate) bytes_max: usize,
}

/// What is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    Lag { rows: usize, ignore_null: bool },
    Latest,
    Changed { ignore_null: bool },
    Accumulate(Accumulation),
}

/// The columns that say what a row counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Conditions<C> {
    pub(crate) when: Option<C>,
    pub(crate) begin: Option<C>,
    pub(crate) reset: Option<C>,
}

impl<C: Copy> Conditions<C> {
    pub(crate) fn map<D>(self, mut each: impl FnMut(C) -> D) -> Conditions<D> {
        Conditions {
            when: self.when.map(&mut each),
            begin: self.begin.map(&mut each),
            reset: self.reset.map(&mut each),
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = C> {
        self.when.into_iter().chain(self.begin).chain(self.reset)
    }
}

/// What comes out when there is nothing to look back to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Backup {
    Null,
    /// The bits of a value of a fixed size.
    Word(u64),
    Text(String),
    Column(Slot),
}

impl Task {
    /// How many values of each column a partition has.
    pub(crate) fn places(self) -> usize {
        match self {
            Task::Lag { rows, .. } => rows,
            Task::Latest | Task::Changed { .. } => 1,
            Task::Accumulate(function) => match function {
                Accumulation::Min | Accumulation::Max => 1,
                Accumulation::Count | Accumulation::Sum | Accumulation::Avg => 0,
            },
        }
    }

    /// Stands for it in the shape of a state.
    pub(crate) fn number(self) -> u8 {
        match self {
            Task::Lag { .. } => 0,
            Task::Latest => 1,
            Task::Changed { .. } => 2,
            Task::Accumulate(function) => match function {
                Accumulation::Count => 3,
                Accumulation::Sum => 4,
                Accumulation::Avg => 5,
                Accumulation::Min => 6,
                Accumulation::Max => 7,
            },
        }
    }
}
