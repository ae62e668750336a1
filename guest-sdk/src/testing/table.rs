//! Rows of plain values with the types of their columns: what the host keeps in columns.

use super::cells::{column_of, value_of};
use crate::columns::{Batch, Column, RowErrorAt};
use rulemill_plan::{ColumnIndex, Literal, Type};

pub(super) struct Table {
    pub(super) kinds: Vec<Type>,
    pub(super) rows: Vec<Vec<Literal>>,
}

impl Table {
    pub(super) fn new(kinds: Vec<Type>) -> Self {
        Table {
            kinds,
            rows: Vec::new(),
        }
    }

    pub(super) fn kind(&self, column: ColumnIndex) -> Type {
        self.kinds[column.position()]
    }

    /// These columns of all rows, for a guest.
    pub(super) fn batch(&self, columns: &[ColumnIndex]) -> Batch {
        let column = |index: &ColumnIndex| {
            let values: Vec<&Literal> = self.rows.iter().map(|row| &row[index.position()]).collect();
            column_of(self.kind(*index), &values)
        };
        Batch {
            rows: u32::try_from(self.rows.len()).expect("a test has fewer than 2^32 rows"),
            columns: columns.iter().map(column).collect(),
        }
    }

    /// Appends what a guest returned, and drops the rows that it could not compute.
    pub(super) fn append(&mut self, columns: &[Column], errors: &[RowErrorAt]) {
        self.kinds.extend(columns.iter().map(Column::kind));
        for (position, row) in self.rows.iter_mut().enumerate() {
            row.extend(columns.iter().map(|column| value_of(column, position)));
        }
        let mut position = 0;
        self.rows.retain(|_| {
            position += 1;
            !errors.iter().any(|error| error.row as usize == position - 1)
        });
    }

    /// Keeps the rows where the column is true.
    pub(super) fn filter(&mut self, condition: Option<ColumnIndex>) {
        if let Some(column) = condition {
            self.rows.retain(|row| row[column.position()] == Literal::Bool(true));
        }
    }
}
