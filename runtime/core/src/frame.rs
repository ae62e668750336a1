//! A frame: the rows that a rule is working on, and the columns that it has computed for them.

use crate::at::At;
use crate::isolate::{self, Computed};
use crate::memory::{Backup, Conditions, Given, Memory, Remembering};
use crate::program::{Action, Slot};
use crate::shared::{Link, Shared, View};
use crate::{Cells, Column, Fault, Guests, KernelsId, Rows};
use std::borrow::Cow;
use std::ops::Range;

/// What the actions of a frame may read besides it.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub(crate) shared: &'a Shared,
    /// Where the program's sources are.
    pub(crate) links: &'a [Link],
    /// The decoded fields of the batch.
    pub(crate) columns: &'a [Column],
    pub(crate) kernels: Option<KernelsId>,
    pub(crate) trapped_max: usize,
}

impl<'a> Env<'a> {
    pub(crate) fn view(&self, source: usize) -> View<'a> {
        self.shared.view(self.links[source], self.columns)
    }
}

/// Rows that went out of a frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses {
    /// Those that could not be processed.
    pub(crate) dead: Vec<Loss>,
    /// How many the filter left out.
    pub(crate) filtered: usize,
}

/// A row of the batch, or a group of the window, that could not be processed.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) row: u32,
    pub(crate) fault: Fault,
    pub(crate) reason: String,
}

/// The rows that a rule is working on.
///
/// Invariant: each local column has one cell for each of `rows`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Rows of the batch, ascending; or groups of a window.
    rows: Vec<u32>,
    /// The rows are 0, 1, 2, ... up to the length of the batch.
    whole: bool,
    locals: Vec<Column>,
}

/// Some of the positions in a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    Range { start: usize, end: usize },
    Each(&'a [u32]),
}

impl Part<'_> {
    pub(crate) fn len(self) -> usize {
        match self {
            Part::Range { start, end } => end - start,
            Part::Each(positions) => positions.len(),
        }
    }

    /// The position of the k-th row of the part.
    pub(crate) fn position(self, k: usize) -> usize {
        match self {
            Part::Range { start, .. } => start + k,
            Part::Each(positions) => positions[k] as usize,
        }
    }
}

impl Frame {
    /// Starts over with a range of the `rows` rows of a batch.
    pub(crate) fn restart(&mut self, range: Range<u32>, rows: usize) {
        self.whole = range.start == 0 && range.end as usize == rows;
        self.rows.clear();
        self.rows.extend(range);
        self.locals.clear();
    }

    /// Starts over with some rows of a batch, ascending.
    pub(crate) fn restart_with(&mut self, rows: impl Iterator<Item = u32>) {
        self.whole = false;
        self.rows.clear();
        self.rows.extend(rows);
        self.locals.clear();
    }

    /// A frame of the groups of a window.
    pub(crate) fn of_groups(columns: Vec<Column>, groups: u32) -> Self {
        Frame {
            rows: (0..groups).collect(),
            whole: true,
            locals: columns,
        }
    }

