//! Sums, averages and spreads of numbers.

use super::{FailedGroup, Given, with_value};
use crate::isolate::row_number;
use crate::{Cells, Column, Fault};

/// Sums of ints, exact: 2^63 values of 64 bits fit 128 bits.
#[derive(Debug, Default)]
pub(crate) struct IntSums {
    sums: Vec<i128>,
    counts: Vec<u64>,
}

impl IntSums {
    pub(super) fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.counts.resize(groups, 0);
    }

    pub(super) fn update(&mut self, given: Given<'_>) {
        let (Cells::Ints(values) | Cells::Times(values)) = &given.column.cells else {
            unreachable!("an int sum is of ints: compile sees to it");
        };
        given.for_values(|group, cell| {
            self.sums[group] += i128::from(values[cell]);
            self.counts[group] += 1;
        });
    }

    pub(super) fn finish_sum(&mut self, failed: &mut Vec<FailedGroup>) -> Column {
        let sums = self.sums.drain(..).enumerate().map(|(group, sum)| {
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
            valid: with_value(self.counts.drain(..).map(|count| count > 0)),
            cells,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an average is a float")]
    pub(super) fn finish_avg(&mut self) -> Column {
        let averages = self
            .sums
            .drain(..)
            .zip(&self.counts)
            .map(|(sum, &count)| if count == 0 { 0.0 } else { sum as f64 / count as f64 });
        let cells = Cells::Floats(averages.collect());
        Column {
            valid: with_value(self.counts.drain(..).map(|count| count > 0)),
            cells,
        }
    }
}

/// Sums of floats with Neumaier's compensation: what each addition rounds away is summed apart, so that the result
/// hardly depends on the order and the size of the values.
#[derive(Debug, Default)]
pub(crate) struct FloatSums {
    sums: Vec<f64>,
    lost: Vec<f64>,
    counts: Vec<u64>,
}

impl FloatSums {
    pub(super) fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, 0.0);
        self.lost.resize(groups, 0.0);
        self.counts.resize(groups, 0);
    }

    pub(super) fn update(&mut self, given: Given<'_>) {
        let Cells::Floats(values) = &given.column.cells else {
            unreachable!("a float sum is of floats: compile sees to it");
        };
        given.for_values(|group, cell| {
            let (sum, value) = (self.sums[group], values[cell]);
            let next = sum + value;
            let lost = if sum.abs() >= value.abs() {
                (sum - next) + value
            } else {
                (value - next) + sum
            };
            self.sums[group] = next;
            self.lost[group] += lost;
            self.counts[group] += 1;
        });
    }

    pub(super) fn finish_sum(&mut self) -> Column {
        let sums = self.sums.drain(..).zip(self.lost.drain(..)).map(total);
        let cells = Cells::Floats(sums.collect());
        Column {
            valid: with_value(self.counts.drain(..).map(|count| count > 0)),
            cells,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "more than 2^53 rows do not fit a window")]
    pub(super) fn finish_avg(&mut self) -> Column {
        let sums = self.sums.drain(..).zip(self.lost.drain(..)).map(total);
        let averages = sums
            .zip(&self.counts)
            .map(|(sum, &count)| if count == 0 { 0.0 } else { sum / count as f64 });
        let cells = Cells::Floats(averages.collect());
        Column {
            valid: with_value(self.counts.drain(..).map(|count| count > 0)),
            cells,
        }
    }
}

/// With an infinity or a NaN in it, the compensation means nothing.
fn total((sum, lost): (f64, f64)) -> f64 {
    if sum.is_finite() { sum + lost } else { sum }
}

/// Welford's running moments: stable, without keeping the values.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    counts: Vec<u64>,
    means: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    pub(super) fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.means.resize(groups, 0.0);
        self.squares.resize(groups, 0.0);
    }

    #[expect(clippy::cast_precision_loss, reason = "a spread is a float")]
    pub(super) fn update(&mut self, given: Given<'_>) {
        match &given.column.cells {
            Cells::Ints(values) | Cells::Times(values) => {
                given.for_values(|group, cell| self.add(group, values[cell] as f64));
            }
            Cells::Floats(values) => given.for_values(|group, cell| self.add(group, values[cell])),
            Cells::Bools(_) | Cells::Texts(_) | Cells::Bytes(_) | Cells::Json(_) => {
                unreachable!("a spread is of numbers: compile sees to it")
            }
        }
    }

    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "more than 2^53 rows do not fit a window")]
    fn add(&mut self, group: usize, value: f64) {
        self.counts[group] += 1;
        let delta = value - self.means[group];
        self.means[group] += delta / self.counts[group] as f64;
        self.squares[group] += delta * (value - self.means[group]);
    }

    #[expect(clippy::cast_precision_loss, reason = "more than 2^53 rows do not fit a window")]
    pub(super) fn finish(&mut self, root: bool, sample: bool) -> Column {
        let least = if sample { 2 } else { 1 };
        let results = self.squares.drain(..).zip(&self.counts).map(|(squares, &count)| {
            if count < least {
                return 0.0;
            }
            let variance = squares / (count - u64::from(sample)) as f64;
            if root { variance.sqrt() } else { variance }
        });
        let cells = Cells::Floats(results.collect());
        self.means.clear();
        Column {
            valid: with_value(self.counts.drain(..).map(|count| count >= least)),
            cells,
        }
    }
}
