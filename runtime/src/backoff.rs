//! Delays between attempts, with full jitter: how long to wait before connecting or sending again.
//!
//! It never sleeps and never reads a clock; whoever reconnects does. Sources and sinks both use it.

use std::time::{Duration, Instant};

/// The delays between attempts. Each is drawn from `[min, ceiling]`; the ceiling starts at twice `min`, doubles with
/// each attempt up to `max`, and starts again after a connection that lasted.
///
/// The draw is uniform over the whole range, so that a thousand gateways that lost the same broker do not come back
/// in the same second.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    reset_after: Duration,
    ceiling: Duration,
    connected: Option<Instant>,
}

impl Backoff {
    /// Delays between `min` and `max`, which start again after a connection of at least `reset_after`.
    pub(crate) fn new(min: Duration, max: Duration, reset_after: Duration) -> Self {
        let max = max.max(min);
        Backoff {
            min,
            max,
            reset_after,
            ceiling: min.saturating_mul(2).min(max),
            connected: None,
        }
    }

    /// Notes that a connection was made at `at`.
    pub(crate) fn connected(&mut self, at: Instant) {
        self.connected = Some(at);
    }

    /// How long to wait before the next attempt, after the last one failed or was lost at `now`.
    pub(crate) fn next_delay(&mut self, now: Instant) -> Duration {
        if let Some(at) = self.connected.take()
            && now.saturating_duration_since(at) >= self.reset_after
        {
            self.ceiling = self.min.saturating_mul(2).min(self.max);
        }
        let delay = self.min + (self.ceiling - self.min).mul_f64(fastrand::f64());
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn aws() -> Backoff {
        Backoff::new(SECOND, 120 * SECOND, 30 * SECOND)
    }

    #[test]
    fn delays_stay_between_the_minimum_and_a_ceiling_that_doubles() {
        for _ in 0..100 {
            let mut backoff = aws();
            let now = crate::clock::monotonic();
            for ceiling in [2, 4, 8, 16, 32, 64, 120, 120] {
                let delay = backoff.next_delay(now);
                assert!(
                    delay >= SECOND && delay <= ceiling * SECOND,
                    "{delay:?} with ceiling {ceiling} s"
                );
            }
        }
    }

    #[test]
    fn a_connection_that_lasted_starts_again_and_a_short_one_does_not() {
        let now = crate::clock::monotonic();
        let mut backoff = aws();
        for _ in 0..10 {
            backoff.next_delay(now);
        }
        backoff.connected(now);
        backoff.next_delay(now + 29 * SECOND);
        assert_eq!(backoff.ceiling, 120 * SECOND);
        backoff.connected(now);
        assert!(backoff.next_delay(now + 30 * SECOND) <= 2 * SECOND);
    }

    #[test]
    fn equal_bounds_give_a_constant_delay() {
        let mut backoff = Backoff::new(SECOND, SECOND, SECOND);
        assert_eq!(backoff.next_delay(crate::clock::monotonic()), SECOND);
    }
}