    /// Appends a row to a frame that reads no other columns than its own: a cell for each of them.
    pub(crate) fn push<'c>(&mut self, cells: impl Iterator<Item = (&'c Column, usize)>) {
        self.rows.push(isolate::row_number(self.rows.len()));
        for (local, (column, cell)) in self.locals.iter_mut().zip(cells) {
            local.push_from(column, cell);
        }
    }

    /// Keeps the rows at these positions only, in that order, and numbers them anew.
    pub(crate) fn repack(&mut self, positions: &[u32]) {
        for local in &mut self.locals {
            *local = local.gather(positions);
        }
        self.rows.truncate(positions.len());
    }

    /// The columns of its own.
    pub(crate) fn locals(&self) -> &[Column] {
        &self.locals
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of the batch, or the groups of the window, at each position.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Carries out actions; rows that go out of the frame are noted in `losses`.
    /// The memories are those of the steps that remember.
    pub(crate) fn apply(
        &mut self,
        actions: &[Action],
        env: &Env<'_>,
        memories: &mut [Memory],
        guests: &mut dyn Guests,
        losses: &mut Losses,
    ) {
        for action in actions {
            match action {
                Action::Check { source, label } => {
                    let errors = env.shared.errors(env.links[*source]);
                    if !errors.is_empty() {
                        let found = errors.iter();
                        let found = found.map(|failed| (failed.row, failed.blame.fault(), failed.message.as_str()));
                        self.lose_rows(found, label, losses);
                    }
                }
                Action::Call {
                    site,
                    inputs,
                    returns,
                    label,
                } => {
                    let computed = self.compute(inputs, env, &[*returns], &mut |rows| {
                        isolate::evaluate(guests, *site, *returns, rows, env.trapped_max)
                    });
                    self.extend(computed, label, losses);
                }
                Action::Kernel {
                    kernel,
                    inputs,
                    outputs,
                    label,
                } => {
                    let kernels = env
                        .kernels
                        .expect("a program with kernel steps has kernels: compile checks it");
                    let computed = self.compute(inputs, env, outputs, &mut |rows| {
                        isolate::run(guests, (kernels, *kernel), outputs, rows, env.trapped_max)
                    });
                    self.extend(computed, label, losses);
                }
                Action::Keep(slot) => self.keep(*slot, env, losses),
                Action::Remember(step) => self.remember(step, env, &mut memories[step.place], losses),
            }
        }
    }

    fn compute(
        &self,
        inputs: &[Slot],
        env: &Env<'_>,
        outputs: &[rulemill_plan::Type],
        call: &mut dyn FnMut(Rows<'_>) -> Computed,
    ) -> Computed {
        if self.is_empty() {
            return Computed {
                columns: outputs.iter().map(|&kind| Column::empty(kind)).collect(),
                errors: Vec::new(),
            };
        }
        let inputs: Vec<Cow<'_, Column>> = inputs.iter().map(|&slot| self.column(slot, env)).collect();
        let columns: Vec<&Column> = inputs.iter().map(Cow::as_ref).collect();
        call(Rows {
            rows: self.rows.len(),
            columns: &columns,
        })
    }

    /// Looks back, and appends what comes of it; rows that there is no room for go out.
    fn remember(&mut self, step: &Remembering, env: &Env<'_>, memory: &mut Memory, losses: &mut Losses) {
        let of =
            |slots: &[Slot]| -> Vec<Cow<'_, Column>> { slots.iter().map(|&slot| self.column(slot, env)).collect() };
        let (values, partition) = (of(&step.values), of(&step.partition));
        let conditions = [step.conditions.when, step.conditions.begin, step.conditions.reset];
        let conditions = conditions.map(|slot| slot.map(|slot| self.column(slot, env)));
        let defaults: Vec<Option<Cow<'_, Column>>> = step
            .defaults
            .iter()
            .map(|default| match default {
                Backup::Column(slot) => Some(self.column(*slot, env)),
                Backup::Null | Backup::Word(_) | Backup::Text(_) => None,
            })
            .collect();
        let [when, begin, reset] = &conditions;
        let given = Given {
            rows: self.rows.len(),
            values: values.iter().map(Cow::as_ref).collect(),
            defaults: defaults.iter().map(Option::as_deref).collect(),
            partition: partition.iter().map(Cow::as_ref).collect(),
            conditions: Conditions {
                when: when.as_deref(),
                begin: begin.as_deref(),
                reset: reset.as_deref(),
            },
        };
        let recalled = memory.recall(step, &given);
        self.locals.extend(recalled.columns);
        let positions: Vec<u32> = recalled.dead.iter().map(|(position, ..)| *position).collect();
        for (position, fault, reason) in recalled.dead {
            let row = self.rows[position as usize];
            let reason = format!("{}: {reason}", step.label);
            losses.dead.push(Loss { row, fault, reason });
        }
        self.remove(&positions);
    }

    /// Appends what was computed; rows with an error go out.
    fn extend(&mut self, computed: Computed, label: &str, losses: &mut Losses) {
        self.locals.extend(computed.columns);
        if computed.errors.is_empty() {
            return;
        }
        let mut positions = Vec::with_capacity(computed.errors.len());
        for failed in computed.errors {
            losses.dead.push(Loss {
                row: self.rows[failed.row as usize],
                fault: failed.blame.fault(),
                reason: format!("{label}: {}", failed.message),
            });
            positions.push(failed.row);
        }
        self.remove(&positions);
    }

    /// Takes rows out, if they are there. Rows and reasons come in ascending order of rows.
    pub(crate) fn lose_rows<'e>(
        &mut self,
        rows: impl Iterator<Item = (u32, Fault, &'e str)>,
        label: &str,
        losses: &mut Losses,
    ) {
        let mut positions = Vec::new();
        for (row, fault, message) in rows {
            if let Ok(position) = self.rows.binary_search(&row) {
                let reason = format!("{label}: {message}");
                losses.dead.push(Loss { row, fault, reason });
                positions.push(isolate::row_number(position));
            }
        }
        self.remove(&positions);
    }

    fn keep(&mut self, slot: Slot, env: &Env<'_>, losses: &mut Losses) {
        let column = self.column(slot, env);
        let Cells::Bools(bits) = &column.cells else {
            unreachable!("compile checks that the filter is a bool");
        };
        let all = bits.count_ones() == bits.len() && column.valid.is_none();
        if all {
            return;
        }
        let kept: Vec<u32> = (0..isolate::row_number(bits.len()))
            .filter(|&position| bits.get(position as usize) && !column.is_null(position as usize))
            .collect();
        losses.filtered += self.rows.len() - kept.len();
        self.select(&kept);
    }

    /// Removes the rows at these positions, which ascend.
    pub(crate) fn remove(&mut self, positions: &[u32]) {
        if positions.is_empty() {
            return;
        }
        let mut gone = positions.iter().copied().peekable();
        let kept: Vec<u32> = (0..isolate::row_number(self.rows.len()))
            .filter(|position| gone.next_if_eq(position).is_none())
            .collect();
        self.select(&kept);
    }

    /// Keeps the rows at these positions only, in that order.
    pub(crate) fn select(&mut self, positions: &[u32]) {
        self.whole = false;
        self.rows = positions.iter().map(|&position| self.rows[position as usize]).collect();
        for local in &mut self.locals {
            *local = local.gather(positions);
        }
    }

    /// A column with a cell for each row of the frame.
    pub(crate) fn column<'a>(&'a self, slot: Slot, env: &Env<'a>) -> Cow<'a, Column> {
        match slot {
            Slot::Local(local) => Cow::Borrowed(&self.locals[local]),
            Slot::Source(source) => {
                let view = env.view(source);
                if view.is_direct() && self.whole {
                    return Cow::Borrowed(view.column);
                }
                if view.is_direct() {
                    return Cow::Owned(view.column.gather(&self.rows));
                }
                let mut cells = Vec::with_capacity(self.rows.len());
                view.cells(self.rows.iter().copied(), &mut cells);
                Cow::Owned(view.column.gather(&cells))
            }
        }
    }

    /// Where the rows of a part stand in a column. `cells` is memory that the answer may use.
    pub(crate) fn locate<'a>(
        &'a self,
        slot: Slot,
        env: &Env<'a>,
        part: Part<'a>,
        cells: &'a mut Vec<u32>,
    ) -> (&'a Column, At<'a>) {
        let same = match part {
            Part::Range { start, .. } => At::From(start),
            Part::Each(positions) => At::Each(positions),
        };
        let view = match slot {
            Slot::Local(local) => return (&self.locals[local], same),
            Slot::Source(source) => env.view(source),
        };
        if view.is_direct() && self.whole {
            return (view.column, same);
        }
        cells.clear();
        match part {
            Part::Range { start, end } if view.is_direct() => return (view.column, At::Each(&self.rows[start..end])),
            Part::Range { start, end } => view.cells(self.rows[start..end].iter().copied(), cells),
            Part::Each(positions) => {
                let rows = positions.iter().map(|&position| self.rows[position as usize]);
                view.cells(rows, cells);
            }
        }
        (view.column, At::Each(cells))
    }

    /// Takes the columns out, in the order of the slots. The frame's columns are gone after that.
    pub(crate) fn take_columns(&mut self, slots: &[Slot], env: &Env<'_>) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::with_capacity(slots.len());
        for (position, &slot) in slots.iter().enumerate() {
            let earlier = slots[..position].iter().position(|&earlier| earlier == slot);
            let column = match (earlier, slot) {
                (Some(earlier), _) => columns[earlier].clone(),
                (None, Slot::Local(local)) => {
                    let kind = self.locals[local].kind();
                    std::mem::replace(&mut self.locals[local], Column::empty(kind))
                }
                (None, Slot::Source(_)) => self.column(slot, env).into_owned(),
            };
            columns.push(column);
        }
        columns
    }
}
