//! The shipped library of functions and aggregates of numbers.

mod geometric_mean;
mod range;
mod scalars;
mod weighted_mean;

pub use geometric_mean::GeometricMean;
pub use range::Range;
pub use scalars::{clamp, round_to};
pub use weighted_mean::WeightedMean;

rulemill_guest::library! {
    name: "stats",
    doc: "Functions and aggregates of numbers.",
    functions: [clamp, round_to],
    aggregates: [GeometricMean, Range, WeightedMean],
}

#[cfg(test)]
mod tests {
    use super::LIBRARY;
    use rulemill_guest::testing::aggregate;

    #[test]
    fn the_description_is_right() {
        assert_eq!(LIBRARY.describe().check(), []);
    }

    #[test]
    fn layouts_stay_as_they_are() {
        // Another fingerprint makes running rules drop or drain the states of open windows: change it knowingly.
        let fingerprints: Vec<String> = LIBRARY
            .describe()
            .aggregates
            .into_iter()
            .map(|a| a.fingerprint)
            .collect();
        assert_eq!(
            fingerprints,
            ["db63482c02c8b2c5", "b3cbbe42970d14a3", "736c94591a0fd642"]
        );
    }

    #[test]
    fn nulls_are_left_out() {
        let rows = [[2.0.into()], [rulemill_guest::plan::Literal::Null], [8.0.into()]];
        assert_eq!(aggregate(&LIBRARY, "range", &rows), Ok(6.0.into()));
    }
}
