//! The order of result rows.

use crate::groups::key_bits;
use crate::isolate::row_number;
use crate::{Cells, Column};
use std::cmp::Ordering;

/// Columns to order by, and whether descending.
pub(crate) type Criteria<'a> = [(&'a Column, bool)];

/// The positions of the rows in order. Equal rows stay as they were; nulls come last, whichever the direction; texts are
/// ordered by their bytes, NaN comes after all numbers.
pub(crate) fn sorted(rows: u32, criteria: &Criteria<'_>) -> Vec<u32> {
    let mut positions: Vec<u32> = (0..rows).collect();
    positions.sort_by(|&left, &right| {
        let orderings = criteria.iter().map(|&(column, descending)| {
            let (left, right) = (left as usize, right as usize);
            compare((column, left), (column, right), descending)
        });
        first_difference(orderings)
    });
    positions
}

/// Rows that were put in order some thousand at a time, on their way to one order.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: Vec<Run>,
    /// Positions of the runs that have rows left, as a heap: the one whose next row comes first is on top.
    heap: Vec<usize>,
    rows: usize,
}

/// Rows in order.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) criteria: Vec<Column>,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
    /// The next row to be taken.
    pub(crate) next: usize,
}

impl Runs {
    /// Adds rows that come after those before, where they are equal.
    pub(crate) fn push(&mut self, run: Run) {
        self.rows += run.rows;
        self.runs.push(run);
    }

    /// Rows that are left.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Takes the first rows out. `descending` says it for each of the criteria.
    pub(crate) fn take(&mut self, rows: usize, descending: &[bool]) -> Vec<Column> {
        if self.heap.is_empty() {
            self.heap = (0..self.runs.len()).filter(|&run| self.runs[run].rows > 0).collect();
            for position in (0..self.heap.len() / 2).rev() {
                self.sift_down(position, descending);
            }
        }
        let kinds = self.runs.first().map_or(&[][..], |run| &run.columns);
        let mut columns: Vec<Column> = kinds.iter().map(|column| Column::empty(column.kind())).collect();
        for _ in 0..rows.min(self.rows) {
            let run = &mut self.runs[self.heap[0]];
            for (to, from) in columns.iter_mut().zip(&run.columns) {
                to.push_from(from, run.next);
            }
            run.next += 1;
            if run.next == run.rows {
                self.heap.swap_remove(0);
            }
            self.sift_down(0, descending);
        }
        self.rows -= rows.min(self.rows);
        columns
    }

    fn sift_down(&mut self, mut position: usize, descending: &[bool]) {
        loop {
            let children = [2 * position + 1, 2 * position + 2];
            let mut first = position;
            for child in children.into_iter().filter(|&child| child < self.heap.len()) {
                if self.is_before(self.heap[child], self.heap[first], descending) {
                    first = child;
                }
            }
            if first == position {
                return;
            }
            self.heap.swap(first, position);
            position = first;
        }
    }

    fn is_before(&self, left: usize, right: usize, descending: &[bool]) -> bool {
        let (one, other) = (&self.runs[left], &self.runs[right]);
        let criteria = one.criteria.iter().zip(&other.criteria).zip(descending);
        let orderings =
            criteria.map(|((left, right), &descending)| compare((left, one.next), (right, other.next), descending));
        first_difference(orderings).then(left.cmp(&right)).is_lt()
    }
}

impl Run {
    /// A run of columns that are in order.
    pub(crate) fn new(criteria: Vec<Column>, columns: Vec<Column>, rows: usize) -> Self {
        Run {
            criteria,
            columns,
            rows,
            next: 0,
        }
    }
}

/// Positions from the first on.
pub(crate) fn first(rows: usize) -> Vec<u32> {
    (0..row_number(rows)).collect()
}

fn first_difference(mut orderings: impl Iterator<Item = Ordering>) -> Ordering {
    orderings.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare((one, left): (&Column, usize), (other, right): (&Column, usize), descending: bool) -> Ordering {
    match (one.is_null(left), other.is_null(right)) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let ordering = match (&one.cells, &other.cells) {
        (Cells::Bools(one), Cells::Bools(other)) => one.get(left).cmp(&other.get(right)),
        (Cells::Ints(one), Cells::Ints(other)) | (Cells::Times(one), Cells::Times(other)) => {
            one[left].cmp(&other[right])
        }
        (Cells::Floats(one), Cells::Floats(other)) => {
            let number = |value: f64| f64::from_bits(key_bits(value));
            number(one[left]).total_cmp(&number(other[right]))
        }
        (Cells::Texts(one), Cells::Texts(other)) | (Cells::Json(one), Cells::Json(other)) => {
            one.get(left).cmp(other.get(right))
        }
        (Cells::Bytes(one), Cells::Bytes(other)) => one.get(left).cmp(other.get(right)),
        _ => unreachable!("rows that are put in order have columns of one type"),
    };
    if descending { ordering.reverse() } else { ordering }
}
