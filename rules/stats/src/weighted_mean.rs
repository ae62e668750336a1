//! The weighted mean.

use rulemill_guest::prelude::*;

/// The sums so far.
#[derive(Default, State)]
pub struct WeightedMean {
    weighted_sum: f64,
    weight_sum: f64,
}

/// The mean of the values, each counted by its weight. Null when the weights add up to zero; a weight below zero is an
/// error of its row.
#[aggregate]
#[example([10.0, 1.0], [20.0, 3.0] => 17.5)]
#[example([10.0, 0.0] => null)]
#[example([10.0, -1.0] => error)]
#[example([10.0, null], [20.0, 1] => 20.0)]
impl WeightedMean {
    fn accumulate(&mut self, value: f64, weight: f64) -> Result<(), RowError> {
        if weight >= 0.0 {
            self.weighted_sum += value * weight;
            self.weight_sum += weight;
            return Ok(());
        }
        Err(RowError::new(format!("a weight must be at least 0, got {weight}")))
    }

    fn merge(&mut self, other: &Self) {
        self.weighted_sum += other.weighted_sum;
        self.weight_sum += other.weight_sum;
    }

    fn finish(&self) -> Option<f64> {
        (self.weight_sum > 0.0).then(|| self.weighted_sum / self.weight_sum)
    }
}
