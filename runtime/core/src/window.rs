//! An open window: its groups, and the states of its aggregates.

use crate::aggregate::{Accumulation, FailedGroup, Given, Room, States, accumulate, finish_library};
use crate::at::At;
use crate::frame::{Env, Frame, Loss, Losses, Part};
use crate::groups::{GroupBy, Groups};
use crate::isolate::{FailedRow, row_number};
use crate::program::{FoldProgram, Function, Slot};
use crate::shared::NONE;
use crate::snapshot::{SnapshotError, Source, Writer};
use crate::{Cells, Column, Fault, Guests, HashSeed};
use std::ops::Range;

/// How often the rows of one window and batch are added again without those that a library's aggregate refused. After
/// that, the rest is refused too: a guest that refuses other rows each time is not pure.
const ROUNDS_MAX: usize = 16;

/// A window that takes rows, in microseconds: `[start, end)`.
#[derive(Clone, Debug)]
pub(crate) struct OpenWindow {
    pub(crate) start: i64,
    pub(crate) end: i64,
    groups: Groups,
    states: States,
    room: Room,
    /// How many groups the states are for.
    grown: usize,
    /// The positions in the frame that are to be added; empty between batches.
    pub(crate) pending: Vec<u32>,
}

/// Memory for the work on one batch.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    cells: Vec<Vec<u32>>,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

impl Scratch {
    /// Memory for the cells of one column.
    #[inline]
    fn first_cells(&mut self) -> &mut Vec<u32> {
        if self.cells.is_empty() {
            self.cells.push(Vec::new());
        }
        &mut self.cells[0]
    }
}

/// The rows that go into a window: those of a frame, and what is needed to read them.
#[derive(Clone, Copy)]
pub(crate) struct Intake<'a> {
    pub(crate) program: &'a FoldProgram,
    pub(crate) frame: &'a Frame,
    pub(crate) env: &'a Env<'a>,
}

fn group_by(program: &FoldProgram) -> GroupBy {
    match program.each_row {
        true => GroupBy::Row,
        false => GroupBy::Key,
    }
}

/// What rows would make of the states of the aggregate of that number.
type Pending = (usize, Accumulation);

impl OpenWindow {
    pub(crate) fn new(program: &FoldProgram, seed: &HashSeed, start: i64, end: i64) -> Self {
        OpenWindow {
            start,
            end,
            groups: Groups::new(&program.key_kinds, group_by(program), seed),
            states: States::new(&program.states, seed),
            room: room(program),
            grown: 0,
            pending: Vec::new(),
        }
    }

    /// Makes a closed window a new one without groups, and so keeps its memory.
    pub(crate) fn reopen(&mut self, program: &FoldProgram, start: i64, end: i64) {
        self.start = start;
        self.end = end;
        self.groups.clear();
        self.states.clear();
        self.room = room(program);
        self.grown = 0;
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.i64(self.start);
        to.i64(self.end);
        to.u64(self.room.bytes as u64);
        to.u64(self.room.distinct as u64);
        self.groups.write(to);
        self.states.write(to);
    }

    /// A window of this program, whose shape has been compared with what was written.
    pub(crate) fn read(program: &FoldProgram, seed: &HashSeed, from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        let (start, end) = (from.i64()?, from.i64()?);
        if start >= end {
            return Err(SnapshotError::Damaged("a window that ends before it begins"));
        }
        let room = Room {
            bytes: from.size()?,
            distinct: from.size()?,
        };
        let groups = Groups::read(&program.key_kinds, group_by(program), seed, from)?;
        let grown = groups.len();
        Ok(OpenWindow {
            start,
            end,
            states: States::read(&program.states, seed, grown, from)?,
            groups,
            room,
            grown,
            pending: Vec::new(),
        })
    }

    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Forgets which topic is which group, because the key function or the topics' numbers changed.
    pub(crate) fn forget_slots(&mut self) {
        self.groups.forget_slots();
    }

    /// Adds one row whose group is known by its topic. False: nothing has changed, and it must go the long way.
    ///
    /// Of hundreds of rules that get a lone message, each pays for its way, and most of it would be for nothing.
    #[inline]
    pub(crate) fn add_lone(&mut self, intake: &Intake<'_>, position: usize, scratch: &mut Scratch) -> bool {
        let layout = &intake.program.states;
        if !intake.program.keys_by_topic || layout.has_beside() {
            return false;
        }
        let row = intake.frame.rows()[position];
        let group = self.groups.of_slot(intake.env.shared.slots()[row as usize]);
        if group == NONE {
            return false;
        }
        let groups = &[group];
        self.states.count_rows(layout, groups);
        let cells = scratch.first_cells();
        let part = Part::Range {
            start: position,
            end: position + 1,
        };
        for (slot, updates) in layout.inputs() {
            let (column, at) = intake.frame.locate(slot, intake.env, part, cells);
            let given = Given { groups, column, at };
            for &update in updates {
                self.states.update(layout, update, given, &mut self.room);
            }
        }
        true
    }

