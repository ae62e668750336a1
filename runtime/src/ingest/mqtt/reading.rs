//! Whether the socket is read while the mills are behind.
//!
//! QoS 1 needs nothing here: unacknowledged messages fill the broker's in-flight window, and it sends no more. QoS 0
//! has no such window, so the socket is not read for a while, and TCP holds the broker back. But a client that does
//! not read does not answer keep-alives either, so this ends after a quarter of the keep-alive; then everything is
//! read up to the next ping's answer, and QoS 0 messages that do not fit are dropped.

use std::time::{Duration, Instant};

/// Whether to read, and what to do with what does not fit.
#[derive(Debug)]
pub(super) struct Reading {
    /// The longest time without reading.
    pause: Duration,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Free,
    Paused { until: Instant },
    Draining,
}

impl Reading {
    /// With the keep-alive interval of the connection.
    pub(super) fn new(keep_alive: Duration) -> Self {
        Reading {
            // A broker gives a client 1.5 keep-alives, and pings go out every one of them.
            pause: keep_alive / 4,
            mode: Mode::Free,
        }
    }

    /// The intake has room, or has not.
    pub(super) fn room(&mut self, has_room: bool, now: Instant) {
        match self.mode {
            Mode::Paused { .. } | Mode::Draining if has_room => self.mode = Mode::Free,
            Mode::Free if !has_room => {
                self.mode = Mode::Paused {
                    until: now + self.pause,
                }
            }
            Mode::Free | Mode::Paused { .. } | Mode::Draining => {}
        }
    }

    /// The broker answered a ping, so there is time for another pause.
    pub(super) fn ping_answered(&mut self, now: Instant) {
        if self.mode == Mode::Draining {
            self.mode = Mode::Paused {
                until: now + self.pause,
            };
        }
    }

    /// Time has passed.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Mode::Paused { until } = self.mode
            && until <= now
        {
            self.mode = Mode::Draining;
        }
    }

    /// Whether the socket is not to be read.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.mode, Mode::Paused { .. })
    }

    /// Whether QoS 0 messages are to be dropped.
    pub(super) fn drops(&self) -> bool {
        self.mode == Mode::Draining
    }

    /// When [`Reading::expire`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.mode {
            Mode::Paused { until } => Some(until),
            Mode::Free | Mode::Draining => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_pause_ends_with_room_or_after_a_quarter_of_the_keep_alive() {
        let start = clock::monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut reading = Reading::new(Duration::from_secs(40));
        assert!(!reading.is_paused() && !reading.drops());

        reading.room(false, at(0));
        assert!(reading.is_paused());
        assert_eq!(reading.deadline(), Some(at(10)));
        reading.room(true, at(1));
        assert!(!reading.is_paused());

        reading.room(false, at(2));
        reading.expire(at(11));
        assert!(reading.is_paused());
        reading.expire(at(12));
        assert!(!reading.is_paused() && reading.drops());
        reading.room(false, at(13));
        assert!(reading.drops(), "no new pause before the keep-alive is safe");
        reading.ping_answered(at(20));
        assert!(reading.is_paused());
        assert_eq!(reading.deadline(), Some(at(30)));
        reading.ping_answered(at(21));
        assert_eq!(reading.deadline(), Some(at(30)));
    }

    #[test]
    fn room_ends_the_dropping() {
        let start = clock::monotonic();
        let mut reading = Reading::new(Duration::from_secs(40));
        reading.room(false, start);
        reading.expire(start + Duration::from_secs(10));
        reading.room(true, start + Duration::from_secs(11));
        assert!(!reading.drops() && !reading.is_paused());
    }
}
