//! Aggregate functions: what `#[aggregate]` implements, and the accumulators that the contract asks for.

use crate::arguments::{Arguments, Skipped};
use crate::columns::{Batch, Column, Failure, RowErrorAt};
use crate::describe::FunctionText;
use crate::function::BoundArguments;
use crate::output::{Return, column_of};
use crate::state::State;
use crate::types::RowError;
use rulemill_plan::{AggregateFunction, BoundArgument, STATE_WORDS_MAX, Type};
use std::marker::PhantomData;

/// An aggregate function. `#[aggregate]` on `impl S` implements it for the state `S`.
pub trait Aggregate: State {
    /// What `finish` returns.
    type Result: Return;

    /// What the library says about it.
    const TEXT: FunctionText;

    /// Adds every row to the state of its group. A row with a null that the aggregate does not take is left out.
    #[doc(hidden)]
    fn accumulate_all(arguments: &Arguments<'_>, groups: &mut GroupStates<'_, Self>) -> Result<(), Failure>;

    /// Adds the rows of another state to this one.
    #[doc(hidden)]
    fn merge_with(&mut self, other: &Self);

    /// The result.
    #[doc(hidden)]
    fn result(&self) -> Self::Result;

    /// How to read states of an older layout; `None` when that layout cannot be read.
    #[doc(hidden)]
    fn older(fingerprint: u64) -> Option<Older<Self>>;
}

/// How states of an older layout are read.
pub struct Older<S> {
    words: usize,
    convert: Convert<S>,
}

/// From the words of an older state.
type Convert<S> = Box<dyn Fn(&[u64]) -> S>;

impl<S> Older<S> {
    /// States that were an `Old`.
    pub fn of<Old: State>(convert: impl Fn(Old) -> S + 'static) -> Self {
        Older {
            words: Old::WORDS,
            convert: Box::new(move |words| convert(Old::load(words))),
        }
    }
}

/// What `accumulate` may return: nothing, or a `Result` for rows that cannot be taken.
#[diagnostic::on_unimplemented(
    message = "`accumulate` cannot return `{Self}`",
    note = "return nothing, or `Result<(), RowError>`"
)]
pub trait Accumulated {
    #[doc(hidden)]
    fn outcome(self) -> Result<(), RowError>;
}

impl Accumulated for () {
    fn outcome(self) -> Result<(), RowError> {
        Ok(())
    }
}

impl Accumulated for Result<(), RowError> {
    fn outcome(self) -> Result<(), RowError> {
        self
    }
}

/// The states of the groups that one call concerns.
pub struct GroupStates<'s, S> {
    states: &'s mut [u64],
    group_of_row: &'s [u32],
    errors: Vec<RowErrorAt>,
    of: PhantomData<S>,
}

impl<S: State> GroupStates<'_, S> {
    /// Changes the state of the group of row `row`; an error leaves it as it was.
    #[inline]
    pub fn update<R: Accumulated>(&mut self, row: usize, add: impl FnOnce(&mut S) -> R) -> Result<(), Failure> {
        let group = self.group_of_row[row] as usize;
        let Some(words) = self.states.get_mut(group * S::WORDS..(group + 1) * S::WORDS) else {
            let count = self.states.len() / S::WORDS;
            return Err(Failure::new(format!("row {row} is of group {group}, of {count}")));
        };
        let mut state = S::load(words);
        match add(&mut state).outcome() {
            Ok(()) => state.store(words),
            Err(error) => self.errors.push(RowErrorAt::at(row, error)),
        }
        Ok(())
    }
}

/// An aggregate function as a value.
#[derive(Clone, Copy, Debug)]
pub struct AggregateEntry {
    pub(crate) text: &'static FunctionText,
    words: usize,
    fingerprint: u64,
    initial: fn() -> Vec<u64>,
    accumulate: Accumulate,
    merge: fn(&mut [u64], &[u64]) -> Result<(), Failure>,
    finish: fn(&[u64]) -> Result<Column, Failure>,
    migrate: fn(u64, &[u64]) -> Option<Vec<u64>>,
}