    /// Adds rows; gives how many. The others are noted as dead.
    pub(crate) fn add(
        &mut self,
        intake: &Intake<'_>,
        part: Part<'_>,
        guests: &mut dyn Guests,
        losses: &mut Losses,
        scratch: &mut Scratch,
    ) -> usize {
        let mut chosen: Option<Vec<u32>> = None;
        for round in 0.. {
            let part = chosen.as_deref().map_or(part, Part::Each);
            let group_count = self.groups.len();
            let refused = self.assign(intake, part, scratch);
            let admitted = (!refused.is_empty()).then(|| without(part, &refused));
            let accepted = admitted.as_deref().map_or(part, Part::Each);
            let (accumulations, errors) = self.accumulate(intake, accepted, guests, scratch);
            if errors.is_empty() {
                if !refused.is_empty() {
                    let reason = self.full(intake.program);
                    note(&refused, part, intake.frame, losses, (Fault::Bound, &reason));
                }
                self.commit(intake, accepted, &accumulations, scratch);
                return accepted.len();
            }
            self.groups.truncate(group_count);
            if round + 1 == ROUNDS_MAX {
                let rest: Vec<u32> = (0..row_number(part.len())).collect();
                let why = (errors[0].blame.fault(), errors[0].message.as_str());
                note(&rest, part, intake.frame, losses, why);
                return 0;
            }
            // Errors count rows of what was accepted; from here on they count rows of the part.
            let positions: Vec<u32> = errors
                .iter()
                .map(|failed| row_number(accepted.position(failed.row as usize)))
                .collect();
            for (&position, failed) in positions.iter().zip(errors) {
                losses.dead.push(Loss {
                    row: intake.frame.rows()[position as usize],
                    fault: failed.blame.fault(),
                    reason: failed.message,
                });
            }
            let rest = (0..part.len()).map(|k| row_number(part.position(k)));
            chosen = Some(
                rest.filter(|position| positions.binary_search(position).is_err())
                    .collect(),
            );
        }
        0
    }

    /// Finds each row's group, in `scratch.groups`; gives the rows that cannot have one, which are left out there.
    fn assign(&mut self, intake: &Intake<'_>, part: Part<'_>, scratch: &mut Scratch) -> Vec<u32> {
        let Scratch { cells, hashes, groups } = scratch;
        groups.clear();
        if intake.program.keys_by_topic {
            self.assign_by_topic(intake, part, cells, hashes, groups);
        } else {
            let admits = |len: usize, bytes: usize| intake.program.admits(len, bytes);
            let keys = located(&intake.program.keys, intake, part, cells);
            self.groups.assign(&keys, part.len(), admits, hashes, groups);
        }
        // Refusals are rare, so the groups are searched for one before anything is done about them.
        if !groups.contains(&NONE) {
            return Vec::new();
        }
        let refused = (0..row_number(groups.len()))
            .filter(|&row| groups[row as usize] == NONE)
            .collect();
        groups.retain(|&group| group != NONE);
        refused
    }

    fn assign_by_topic(
        &mut self,
        intake: &Intake<'_>,
        part: Part<'_>,
        cells: &mut Vec<Vec<u32>>,
        hashes: &mut Vec<u64>,
        groups: &mut Vec<u32>,
    ) {
        let admits = |len: usize, bytes: usize| intake.program.admits(len, bytes);
        let (slots, rows) = (intake.env.shared.slots(), intake.frame.rows());
        groups.reserve(part.len());
        for k in 0..part.len() {
            let position = part.position(k);
            let slot = slots[rows[position] as usize];
            let group = self.groups.of_slot(slot);
            if group != NONE {
                groups.push(group);
                continue;
            }
            let one = Part::Range {
                start: position,
                end: position + 1,
            };
            let keys = located(&intake.program.keys, intake, one, cells);
            self.groups.assign(&keys, 1, admits, hashes, groups);
            if let Some(&group) = groups.last()
                && group != NONE
            {
                self.groups.remember_slot(slot, group);
            }
        }
    }

    /// Adds the rows to copies of the states of libraries' aggregates; gives these, and the rows refused by any.
    fn accumulate(
        &self,
        intake: &Intake<'_>,
        part: Part<'_>,
        guests: &mut dyn Guests,
        scratch: &mut Scratch,
    ) -> (Vec<Pending>, Vec<FailedRow>) {
        let mut accumulations = Vec::new();
        let mut errors: Vec<FailedRow> = Vec::new();
        if !intake.program.states.has_beside() {
            return (accumulations, errors);
        }
        for (number, aggregate) in intake.program.aggregates.iter().enumerate() {
            let Function::Library(bound) = &aggregate.function else {
                continue;
            };
            let Some(states) = self.states.library(&intake.program.states, number) else {
                continue;
            };
            let arguments: Vec<Column> = located(&aggregate.arguments, intake, part, &mut scratch.cells)
                .into_iter()
                .map(|(column, at)| gathered(column, at, part.len()))
                .collect();
            let columns: Vec<&Column> = arguments.iter().collect();
            let trapped_max = intake.program.bounds.trapped_calls_max;
            let accumulation = accumulate(guests, bound, states, &scratch.groups, &columns, trapped_max);
            errors.extend(accumulation.errors.iter().map(|failed| FailedRow {
                row: failed.row,
                message: format!("{}: {}", aggregate.label, failed.message),
                blame: failed.blame,
            }));
            accumulations.push((number, accumulation));
        }
        errors.sort_by_key(|failed| failed.row);
        errors.dedup_by_key(|failed| failed.row);
        (accumulations, errors)
    }

