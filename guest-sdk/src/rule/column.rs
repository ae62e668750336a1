//! Handles of columns: what the builder gives out, and what steps and emits are made of.

use std::marker::PhantomData;

/// The columns of messages: what is known before rows are grouped.
#[derive(Clone, Copy, Debug)]
pub enum Before {}

/// The columns of results: what is known of a group when its window closes.
#[derive(Clone, Copy, Debug)]
pub enum After {}

/// A column of type `T`, of messages ([`Before`]) or of results ([`After`]). It is a handle: copying it costs nothing.
pub struct Col<T: ?Sized, P = Before> {
    pub(crate) id: ColumnId,
    stage: PhantomData<P>,
    of: PhantomData<T>,
}

/// A column whose nulls reach the closure, as an `Option`; see [`Col::nullable`].
pub struct Nullable<T: ?Sized, P = Before>(pub(crate) Col<T, P>);

/// Which column a handle stands for. Positions are known only when the rule is complete: aggregates come before the
/// steps after the window, whatever the order in which the author asked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnId {
    Need(usize),
    BeforeStep(usize),
    Key(usize),
    WindowStart,
    WindowEnd,
    Aggregate(usize),
    AfterStep(usize),
}

impl<T: ?Sized, P> Col<T, P> {
    pub(crate) fn new(id: ColumnId) -> Self {
        Col {
            id,
            stage: PhantomData,
            of: PhantomData,
        }
    }

    /// The same column for a closure that handles nulls itself: it is given an `Option`. Without it a row with a null
    /// gives null and the closure is not called.
    pub fn nullable(self) -> Nullable<T, P> {
        Nullable(self)
    }
}

impl<T: ?Sized, P> Clone for Col<T, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized, P> Copy for Col<T, P> {}

impl<T: ?Sized, P> Clone for Nullable<T, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized, P> Copy for Nullable<T, P> {}
