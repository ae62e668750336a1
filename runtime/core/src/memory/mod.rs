//! What steps remember of earlier rows: for each partition the last values, or what an aggregate has come to.
//!
//! Rows go through it one after the other in order of arrival, so that it does not matter where batches end. A partition is
//! there from its first row on, and stays: a row that would begin one too many is dead, and so is one whose texts there is no
//! room for. Nothing is allocated for a row of a known partition whose texts are not longer than those before.

mod snapshot;
mod step;
mod store;

pub(crate) use step::{Backup, Conditions, Remembering, Task};

use crate::aggregate::{CompensatedSum, IntSum};
use crate::at::At;
use crate::groups::{GroupBy, Groups};
use crate::shared::NONE;
use crate::{Cells, Column, Fault, HashSeed};
use rulemill_plan::{Accumulation, Type};
use store::{Store, push_text, push_word};

/// What one step remembers.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    partitions: Groups,
    /// For each partition: how many values it has taken.
    counts: Vec<u64>,
    /// For each partition: whether the condition that begins it has been true.
    running: Vec<bool>,
    /// For each partition, of sums and averages.
    sums: Vec<[u64; 2]>,
    /// One for each column of the value; each partition has the same number of places in it.
    stores: Vec<Store>,
    /// How many bytes the texts in the stores have.
    bytes: usize,
    /// Memory to use.
    hashes: Vec<u64>,
    of_rows: Vec<u32>,
}

/// The columns of a step, each with a cell for each row.
pub(crate) struct Given<'a> {
    pub(crate) rows: usize,
    pub(crate) values: Vec<&'a Column>,
    pub(crate) defaults: Vec<Option<&'a Column>>,
    pub(crate) partition: Vec<&'a Column>,
    pub(crate) conditions: Conditions<&'a Column>,
}

/// What came out.
pub(crate) struct Recalled {
    pub(crate) columns: Vec<Column>,
    /// Rows that could not be remembered, ascending.
    pub(crate) dead: Vec<(u32, Fault, String)>,
}

/// A row that goes through.
#[derive(Clone, Copy)]
struct Row {
    row: usize,
    /// `None`: there is no room for its partition.
    partition: Option<usize>,
    /// Whether it is remembered.
    counts: bool,
}

/// Why a row is dead.
type Refused = (Fault, String);

impl Memory {
    pub(crate) fn new(step: &Remembering, seed: &HashSeed) -> Self {
        Memory {
            partitions: Groups::new(&step.partition_kinds, GroupBy::Key, seed),
            counts: Vec::new(),
            running: Vec::new(),
            sums: Vec::new(),
            stores: step.stored().map(Store::new).collect(),
            bytes: 0,
            hashes: Vec::new(),
            of_rows: Vec::new(),
        }
    }

