//! Aggregates of libraries: the guest computes, the host owns the states.

use super::FailedGroup;
use crate::isolate::{Attempt, Blame, FailedRow, check_errors, isolate, row_number};
use crate::{AccumulatorId, BoundAggregate, CallError, Column, Guests, Rows};
use rulemill_plan::Type;
use std::ops::Range;

/// Rows on their way into the states of a library's aggregate; nothing of it counts until [`Accumulation::commit`].
#[derive(Debug)]
pub(crate) struct Accumulation {
    words: usize,
    /// The groups concerned, in order of appearance.
    touched: Vec<u32>,
    /// Their states, with the rows in them.
    states: Vec<u64>,
    /// The rows that could not be added, ascending.
    pub(crate) errors: Vec<FailedRow>,
}

/// Adds rows to copies of the states of their groups.
pub(crate) fn accumulate(
    guests: &mut dyn Guests,
    bound: &BoundAggregate,
    states: &[u64],
    groups: &[u32],
    columns: &[&Column],
    trapped_max: usize,
) -> Accumulation {
    let words = bound.state_words as usize;
    let mut accumulation = Accumulation {
        words,
        touched: Vec::new(),
        states: Vec::new(),
        errors: Vec::new(),
    };
    if groups.is_empty() {
        return accumulation;
    }
    accumulation.touched = groups.to_vec();
    accumulation.touched.sort_unstable();
    accumulation.touched.dedup();
    let known = states.len() / words;
    let mut fresh = Vec::new();
    if accumulation.touched.last().is_some_and(|&last| last as usize >= known) {
        match initial(guests, bound.accumulator, words) {
            Ok(initial) => fresh = initial,
            Err(error) => {
                accumulation.errors.extend(given_up(0..groups.len(), &error));
                return accumulation;
            }
        }
    }
    for &group in &accumulation.touched {
        let start = group as usize * words;
        let state = states.get(start..start + words).unwrap_or(&fresh);
        accumulation.states.extend_from_slice(state);
    }
    let local_groups: Vec<u32> = groups
        .iter()
        .map(|group| row_number(accumulation.touched.binary_search(group).unwrap_or_default()))
        .collect();
    let mut attempt = Adding {
        guests,
        accumulator: bound.accumulator,
        columns,
        groups: &local_groups,
        accumulation: &mut accumulation,
    };
    isolate(groups.len(), trapped_max, &mut attempt);
    accumulation
}

impl Accumulation {
    /// Puts the states back.
    pub(crate) fn commit(&self, states: &mut Vec<u64>) {
        let Some(&last) = self.touched.last() else { return };
        // Groups between the old end and the last one touched are touched too: each new group has a row.
        let end = (last as usize + 1) * self.words;
        if states.len() < end {
            states.resize(end, 0);
        }
        for (&group, state) in self.touched.iter().zip(self.states.chunks_exact(self.words)) {
            let start = group as usize * self.words;
            states[start..start + self.words].copy_from_slice(state);
        }
    }
}

fn initial(guests: &mut dyn Guests, accumulator: AccumulatorId, words: usize) -> Result<Vec<u64>, CallError> {
    let state = guests.initial(accumulator)?;
    check_words(state.len(), words)?;
    Ok(state)
}

fn check_words(got: usize, expected: usize) -> Result<(), CallError> {
    if got == expected {
        return Ok(());
    }
    Err(CallError::BadResult(format!(
        "states of {got} words, expected {expected}"
    )))
}

struct Adding<'a, 'g> {
    guests: &'g mut dyn Guests,
    accumulator: AccumulatorId,
    columns: &'a [&'a Column],
    groups: &'a [u32],
    accumulation: &'a mut Accumulation,
}

impl Attempt for Adding<'_, '_> {
    fn call(&mut self, part: Range<usize>) -> Result<(), CallError> {
        let slices: Vec<Column> = if part.len() == self.groups.len() {
            Vec::new()
        } else {
            self.columns.iter().map(|column| column.slice(part.clone())).collect()
        };
        let sliced: Vec<&Column> = slices.iter().collect();
        let rows = Rows {
            rows: part.len(),
            columns: if part.len() == self.groups.len() {
                self.columns
            } else {
                &sliced
            },
        };
        let (states, errors) = self.guests.accumulate(
            self.accumulator,
            &self.accumulation.states,
            &self.groups[part.clone()],
            rows,
        )?;
        check_words(states.len(), self.accumulation.states.len())?;
        check_errors(&errors, part.len())?;
        self.accumulation.states = states;
        let mut errors: Vec<FailedRow> = errors
            .into_iter()
            .map(|error| FailedRow {
                row: error.row + row_number(part.start),
                message: error.message,
                blame: Blame::Row,
            })
            .collect();
        errors.sort_by_key(|failed| failed.row);
        errors.dedup_by_key(|failed| failed.row);
        self.accumulation.errors.extend(errors);
        Ok(())
    }

    fn give_up(&mut self, part: Range<usize>, error: &CallError) {
        self.accumulation.errors.extend(given_up(part, error));
    }
}

/// All rows of a part, for which a call gave nothing.
fn given_up(part: Range<usize>, error: &CallError) -> impl Iterator<Item = FailedRow> {
    part.map(|row| FailedRow {
        row: row_number(row),
        message: error.to_string(),
        blame: Blame::of(error),
    })
}

/// The results of groups, and those of them that have none.
pub(crate) fn finish(
    guests: &mut dyn Guests,
    bound: &BoundAggregate,
    states: &[u64],
    failed: &mut Vec<FailedGroup>,
    trapped_max: usize,
) -> Column {
    let words = bound.state_words as usize;
    let mut attempt = Finishing {
        guests,
        bound,
        states,
        results: Column::empty(bound.returns),
        failed,
    };
    isolate(attempt.states.len() / words, trapped_max, &mut attempt);
    attempt.results
}

struct Finishing<'a, 'g> {
    guests: &'g mut dyn Guests,
    bound: &'a BoundAggregate,
    states: &'a [u64],
    results: Column,
    failed: &'a mut Vec<FailedGroup>,
}

impl Attempt for Finishing<'_, '_> {
    fn call(&mut self, part: Range<usize>) -> Result<(), CallError> {
        let words = self.bound.state_words as usize;
        let states = &self.states[part.start * words..part.end * words];
        let column = self.guests.finish(self.bound.accumulator, states)?;
        check_finished(&column, self.bound.returns, part.len())?;
        self.results.append(&column);
        Ok(())
    }

    fn give_up(&mut self, part: Range<usize>, error: &CallError) {
        for group in part {
            self.results.push_null();
            self.failed.push(FailedGroup {
                group: row_number(group),
                fault: Blame::of(error).fault(),
                message: error.to_string(),
            });
        }
    }
}

fn check_finished(column: &Column, returns: Type, groups: usize) -> Result<(), CallError> {
    if column.kind() != returns {
        let message = format!("a column of type {}, expected {returns}", column.kind());
        return Err(CallError::BadResult(message));
    }
    if column.len() != groups || column.valid.as_ref().is_some_and(|valid| valid.len() != groups) {
        let message = format!("a column of {} rows, expected {groups}", column.len());
        return Err(CallError::BadResult(message));
    }
    Ok(())
}