/// Adds the rows of the arguments to the states of their groups.
type Accumulate = fn(&mut [u64], &[u32], &Arguments<'_>) -> Result<Vec<RowErrorAt>, Failure>;

impl AggregateEntry {
    /// The aggregate `A`. A state must have 1 to 64 words; another number does not compile.
    pub const fn of<A: Aggregate>() -> Self {
        assert!(
            A::WORDS >= 1 && A::WORDS <= STATE_WORDS_MAX as usize,
            "the state of an aggregate must have 1 to 64 words"
        );
        AggregateEntry {
            text: &A::TEXT,
            words: A::WORDS,
            fingerprint: A::FINGERPRINT,
            initial: || words_of(&A::default()),
            accumulate: accumulate::<A>,
            merge: merge::<A>,
            finish: finish::<A>,
            migrate: migrate::<A>,
        }
    }

    /// What the library says about it.
    pub fn describe(&self) -> AggregateFunction {
        self.text.aggregate(self.words, self.fingerprint)
    }
}

/// An aggregate of one rule, whose types are resolved and whose literals are parsed. States are rows of words, one
/// after the other; it keeps none.
#[derive(Debug)]
pub struct Accumulator {
    aggregate: AggregateEntry,
    returns: Type,
    arguments: BoundArguments,
}

impl Accumulator {
    /// Resolves the types and parses the literals. The failure names the argument and says what it must be.
    pub fn bind(aggregate: AggregateEntry, arguments: &[BoundArgument]) -> Result<Self, Failure> {
        Ok(Accumulator {
            aggregate,
            returns: aggregate.text.returns,
            arguments: BoundArguments::new(aggregate.text, arguments)?,
        })
    }

    /// The type of the result.
    pub fn returns(&self) -> Type {
        self.returns
    }

    /// The state of a group without rows.
    pub fn initial(&self) -> Vec<u64> {
        (self.aggregate.initial)()
    }

    /// Adds row r of the batch to state number `group_of_row[r]`. A row with an error leaves its state as it was.
    pub fn accumulate(
        &self,
        states: &mut [u64],
        group_of_row: &[u32],
        batch: &Batch,
    ) -> Result<Vec<RowErrorAt>, Failure> {
        if group_of_row.len() != batch.rows as usize {
            let (groups, rows) = (group_of_row.len(), batch.rows);
            return Err(Failure::new(format!(
                "there must be one group a row, got {groups} for {rows} rows"
            )));
        }
        (self.aggregate.accumulate)(states, group_of_row, &self.arguments.with(batch)?)
    }

    /// Adds each state of `other` to the one at the same place in `into`.
    pub fn merge(&self, into: &mut [u64], other: &[u64]) -> Result<(), Failure> {
        (self.aggregate.merge)(into, other)
    }

    /// The results, one a state.
    pub fn finish(&self, states: &[u64]) -> Result<Column, Failure> {
        (self.aggregate.finish)(states)
    }

    /// The same states in today's layout; `None` when the layout of that fingerprint cannot be read.
    pub fn migrate(&self, fingerprint: u64, states: &[u64]) -> Option<Vec<u64>> {
        (self.aggregate.migrate)(fingerprint, states)
    }
}

fn accumulate<A: Aggregate>(
    states: &mut [u64],
    group_of_row: &[u32],
    arguments: &Arguments<'_>,
) -> Result<Vec<RowErrorAt>, Failure> {
    check_whole::<A>(states)?;
    let mut groups = GroupStates {
        states,
        group_of_row,
        errors: Vec::new(),
        of: PhantomData::<A>,
    };
    A::accumulate_all(arguments, &mut groups)?;
    Ok(groups.errors)
}

fn merge<A: Aggregate>(into: &mut [u64], other: &[u64]) -> Result<(), Failure> {
    check_whole::<A>(into)?;
    if into.len() != other.len() {
        let (wanted, got) = (into.len(), other.len());
        return Err(Failure::new(format!(
            "the other states must have {wanted} words, got {got}"
        )));
    }
    for (words, other) in into.chunks_exact_mut(A::WORDS).zip(other.chunks_exact(A::WORDS)) {
        let mut state = A::load(words);
        state.merge_with(&A::load(other));
        state.store(words);
    }
    Ok(())
}

fn finish<A: Aggregate>(states: &[u64]) -> Result<Column, Failure> {
    check_whole::<A>(states)?;
    let rows = states.len() / A::WORDS;
    let (column, errors) = column_of(rows, &Skipped::default(), |row| {
        A::load(&states[row * A::WORDS..(row + 1) * A::WORDS]).result()
    });
    // The contract has no row errors here, so one group without a result fails the call, and says which.
    match errors.first() {
        None => Ok(column),
        Some(error) => Err(Failure::new(format!("group {}: {}", error.row, error.message))),
    }
}

fn migrate<A: Aggregate>(fingerprint: u64, states: &[u64]) -> Option<Vec<u64>> {
    if fingerprint == A::FINGERPRINT {
        return Some(states.to_vec());
    }
    let older = A::older(fingerprint)?;
    if !states.len().is_multiple_of(older.words) {
        return None;
    }
    let each = states.chunks_exact(older.words);
    Some(each.flat_map(|words| words_of(&(older.convert)(words))).collect())
}

fn check_whole<A: Aggregate>(states: &[u64]) -> Result<(), Failure> {
    if states.len().is_multiple_of(A::WORDS) {
        return Ok(());
    }
    let (words, got) = (A::WORDS, states.len());
    Err(Failure::new(format!(
        "states must have {words} words each, got {got} words in all"
    )))
}

fn words_of<S: State>(state: &S) -> Vec<u64> {
    let mut words = vec![0; S::WORDS];
    state.store(&mut words);
    words
}