    /// Whether it has had no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.len() == 0
    }

    /// Takes rows, and gives what each of them recalls.
    pub(crate) fn recall(&mut self, step: &Remembering, given: &Given<'_>) -> Recalled {
        self.assign(step, given);
        let mut recalled = Recalled {
            columns: step.outputs.iter().map(|&kind| Column::empty(kind)).collect(),
            dead: Vec::new(),
        };
        for row in 0..given.rows {
            let partition = self.of_rows[row];
            let row = Row {
                row,
                partition: (partition != NONE).then_some(partition as usize),
                counts: given.conditions.when.is_none_or(|when| is_true(when, row)),
            };
            let taken = if row.counts && row.partition.is_none() {
                Err(step.too_many())
            } else {
                self.take(step, given, row, &mut recalled.columns)
            };
            if let Err((fault, reason)) = taken {
                for column in &mut recalled.columns {
                    column.truncate(row.row);
                    column.push_null();
                }
                let number = crate::isolate::row_number(row.row);
                recalled.dead.push((number, fault, reason));
            }
        }
        recalled
    }

    /// Finds the partition of each row, with room for it.
    fn assign(&mut self, step: &Remembering, given: &Given<'_>) {
        let keys: Vec<(&Column, At<'_>)> = given.partition.iter().map(|&column| (column, At::From(0))).collect();
        self.of_rows.clear();
        let admits = |partitions: usize, bytes: usize| partitions < step.partitions_max && bytes < step.bytes_max;
        self.partitions
            .assign(&keys, given.rows, admits, &mut self.hashes, &mut self.of_rows);
        self.make_room(step);
    }

    fn make_room(&mut self, step: &Remembering) {
        let partitions = self.partitions.len();
        self.counts.resize(partitions, 0);
        self.running.resize(partitions, false);
        if step.has_sums() {
            self.sums.resize(partitions, [0; 2]);
        }
        for store in &mut self.stores {
            store.resize(partitions * step.task.places());
        }
    }

    fn take(&mut self, step: &Remembering, given: &Given<'_>, row: Row, columns: &mut [Column]) -> Result<(), Refused> {
        match step.task {
            Task::Lag { rows, ignore_null } => self.lag(step, given, row, (rows, ignore_null, columns)),
            Task::Latest => self.latest(step, given, row, columns),
            Task::Changed { ignore_null } => {
                let changed = self.change(step, given, row, ignore_null)?;
                push_word(&mut columns[0], u64::from(changed));
                Ok(())
            }
            Task::Accumulate(function) => self.accumulate(step, given, row, (function, &mut columns[0])),
        }
    }

    fn lag(
        &mut self,
        step: &Remembering,
        given: &Given<'_>,
        row: Row,
        (rows, ignore_null, columns): (usize, bool, &mut [Column]),
    ) -> Result<(), Refused> {
        let count = row.partition.map_or(0, |partition| self.counts[partition]);
        // The place of the oldest value is that of the next one.
        let turn = usize::try_from(count % rows as u64).unwrap_or_default();
        let place = row.partition.map_or(0, |partition| partition * rows + turn);
        let known = count >= rows as u64;
        self.give(step, given, (row.row, place), known, columns);
        if row.counts && !(ignore_null && given.is_null(row.row)) {
            self.store(step, given, row.row, place)?;
            self.count(row);
        }
        Ok(())
    }

    fn latest(
        &mut self,
        step: &Remembering,
        given: &Given<'_>,
        row: Row,
        columns: &mut [Column],
    ) -> Result<(), Refused> {
        let place = row.partition.unwrap_or_default();
        if row.counts && !given.is_null(row.row) {
            self.store(step, given, row.row, place)?;
            self.count(row);
        }
        let known = row.partition.is_some_and(|partition| self.counts[partition] > 0);
        self.give(step, given, (row.row, place), known, columns);
        Ok(())
    }

    /// Whether the value has changed.
    fn change(&mut self, step: &Remembering, given: &Given<'_>, row: Row, ignore_null: bool) -> Result<bool, Refused> {
        let Some(place) = row.partition.filter(|_| row.counts) else {
            return Ok(false);
        };
        if ignore_null && given.is_null(row.row) {
            return Ok(false);
        }
        let mut held = self.stores.iter().zip(&given.values);
        if held.all(|(store, value)| store.is(place, value, row.row)) {
            return Ok(false);
        }
        self.store(step, given, row.row, place)?;
        self.count(row);
        Ok(true)
    }

    fn accumulate(
        &mut self,
        step: &Remembering,
        given: &Given<'_>,
        row: Row,
        (function, column): (Accumulation, &mut Column),
    ) -> Result<(), Refused> {
        let Some(partition) = row.partition else {
            self.come_to(step, function, None, column);
            return Ok(());
        };
        let condition = |column: Option<&Column>| column.is_some_and(|column| is_true(column, row.row));
        let conditions = given.conditions;
        let runs = conditions.begin.is_none() || self.running[partition] || condition(conditions.begin);
        if !row.counts || !runs {
            self.come_to(step, function, Some(partition), column);
            return Ok(());
        }
        if !given.is_null(row.row) {
            self.add(step, given, (partition, row.row), function)?;
            self.count(row);
        }
        self.running[partition] = conditions.begin.is_some();
        self.come_to(step, function, Some(partition), column);
        if condition(conditions.reset) {
            self.begin_anew(partition);
        }
        Ok(())
    }

    /// Adds a value to what an aggregate has come to.
    fn add(
        &mut self,
        step: &Remembering,
        given: &Given<'_>,
        (partition, row): (usize, usize),
        function: Accumulation,
    ) -> Result<(), Refused> {
        let value = given.values[0];
        match (function, &value.cells) {
            (Accumulation::Count, _) => {}
            (Accumulation::Sum | Accumulation::Avg, Cells::Ints(values)) => {
                let sum = IntSum(self.sums[partition]).with(values[row]);
                if function == Accumulation::Sum && sum.as_int().is_none() {
                    let reason = format!("the sum {} does not fit an int of 64 bits", sum.whole());
                    return Err((Fault::Row, reason));
                }
                self.sums[partition] = sum.0;
            }
            (Accumulation::Sum | Accumulation::Avg, Cells::Floats(values)) => {
                self.sums[partition] = CompensatedSum(self.sums[partition]).with(values[row]).0;
            }
            (Accumulation::Sum | Accumulation::Avg, _) => unreachable!("compile checks that a sum is of numbers"),
            (Accumulation::Min | Accumulation::Max, _) => {
                let largest = function == Accumulation::Max;
                if self.counts[partition] == 0 || self.stores[0].is_beyond(partition, (value, row), largest) {
                    self.store(step, given, row, partition)?;
                }
            }
        }
        Ok(())
    }

    /// Appends what an aggregate has come to.
    #[expect(clippy::cast_precision_loss, reason = "more than 2^53 rows do not come")]
    fn come_to(&self, step: &Remembering, function: Accumulation, partition: Option<usize>, column: &mut Column) {
        let count = partition.map_or(0, |partition| self.counts[partition]);
        let sum = partition.and_then(|partition| self.sums.get(partition)).copied();
        let (sum, kind) = (sum.unwrap_or_default(), column.kind());
        match function {
            Accumulation::Count => push_word(column, count),
            Accumulation::Sum if kind == Type::Int => {
                let sum = IntSum(sum).as_int().unwrap_or_default();
                push_word(column, sum.cast_unsigned());
            }
            Accumulation::Sum => push_word(column, CompensatedSum(sum).total().to_bits()),
            Accumulation::Avg if count == 0 => push_word(column, 0.0_f64.to_bits()),
            Accumulation::Avg => {
                let total = match step.kinds.first() == Some(&Type::Int) {
                    true => IntSum(sum).whole() as f64,
                    false => CompensatedSum(sum).total(),
                };
                push_word(column, (total / count as f64).to_bits());
            }
            Accumulation::Min | Accumulation::Max => match partition.filter(|_| count > 0) {
                Some(place) => self.stores[0].push_to(place, column),
                None => column.push_null(),
            },
        }
    }

    fn begin_anew(&mut self, partition: usize) {
        self.counts[partition] = 0;
        self.running[partition] = false;
        if let Some(sum) = self.sums.get_mut(partition) {
            *sum = [0; 2];
        }
        if let Some(store) = self.stores.first_mut().filter(|store| store.len() > partition) {
            self.bytes -= store.bytes_at(partition);
            store.clear(partition);
        }
    }

    /// Appends what is in a place, or the defaults.
    fn give(
        &self,
        step: &Remembering,
        given: &Given<'_>,
        (row, place): (usize, usize),
        known: bool,
        columns: &mut [Column],
    ) {
        for (position, column) in columns.iter_mut().enumerate() {
            if known {
                self.stores[position].push_to(place, column);
                continue;
            }
            match step.defaults.get(position) {
                None | Some(Backup::Null) => column.push_null(),
                Some(Backup::Word(word)) => push_word(column, *word),
                Some(Backup::Text(text)) => push_text(column, text),
                Some(Backup::Column(_)) => match given.defaults.get(position).copied().flatten() {
                    Some(default) => column.push_from(default, row),
                    None => column.push_null(),
                },
            }
        }
    }

    /// Puts the value of a row into a place, if there is room.
    fn store(&mut self, step: &Remembering, given: &Given<'_>, row: usize, place: usize) -> Result<(), Refused> {
        let old: usize = self.stores.iter().map(|store| store.bytes_at(place)).sum();
        let new: usize = given.values.iter().map(|value| bytes_of(value, row)).sum();
        let bytes = self.bytes - old + new;
        if new > old && bytes + self.partitions.bytes() > step.bytes_max {
            let max = step.bytes_max;
            let reason = format!("the texts that it remembers would have more than the {max} bytes that they may have");
            return Err((Fault::Bound, reason));
        }
        self.bytes = bytes;
        for (store, value) in self.stores.iter_mut().zip(&given.values) {
            store.set(place, value, row);
        }
        Ok(())
    }

    fn count(&mut self, row: Row) {
        if let Some(partition) = row.partition {
            self.counts[partition] += 1;
        }
    }
}