    fn commit(&mut self, intake: &Intake<'_>, part: Part<'_>, accumulations: &[Pending], scratch: &mut Scratch) {
        let layout = &intake.program.states;
        for (number, accumulation) in accumulations {
            if let Some(states) = self.states.library_mut(layout, *number) {
                accumulation.commit(states);
            }
        }
        if self.grown != self.groups.len() {
            self.grown = self.groups.len();
            self.states.grow(layout, self.grown);
        }
        self.states.count_rows(layout, &scratch.groups);
        scratch.first_cells();
        let Scratch { cells, groups, .. } = scratch;
        for (slot, updates) in layout.inputs() {
            let (column, at) = intake.frame.locate(slot, intake.env, part, &mut cells[0]);
            let given = Given { groups, column, at };
            for &update in updates {
                self.states.update(layout, update, given, &mut self.room);
            }
        }
    }

    /// Why a row cannot begin a group.
    fn full(&self, program: &FoldProgram) -> String {
        if self.groups.len() >= program.groups_max {
            return format!("the window has the most groups it may have, {}", program.groups_max);
        }
        format!(
            "the keys of the window have {} bytes, and {} are the most they may have",
            self.groups.bytes(),
            program.bounds.window_bytes_max
        )
    }

    /// The columns of a range of groups: keys, window start and end, aggregates; and the groups that have no result,
    /// counted from the start of the range.
    pub(crate) fn results(
        &self,
        program: &FoldProgram,
        groups: Range<usize>,
        guests: &mut dyn Guests,
        failed: &mut Vec<FailedGroup>,
    ) -> Vec<Column> {
        let mut columns = self.groups.keys(groups.clone());
        columns.push(Column::new(Cells::Times(vec![self.start; groups.len()])));
        columns.push(Column::new(Cells::Times(vec![self.end; groups.len()])));
        for (number, aggregate) in program.aggregates.iter().enumerate() {
            let start = failed.len();
            let column = match (&aggregate.function, self.states.library(&program.states, number)) {
                (Function::Library(bound), Some(states)) => {
                    let words = bound.state_words as usize;
                    let states = &states[groups.start * words..groups.end * words];
                    finish_library(guests, bound, states, failed, program.bounds.trapped_calls_max)
                }
                (function, _) => {
                    let states = &self.states;
                    states.finish(&program.states, (number, function), groups.clone(), failed)
                }
            };
            for failed in &mut failed[start..] {
                failed.message = format!("{}: {}", aggregate.label, failed.message);
            }
            columns.push(column);
        }
        columns
    }
}

fn room(program: &FoldProgram) -> Room {
    Room {
        bytes: program.bounds.window_bytes_max,
        distinct: program.bounds.distinct_max,
    }
}

/// Where the rows stand in several columns.
pub(crate) fn located<'a>(
    slots: &[Slot],
    intake: &Intake<'a>,
    part: Part<'a>,
    cells: &'a mut Vec<Vec<u32>>,
) -> Vec<(&'a Column, At<'a>)> {
    if cells.len() < slots.len() {
        cells.resize(slots.len(), Vec::new());
    }
    slots
        .iter()
        .zip(cells)
        .map(|(&slot, cells)| intake.frame.locate(slot, intake.env, part, cells))
        .collect()
}

fn gathered(column: &Column, at: At<'_>, rows: usize) -> Column {
    match at {
        At::From(0) if column.len() == rows => column.clone(),
        At::From(start) => column.slice(start..start + rows),
        At::Each(cells) => column.gather(cells),
    }
}

/// The positions of a part without some of its rows, which ascend.
fn without(part: Part<'_>, rows: &[u32]) -> Vec<u32> {
    let mut gone = rows.iter().copied().peekable();
    (0..row_number(part.len()))
        .filter(|row| gone.next_if_eq(row).is_none())
        .map(|row| row_number(part.position(row as usize)))
        .collect()
}

/// Notes rows of a part as dead.
fn note(rows: &[u32], part: Part<'_>, frame: &Frame, losses: &mut Losses, (fault, reason): (Fault, &str)) {
    for &row in rows {
        let position = part.position(row as usize);
        losses.dead.push(Loss {
            row: frame.rows()[position],
            fault,
            reason: reason.to_owned(),
        });
    }
}
