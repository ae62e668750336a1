//! Comparisons that a busy machine cannot spoil: both sides in turn, many short rounds, medians.

use rulemill::clock;
use std::time::Duration;

/// What two sides took for the same work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    /// The median of our rounds.
    pub(crate) ours: Duration,
    /// The median of the rounds of the reference.
    pub(crate) reference: Duration,
    /// The median of the rounds' ratios, ours by the reference.
    pub(crate) ratio: f64,
}

/// Runs both sides in turn. Each is given the number of the round and gives the time it took.
pub(crate) fn compare(
    rounds: usize,
    mut ours: impl FnMut(usize) -> Duration,
    mut reference: impl FnMut(usize) -> Duration,
) -> Comparison {
    let pairs: Vec<(Duration, Duration)> = (0..rounds)
        .map(|round| {
            // Who comes first changes, so that neither always finds the caches of the other.
            if round.is_multiple_of(2) {
                let ours = ours(round);
                (ours, reference(round))
            } else {
                let reference = reference(round);
                (ours(round), reference)
            }
        })
        .collect();
    Comparison {
        ours: median(pairs.iter().map(|pair| pair.0)),
        reference: median(pairs.iter().map(|pair| pair.1)),
        ratio: median(pairs.iter().map(|pair| pair.0.as_secs_f64() / pair.1.as_secs_f64())),
    }
}

/// The time that `work` takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let started = clock::monotonic();
    work();
    clock::monotonic().duration_since(started)
}

/// The middle one; of an even number the upper of the two.
pub(crate) fn median<T: PartialOrd + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).expect("durations and their ratios have an order"));
    values[values.len() / 2]
}
