//! The range.

use rulemill_guest::prelude::*;

/// The extremes so far.
#[derive(Default, State)]
pub struct Range {
    least: Option<f64>,
    most: Option<f64>,
}

/// The largest value less the smallest. Null for a group without values.
#[aggregate]
#[example(3.0, -1.5, 2.0 => 4.5)]
#[example(7.0 => 0.0)]
#[example(null => null)]
impl Range {
    fn accumulate(&mut self, value: f64) {
        self.least = Some(self.least.map_or(value, |least| least.min(value)));
        self.most = Some(self.most.map_or(value, |most| most.max(value)));
    }

    fn merge(&mut self, other: &Self) {
        other
            .least
            .into_iter()
            .chain(other.most)
            .for_each(|value| self.accumulate(value));
    }

    fn finish(&self) -> Option<f64> {
        Some(self.most? - self.least?)
    }
}
