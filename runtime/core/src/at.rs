//! Where the rows of a step stand in a column, and loops over them that decide once a column what to do per cell.

use crate::Bits;

/// The cell of each row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At<'a> {
    /// Row k is cell `start + k`.
    From(usize),
    /// Row k is cell `cells[k]`.
    Each(&'a [u32]),
}

impl At<'_> {
    #[inline]
    pub(crate) fn cell(self, row: usize) -> usize {
        match self {
            At::From(start) => start + row,
            At::Each(cells) => cells[row] as usize,
        }
    }
}

/// Calls `each` with the group and the cell of each row whose cell is not null.
#[inline]
pub(crate) fn for_values(groups: &[u32], at: At<'_>, valid: Option<&Bits>, mut each: impl FnMut(usize, usize)) {
    match (at, valid) {
        (At::From(start), None) => {
            for (row, &group) in groups.iter().enumerate() {
                each(group as usize, start + row);
            }
        }
        (At::Each(cells), None) => {
            for (&group, &cell) in groups.iter().zip(cells) {
                each(group as usize, cell as usize);
            }
        }
        (At::From(start), Some(valid)) => {
            for (row, &group) in groups.iter().enumerate() {
                if valid.get(start + row) {
                    each(group as usize, start + row);
                }
            }
        }
        (At::Each(cells), Some(valid)) => {
            for (&group, &cell) in groups.iter().zip(cells) {
                if valid.get(cell as usize) {
                    each(group as usize, cell as usize);
                }
            }
        }
    }
}
