//! When the next message is due.

use std::time::{Duration, Instant};

/// An even rate. What could not be sent in time is caught up with, at most a second's worth of it.
#[derive(Debug)]
pub(super) struct Pace {
    /// `None`: as fast as possible.
    interval: Option<Duration>,
    next: Instant,
}

impl Pace {
    /// So many messages a second, from `start`; 0 stands for as fast as possible.
    pub(super) fn new(per_second: f64, start: Instant) -> Self {
        Pace {
            interval: (per_second > 0.0).then(|| Duration::from_secs_f64(1.0 / per_second)),
            next: start,
        }
    }

    /// When the next message is due.
    pub(super) fn due(&self) -> Instant {
        self.next
    }

    /// A message was sent at `now`.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Some(interval) = self.interval {
            self.next += interval;
            if let Some(oldest) = now.checked_sub(BEHIND_MAX) {
                self.next = self.next.max(oldest);
            }
        }
    }
}

/// The longest backlog that is caught up with.
const BEHIND_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// Messages that are sent until `now`.
    fn send(pace: &mut Pace, now: Instant) -> usize {
        let mut sent = 0;
        while pace.due() <= now && sent < 1_000_000 {
            pace.sent(now);
            sent += 1;
        }
        sent
    }

    #[test]
    fn the_rate_is_kept_and_a_stall_is_caught_up_with_in_part() {
        let start = clock::monotonic();
        let mut pace = Pace::new(100.0, start);
        assert_eq!(send(&mut pace, start), 1);
        assert_eq!(send(&mut pace, start + Duration::from_millis(500)), 50);
        // The one that was due, and a second's worth with both its ends.
        assert_eq!(send(&mut pace, start + Duration::from_secs(60)), 102);
        assert_eq!(send(&mut pace, start + Duration::from_secs(61)), 100);
    }

    #[test]
    fn the_rate_0_is_no_limit() {
        let start = clock::monotonic();
        let mut pace = Pace::new(0.0, start);
        assert_eq!(send(&mut pace, start), 1_000_000);
    }
}
