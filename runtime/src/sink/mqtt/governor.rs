//! How fast a sink may publish: two token buckets, publishes and bytes a second.
//!
//! Pure: it is told the time and says when to try again.

use std::time::{Duration, Instant};

/// The two buckets of a connection.
#[derive(Debug)]
pub(crate) struct Governor {
    publishes: Option<Bucket>,
    bytes: Option<Bucket>,
}

/// Fills at `rate` a second up to a tenth of a second's worth, at least 1. The level may go below zero, so that a
/// message larger than the bucket goes out and is paid for afterwards.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    full: f64,
    level: f64,
    filled: Instant,
}

impl Governor {
    /// Full buckets; `None` is no bound.
    pub(crate) fn new(publishes_per_second: Option<u32>, bytes_per_second: Option<u32>, now: Instant) -> Self {
        Governor {
            publishes: publishes_per_second.map(|rate| Bucket::new(rate, now)),
            bytes: bytes_per_second.map(|rate| Bucket::new(rate, now)),
        }
    }

    /// Pays for one publish of `bytes`; or says how long to wait, and takes nothing.
    pub(crate) fn take(&mut self, bytes: usize, now: Instant) -> Result<(), Duration> {
        let wait = [&mut self.publishes, &mut self.bytes]
            .into_iter()
            .flatten()
            .map(|bucket| bucket.wait(now))
            .max()
            .unwrap_or(Duration::ZERO);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        if let Some(bucket) = &mut self.publishes {
            bucket.level -= 1.0;
        }
        if let Some(bucket) = &mut self.bytes {
            bucket.level -= u32::try_from(bytes).map_or(f64::from(u32::MAX), f64::from);
        }
        Ok(())
    }
}

impl Bucket {
    fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate.max(1));
        let full = (rate / 10.0).max(1.0);
        Bucket {
            rate,
            full,
            level: full,
            filled: now,
        }
    }

    /// How long until the level is at least one token, or full where that is less.
    fn wait(&mut self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.filled);
        self.level = (self.level + self.rate * since.as_secs_f64()).min(self.full);
        self.filled = self.filled.max(now);
        // A hair less than one, so that rounding cannot leave it waiting for nothing.
        let missing = 1.0 - 1e-6 - self.level;
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(missing / self.rate).max(Duration::from_micros(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes as fast as it may for `seconds`: how many went out.
    fn publishes(governor: &mut Governor, bytes: usize, start: Instant, seconds: u64) -> usize {
        let (mut now, mut sent) = (start, 0);
        while now < start + Duration::from_secs(seconds) {
            match governor.take(bytes, now) {
                Ok(()) => sent += 1,
                Err(wait) => now += wait,
            }
        }
        sent
    }

    #[test]
    fn publishes_a_second_are_bounded_and_reached() {
        let now = crate::clock::monotonic();
        let sent = publishes(&mut Governor::new(Some(100), None, now), 10, now, 10);
        assert!((1000..=1010).contains(&sent), "{sent} in 10 s at 100/s");
    }

    #[test]
    fn bytes_a_second_are_bounded_even_for_messages_larger_than_the_bucket() {
        let now = crate::clock::monotonic();
        let rate = 512 * 1024;
        let sent = publishes(&mut Governor::new(None, Some(rate), now), 128 * 1024, now, 10);
        assert!(
            (39..=41).contains(&sent),
            "{sent} messages of 128 KiB in 10 s at 512 KiB/s"
        );
    }

    #[test]
    fn the_tighter_bound_counts() {
        let now = crate::clock::monotonic();
        let sent = publishes(&mut Governor::new(Some(100), Some(1000), now), 100, now, 10);
        assert!(
            (100..=102).contains(&sent),
            "{sent} messages of 100 bytes in 10 s at 1000 B/s"
        );
    }

    #[test]
    fn without_bounds_nothing_waits() {
        let now = crate::clock::monotonic();
        assert_eq!(Governor::new(None, None, now).take(usize::MAX, now), Ok(()));
    }
}
