//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Exponential back-off with full jitter: the wait is drawn evenly between the shortest wait and a ceiling that
/// doubles with each failure, so that a fleet does not come back to its broker all at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    /// The shortest wait.
    min: Duration,
    /// The longest wait.
    max: Duration,
    /// Failures since the last [`Backoff::reset`].
    failures: u32,
    random: fastrand::Rng,
}

impl Default for Backoff {
    /// 1 s to 120 s.
    fn default() -> Self {
        Backoff::new(Duration::from_secs(1), Duration::from_secs(120))
    }
}

impl Backoff {
    /// Waits of `min` to `max`.
    pub fn new(min: Duration, max: Duration) -> Self {
        Backoff {
            min,
            max: max.max(min),
            failures: 0,
            random: fastrand::Rng::new(),
        }
    }

    /// The wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let ceiling = self
            .min
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(self.max);
        self.min + ceiling.saturating_sub(self.min).mul_f64(self.random.f64())
    }

    /// Starts over, after a connection that lasted.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_start_over() {
        let mut backoff = Backoff::default();
        for failure in 1..80_u32 {
            let ceiling = Duration::from_secs(1_u64.checked_shl(failure).unwrap_or(120).min(120));
            let wait = backoff.next();
            assert!(wait >= Duration::from_secs(1) && wait <= ceiling, "{failure}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(2));
    }

    #[test]
    fn waits_are_spread_over_the_whole_range() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..1000).map(|_| backoff.next()).collect();
        assert!(waits.iter().skip(10).any(|wait| *wait < Duration::from_secs(20)));
        assert!(waits.iter().skip(10).any(|wait| *wait > Duration::from_secs(100)));
    }
}
