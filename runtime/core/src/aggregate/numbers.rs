//! Sums, averages and spreads of numbers.

use super::{FailedGroup, Given, Results, Rows};
use crate::isolate::row_number;
use crate::{Cells, Column, Fault};

impl Rows<'_> {
    /// Exact: 2^63 values of 64 bits fit 128 bits.
    pub(super) fn sum_ints(self, at: usize, given: Given<'_>) {
        let (Cells::Ints(values) | Cells::Times(values)) = &given.column.cells else {
            unreachable!("an int sum is of ints: compile sees to it");
        };
        self.for_values(at, given, |sum, cell| {
            *sum = split(whole(*sum) + i128::from(values[cell]));
        });
    }

    /// With Neumaier's compensation: what each addition rounds away is summed apart, so that the result hardly depends on
    /// the order and the size of the values.
    pub(super) fn sum_floats(self, at: usize, given: Given<'_>) {
        let Cells::Floats(values) = &given.column.cells else {
            unreachable!("a float sum is of floats: compile sees to it");
        };
        self.for_values(at, given, |sum, cell| {
            *sum = CompensatedSum(*sum).with(values[cell]).0;
        });
    }

    /// Welford's running moments: stable, without keeping the values.
    #[expect(clippy::cast_precision_loss, reason = "a spread is a float")]
    pub(super) fn moments(self, at: usize, given: Given<'_>) {
        match &given.column.cells {
            Cells::Ints(values) | Cells::Times(values) => {
                self.for_values(at, given, |state, cell| add_to_moments(state, values[cell] as f64));
            }
            Cells::Floats(values) => self.for_values(at, given, |state, cell| add_to_moments(state, values[cell])),
            Cells::Bools(_) | Cells::Texts(_) | Cells::Bytes(_) | Cells::Json(_) => {
                unreachable!("a spread is of numbers: compile sees to it")
            }
        }
    }
}

impl Results<'_> {
    pub(super) fn int_sums(&self, at: usize, count: usize, failed: &mut Vec<FailedGroup>) -> Column {
        let sums = self.states(at).enumerate().map(|(group, state)| {
            let sum = whole(state);
            i64::try_from(sum).unwrap_or_else(|_| {
                failed.push(FailedGroup {
                    group: row_number(group),
                    fault: Fault::Row,
                    message: format!("the sum {sum} does not fit an int of 64 bits"),
                });
                0
            })
        });
        let cells = Cells::Ints(sums.collect());
        Column {
            valid: self.with_value(count, 1),
            cells,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an average is a float")]
    pub(super) fn int_averages(&self, at: usize, count: usize) -> Column {
        self.averages(count, self.states(at).map(|state| whole(state) as f64))
    }

    pub(super) fn float_sums(&self, at: usize, count: usize) -> Column {
        Column {
            valid: self.with_value(count, 1),
            cells: Cells::Floats(self.states(at).map(total).collect()),
        }
    }

    pub(super) fn float_averages(&self, at: usize, count: usize) -> Column {
        self.averages(count, self.states(at).map(total))
    }

    #[expect(clippy::cast_precision_loss, reason = "more than 2^53 rows do not fit a window")]
    fn averages(&self, count: usize, sums: impl Iterator<Item = f64>) -> Column {
        let averages = sums
            .zip(self.states(count))
            .map(|(sum, [count])| if count == 0 { 0.0 } else { sum / count as f64 });
        Column {
            cells: Cells::Floats(averages.collect()),
            valid: self.with_value(count, 1),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "more than 2^53 rows do not fit a window")]
    pub(super) fn spreads(&self, at: usize, root: bool, sample: bool) -> Column {
        let least = if sample { 2 } else { 1 };
        let results = self.states(at).map(|[count, _, squares]| {
            if count < least {
                return 0.0;
            }
            let variance = f64::from_bits(squares) / (count - u64::from(sample)) as f64;
            if root { variance.sqrt() } else { variance }
        });
        Column {
            cells: Cells::Floats(results.collect()),
            valid: self.with_value(at, least),
        }
    }
}

/// A sum of 128 bits from its halves, the low one first.
#[inline]
fn whole([low, high]: [u64; 2]) -> i128 {
    (u128::from(high) << 64 | u128::from(low)).cast_signed()
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
fn split(sum: i128) -> [u64; 2] {
    let bits = sum.cast_unsigned();
    [bits as u64, (bits >> 64) as u64]
}

/// With an infinity or a NaN in it, the compensation means nothing.
#[inline]
fn total([sum, lost]: [u64; 2]) -> f64 {
    let sum = f64::from_bits(sum);
    if sum.is_finite() {
        sum + f64::from_bits(lost)
    } else {
        sum
    }
}

#[inline]
#[expect(clippy::cast_precision_loss, reason = "more than 2^53 rows do not fit a window")]
fn add_to_moments([count, mean, squares]: &mut [u64; 3], value: f64) {
    *count += 1;
    let (before, delta) = (f64::from_bits(*mean), value - f64::from_bits(*mean));
    let next = before + delta / *count as f64;
    *mean = next.to_bits();
    *squares = (f64::from_bits(*squares) + delta * (value - next)).to_bits();
}

/// A sum of ints that is kept as two words.
#[derive(Clone, Copy)]
pub(crate) struct IntSum(pub(crate) [u64; 2]);

impl IntSum {
    pub(crate) fn with(self, value: i64) -> Self {
        IntSum(split(whole(self.0) + i128::from(value)))
    }

    pub(crate) fn whole(self) -> i128 {
        whole(self.0)
    }

    pub(crate) fn as_int(self) -> Option<i64> {
        i64::try_from(self.whole()).ok()
    }
}

/// A sum of floats that is kept as two words, with what additions rounded away.
#[derive(Clone, Copy)]
pub(crate) struct CompensatedSum(pub(crate) [u64; 2]);

impl CompensatedSum {
    #[inline]
    pub(crate) fn with(self, value: f64) -> Self {
        let [sum, lost] = self.0;
        let before = f64::from_bits(sum);
        let next = before + value;
        let rounded = if before.abs() >= value.abs() {
            (before - next) + value
        } else {
            (value - next) + before
        };
        CompensatedSum([next.to_bits(), (f64::from_bits(lost) + rounded).to_bits()])
    }

    pub(crate) fn total(self) -> f64 {
        total(self.0)
    }
}
