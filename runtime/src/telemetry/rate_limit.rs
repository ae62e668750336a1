//! Repeated log lines: at most so many a second for each key, then only their number.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Says which of many like events may be logged. It reads no clock: whoever asks says when.
#[derive(Debug)]
pub struct RateLimited<K> {
    per_second_max: u32,
    seen: Mutex<HashMap<K, Second>>,
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be logged.
    Log {
        /// How many like it were not, since the last that was.
        suppressed: u64,
    },
    /// It may not.
    Suppress,
}

/// The events of one key since `start`.
#[derive(Clone, Copy, Debug)]
struct Second {
    start: Instant,
    logged: u32,
    suppressed: u64,
}

/// The most keys that are told apart. Further ones are suppressed until others have been silent for a second.
const KEYS_MAX: usize = 1024;

const SECOND: Duration = Duration::from_secs(1);

impl<K: Eq + Hash> RateLimited<K> {
    /// At most `per_second_max` events a second for each key.
    pub fn new(per_second_max: u32) -> Self {
        Self {
            per_second_max,
            seen: Mutex::new(HashMap::new()),
        }
    }

    /// Whether an event at `now` may be logged. Times of one key do not go backwards.
    pub fn check(&self, key: K, now: Instant) -> Verdict {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains_key(&key) && seen.len() >= KEYS_MAX {
            seen.retain(|_, second| now.duration_since(second.start) < SECOND);
            if seen.len() >= KEYS_MAX {
                return Verdict::Suppress;
            }
        }
        let second = seen.entry(key).or_insert(Second {
            start: now,
            logged: 0,
            suppressed: 0,
        });
        if now.duration_since(second.start) >= SECOND {
            second.start = now;
            second.logged = 0;
        }
        if second.logged < self.per_second_max {
            second.logged += 1;
            let suppressed = std::mem::take(&mut second.suppressed);
            Verdict::Log { suppressed }
        } else {
            second.suppressed += 1;
            Verdict::Suppress
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const LOG: Verdict = Verdict::Log { suppressed: 0 };

    #[test]
    fn repeats_within_a_second_are_counted_and_told_later() {
        let limit = RateLimited::new(2);
        let start = clock::monotonic();
        let at = |ms| limit.check("a", start + Duration::from_millis(ms));
        let verdicts = [at(0), at(10), at(20), at(999), at(1000), at(1001), at(1002)];
        let told = Verdict::Log { suppressed: 2 };
        assert_eq!(
            verdicts,
            [
                LOG,
                LOG,
                Verdict::Suppress,
                Verdict::Suppress,
                told,
                LOG,
                Verdict::Suppress
            ]
        );
    }

    #[test]
    fn keys_do_not_silence_each_other() {
        let limit = RateLimited::new(1);
        let now = clock::monotonic();
        assert_eq!(limit.check(1, now), LOG);
        assert_eq!(limit.check(1, now), Verdict::Suppress);
        assert_eq!(limit.check(2, now), LOG);
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_passes() {
        let limit = RateLimited::new(1);
        let now = clock::monotonic();
        for key in 0..KEYS_MAX {
            assert_eq!(limit.check(key, now), LOG);
        }
        assert_eq!(limit.check(KEYS_MAX, now), Verdict::Suppress);
        assert_eq!(limit.check(KEYS_MAX, now + SECOND), LOG);
        assert!(limit.seen.lock().unwrap().len() <= KEYS_MAX);
    }
}
