//! The file of columns that a plan's positions refer to, while it grows.

use crate::program::Slot;
use rulemill_plan::{ColumnIndex, Type};
use std::sync::Arc;

/// The columns that exist so far.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    columns: Vec<FileColumn>,
    locals: usize,
}

#[derive(Clone, Debug)]
struct FileColumn {
    name: String,
    slot: Slot,
    /// Its number in the compiler's origins; `None` after a problem, and for columns of groups, which feed no state.
    origin: Option<usize>,
    /// `None`: unknown, because of a problem that has been reported.
    kind: Option<Type>,
}

impl File {
    pub(super) fn push(&mut self, name: &str, slot: Slot, kind: Option<Type>, origin: Option<usize>) {
        self.columns.push(FileColumn {
            name: name.to_owned(),
            slot,
            origin,
            kind,
        });
    }

    /// Appends a column of the rule's own frame.
    pub(super) fn push_local(&mut self, name: &str, kind: Option<Type>, origin: Option<usize>) {
        self.push(name, Slot::Local(self.locals), kind, origin);
        self.locals += 1;
    }

    pub(super) fn get(&self, index: ColumnIndex) -> Option<(Slot, Option<Type>)> {
        let column = self.columns.get(index.position())?;
        Some((column.slot, column.kind))
    }

    pub(super) fn kind(&self, index: ColumnIndex) -> Option<Type> {
        self.columns.get(index.position())?.kind
    }

    pub(super) fn origin(&self, index: ColumnIndex) -> Option<usize> {
        self.columns.get(index.position())?.origin
    }

    /// The name of a column that exists.
    pub(super) fn name(&self, index: ColumnIndex) -> &str {
        self.columns.get(index.position()).map_or("", |column| &column.name)
    }

    pub(super) fn names(&self) -> Arc<[Arc<str>]> {
        self.columns
            .iter()
            .map(|column| Arc::from(column.name.as_str()))
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }
}
