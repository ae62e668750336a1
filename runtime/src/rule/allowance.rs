//! How much time the calls of one guest have for a batch.
//!
//! A call may take `limits.call_timeout`. When one fails, its rows are tried again in parts, and every part could overrun
//! too. So all that a guest does again in a batch has together little more than the time of one call: each part gets a
//! share of what is left, by its rows, and when nothing is left the rest is given up untried. The share never goes below
//! some epochs, so that a search for one row among a thousand comes to its end.

use std::time::Duration;

/// The time of one guest for the batch at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowance {
    batch: u64,
    /// What was spent since the first call that failed; `None`: none has.
    spent: Option<Duration>,
}

/// How long the next call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallTime {
    /// As long as the limits say.
    Full,
    /// Less, because the guest has lost time in this batch already.
    Less {
        /// The call.
        call: Duration,
        /// Making an instance for it, and preparing that, where there is none.
        start: Duration,
    },
}

/// A guest that is called within its allowance.
pub(super) trait Allowed {
    /// What it has left.
    fn allowance(&mut self) -> &mut Allowance;

    /// `limits.call_timeout`, as it holds for the guest.
    fn call_timeout(&self) -> Duration;

    /// Says how long the next call may take.
    fn allow(&mut self, time: CallTime);
}

impl Allowance {
    /// The allowance in this batch: a fresh one, if the batch is another than the last time.
    pub(super) fn in_batch(&mut self, batch: u64) -> &mut Self {
        if self.batch != batch {
            *self = Allowance { batch, spent: None };
        }
        self
    }

    /// The time of a call that is no second attempt. Another function of a library whose time is spent is not to blame,
    /// so it has some time in any case.
    pub(super) fn first(&self, timeout: Duration) -> CallTime {
        match self.spent {
            None => CallTime::Full,
            Some(spent) => {
                let least = (timeout / FIRST_SHARE).max(PART_MIN);
                let time = budget(timeout).saturating_sub(spent).max(least).min(timeout);
                CallTime::Less {
                    call: time,
                    start: time,
                }
            }
        }
    }

    /// The time of a call with `rows` of the `of` rows of a call that failed. `None`: there is none left.
    pub(super) fn part(&self, rows: usize, of: usize, timeout: Duration) -> Option<CallTime> {
        let left = budget(timeout).saturating_sub(self.spent.unwrap_or_default());
        if left < PART_MIN {
            return None;
        }
        // Half of its share: were it all, the two largest parts that overrun would leave nothing to the small ones.
        let share = left.mul_f64(rows.min(of) as f64 / of.max(1) as f64 / 2.0);
        Some(CallTime::Less {
            call: share.max(PART_MIN),
            start: left,
        })
    }

    /// Books a call that was no second attempt: the first one that fails had its own time, and what succeeds costs
    /// nothing beyond what it must.
    pub(super) fn book_first(&mut self, took: Duration, failed: bool) {
        self.spent = match (self.spent, failed) {
            (None, true) => Some(Duration::ZERO),
            (Some(spent), true) => Some(spent.saturating_add(took)),
            (spent, false) => spent,
        };
    }

    /// Books a call with a part of the rows of a call that failed.
    pub(super) fn book_part(&mut self, took: Duration) {
        self.spent = Some(self.spent.unwrap_or_default().saturating_add(took));
    }
}

impl CallTime {
    /// The time of a call, of the full one and of another.
    pub(super) fn of_call(self, timeout: Duration) -> Duration {
        match self {
            CallTime::Full => timeout,
            CallTime::Less { call, .. } => call.min(timeout),
        }
    }

    /// The same for what makes an instance ready.
    pub(super) fn to_start(self) -> Self {
        match self {
            CallTime::Full => CallTime::Full,
            CallTime::Less { start, .. } => CallTime::Less { call: start, start },
        }
    }
}

/// What a guest may spend in a batch after the first call that failed: so much that, with that call, others wait for less
/// than two calls, and that a search comes to its end.
pub(super) fn budget(timeout: Duration) -> Duration {
    (timeout * 4 / 5).max(BUDGET_MIN)
}

