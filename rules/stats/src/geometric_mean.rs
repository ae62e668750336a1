//! The geometric mean.

use rulemill_guest::prelude::*;

/// The sum of the logarithms of the values, and how many there were.
#[derive(Default, State)]
pub struct GeometricMean {
    log_sum: f64,
    count: u64,
}

/// The geometric mean: the n-th root of the product of n values. Null for a group without values; a value that is not
/// above zero is an error of its row.
#[aggregate]
#[example(1.0, 4.0, 16.0 => 4.0)]
#[example(1.0, 0.0 => error)]
#[example(1.0, -2.0 => error)]
#[example(null => null)]
impl GeometricMean {
    fn accumulate(&mut self, value: f64) -> Result<(), RowError> {
        if value > 0.0 {
            self.log_sum += value.log2();
            self.count += 1;
            return Ok(());
        }
        Err(RowError::new(format!(
            "the geometric mean is of values above 0, got {value}"
        )))
    }

    fn merge(&mut self, other: &Self) {
        self.log_sum += other.log_sum;
        self.count += other.count;
    }

    #[expect(clippy::cast_precision_loss, reason = "no window has 2^53 rows")]
    fn finish(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.log_sum / self.count as f64).exp2())
    }
}