impl Given<'_> {
    /// Whether the value of a row is null.
    fn is_null(&self, row: usize) -> bool {
        self.values.iter().all(|value| value.is_null(row))
    }
}

impl Remembering {
    /// The types of what is kept of each row.
    fn stored(&self) -> impl Iterator<Item = Type> {
        let kinds = self.kinds.iter().copied();
        kinds.filter(|_| self.task.places() > 0)
    }

    fn has_sums(&self) -> bool {
        match self.task {
            Task::Accumulate(Accumulation::Sum | Accumulation::Avg) => true,
            Task::Accumulate(Accumulation::Count | Accumulation::Min | Accumulation::Max)
            | Task::Lag { .. }
            | Task::Latest
            | Task::Changed { .. } => false,
        }
    }

    fn too_many(&self) -> Refused {
        let (partitions, bytes) = (self.partitions_max, self.bytes_max);
        let reason =
            format!("there is no room for another partition: {partitions} are the most, with {bytes} bytes of texts");
        (Fault::Bound, reason)
    }
}

fn is_true(column: &Column, row: usize) -> bool {
    match &column.cells {
        Cells::Bools(bits) => !column.is_null(row) && bits.get(row),
        other => unreachable!("a condition of type {}: compile checks it", other.kind()),
    }
}

fn bytes_of(column: &Column, row: usize) -> usize {
    if column.is_null(row) {
        0
    } else {
        column.text_bytes_of(row)
    }
}