/// The least time of a part: two epochs.
pub(super) const PART_MIN: Duration = Duration::from_millis(2);
/// Ten halvings from a full batch to one row, and as many once more.
const BUDGET_MIN: Duration = Duration::from_millis(40);
/// Which part of the full time a function has when others of its library have spent all of it.
const FIRST_SHARE: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const TIMEOUT: Duration = ms(50);

    fn call(time: CallTime) -> Duration {
        time.of_call(TIMEOUT)
    }

    /// Searches as [`rulemill_core`] does, where the rows of `bad` overrun whatever time they get and the others take
    /// none. Gives the rows that were given up, and the time that was lost.
    fn search(rows: usize, bad: impl Fn(usize) -> bool) -> (Vec<usize>, Duration) {
        let mut allowance = Allowance::default();
        let mut lost = call(allowance.first(TIMEOUT));
        allowance.book_first(lost, true);
        let mut given_up = Vec::new();
        let mut parts = vec![(rows / 2..rows), (0..rows / 2)];
        while let Some(part) = parts.pop() {
            let Some(time) = allowance.part(part.len(), rows, TIMEOUT) else {
                given_up.extend(part);
                continue;
            };
            if !part.clone().any(&bad) {
                allowance.book_part(Duration::ZERO);
                continue;
            }
            allowance.book_part(call(time));
            lost += call(time);
            if part.len() == 1 {
                given_up.extend(part);
            } else {
                let middle = part.start + part.len() / 2;
                parts.push(middle..part.end);
                parts.push(part.start..middle);
            }
        }
        (given_up, lost)
    }

    #[test]
    fn one_row_among_a_thousand_is_found_alone_in_time() {
        for poison in [0, 511, 700, 1023] {
            let (given_up, lost) = search(1024, |row| row == poison);
            assert_eq!(given_up, [poison]);
            assert!(lost < ms(90), "{lost:?}");
        }
    }

    #[test]
    fn rows_that_all_overrun_cost_less_than_two_calls() {
        let (given_up, lost) = search(1024, |_| true);
        assert_eq!(given_up.len(), 1024);
        assert!((ms(80)..ms(95)).contains(&lost), "{lost:?}");
    }

    #[test]
    fn a_part_gets_half_of_its_share_of_what_is_left() {
        let mut allowance = Allowance::default();
        allowance.book_first(ms(50), true);
        assert_eq!(allowance.part(512, 1024, TIMEOUT).map(call), Some(ms(10)));
        allowance.book_part(ms(10));
        assert_eq!(allowance.part(512, 1024, TIMEOUT).map(call), Some(ms(30) / 4));
        assert_eq!(allowance.part(1, 1024, TIMEOUT).map(call), Some(PART_MIN));
        allowance.book_part(ms(29));
        assert_eq!(allowance.part(1, 1024, TIMEOUT), None);
        assert_eq!(allowance.part(0, 0, TIMEOUT), None);
    }

    #[test]
    fn an_instance_for_a_part_may_take_all_that_is_left() {
        let mut allowance = Allowance::default();
        allowance.book_first(ms(50), true);
        let time = allowance.part(1, 1024, TIMEOUT).unwrap();
        assert_eq!(call(time.to_start()), ms(40));
    }

    #[test]
    fn another_function_has_what_is_left_and_some_time_in_any_case() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.first(TIMEOUT), CallTime::Full);
        allowance.book_first(ms(7), false);
        assert_eq!(allowance.first(TIMEOUT), CallTime::Full);
        allowance.book_first(ms(50), true);
        assert_eq!(call(allowance.first(TIMEOUT)), ms(40));
        allowance.book_first(ms(35), false);
        assert_eq!(call(allowance.first(TIMEOUT)), ms(40), "what succeeds costs nothing");
        allowance.book_first(ms(40), true);
        assert_eq!(call(allowance.first(TIMEOUT)), ms(5));
    }

    #[test]
    fn the_next_batch_has_all_of_it_again() {
        let mut allowance = Allowance::default();
        allowance.in_batch(1).book_first(ms(50), true);
        allowance.in_batch(1).book_part(ms(40));
        assert_eq!(allowance.in_batch(1).part(1, 2, TIMEOUT), None);
        assert_eq!(allowance.in_batch(2).first(TIMEOUT), CallTime::Full);
    }

    #[test]
    fn a_short_timeout_leaves_time_for_a_search() {
        assert_eq!(budget(ms(1)), ms(40));
        assert_eq!(budget(Duration::from_secs(60)), Duration::from_secs(48));
        let mut allowance = Allowance::default();
        allowance.book_first(ms(1), true);
        let time = allowance.part(512, 1024, ms(1)).unwrap();
        assert_eq!(time.of_call(ms(1)), ms(1), "never more than the limit");
    }
}
