//! The order of result rows.

use crate::groups::key_bits;
use crate::{Cells, Column};
use std::cmp::Ordering;

/// The positions of the rows in order. Equal rows stay as they were; nulls come last, whichever the direction; texts are
/// ordered by their bytes, NaN comes after all numbers.
pub(crate) fn sorted(rows: u32, criteria: &[(&Column, bool)]) -> Vec<u32> {
    let mut positions: Vec<u32> = (0..rows).collect();
    positions.sort_by(|&left, &right| {
        criteria
            .iter()
            .map(|&(column, descending)| compare(column, descending, left as usize, right as usize))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    positions
}

fn compare(column: &Column, descending: bool, left: usize, right: usize) -> Ordering {
    match (column.is_null(left), column.is_null(right)) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let ordering = match &column.cells {
        Cells::Bools(bits) => bits.get(left).cmp(&bits.get(right)),
        Cells::Ints(values) | Cells::Times(values) => values[left].cmp(&values[right]),
        Cells::Floats(values) => {
            let number = |row: usize| f64::from_bits(key_bits(values[row]));
            number(left).total_cmp(&number(right))
        }
        Cells::Texts(texts) | Cells::Json(texts) => texts.get(left).cmp(texts.get(right)),
        Cells::Bytes(blobs) => blobs.get(left).cmp(blobs.get(right)),
    };
    if descending { ordering.reverse() } else { ordering }
}
