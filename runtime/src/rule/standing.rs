//! Whether a call is made at all. What fails batch after batch, or loses much time by calls that overrun, is suspended: for
//! a second at first, then twice as long each time that it fails again, up to `limits.suspend_max`. One batch that it
//! computes ends that. Why it is so, and not otherwise, is in `docs/decisions/0026-suspension.md`.
//!
//! Times are those of one clock, since some moment. Nothing here reads it.

use crate::config::LimitsConfig;
use std::time::Duration;

/// How one operation of a guest stands, over all batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Batches in a row of which it computed nothing.
    failing: u32,
    /// Batches that counted against it, since nothing did.
    bad: u32,
    /// Time that it lost, less what others would not have missed of that.
    lost: Duration,
    /// Up to when the latter has been taken off.
    drained: Duration,
    suspended: Option<Suspended>,
}

/// Calls are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspended {
    /// Since when they are, but for attempts.
    pub(super) since: Duration,
    /// From then on the next batch is tried.
    pub(super) until: Duration,
    /// Batches that counted against it, attempts included.
    pub(super) batches: u32,
    /// Why the last one failed.
    pub(super) reason: String,
    pause: Duration,
}

/// What the calls of one batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome<'a> {
    /// Some rows were computed.
    pub(super) succeeded: bool,
    /// The last reason for which a call trapped or gave what was not agreed.
    pub(super) failed: Option<&'a str>,
    /// How long calls took that failed, but for those that failed at once.
    pub(super) lost: Duration,
}

/// When calls are suspended, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// `limits.suspend_after_batches`
    pub(super) after_batches: u32,
    /// `limits.suspend_max`
    pub(super) pause_max: Duration,
    /// `limits.call_timeout`
    pub(super) call_timeout: Duration,
}

impl Standing {
    /// Whether nothing is held against it.
    pub(super) fn is_clear(&self) -> bool {
        self.failing == 0 && self.bad == 0 && self.lost.is_zero() && self.suspended.is_none()
    }

    /// Why calls are not made now, if they are not.
    pub(super) fn refuses(&self, now: Duration) -> Option<&Suspended> {
        self.suspended().filter(|suspended| now < suspended.until)
    }

    /// Whether it is suspended, be it that the next batch is tried.
    pub(super) fn suspended(&self) -> Option<&Suspended> {
        self.suspended.as_ref()
    }

    /// Judges what a batch showed. Nothing is known of a batch that called nothing.
    pub(super) fn judge(&mut self, outcome: Outcome<'_>, now: Duration, policy: &Policy) {
        self.drain(now);
        self.lost = self.lost.saturating_add(outcome.lost);
        let overran = outcome.lost >= policy.call_timeout / 2;
        let Some(reason) = outcome.failed else {
            if outcome.succeeded {
                self.computed();
            }
            return;
        };
        if outcome.succeeded && !overran {
            self.computed();
            return;
        }
        self.bad = self.bad.saturating_add(1);
        self.failing = if outcome.succeeded {
            0
        } else {
            self.failing.saturating_add(1)
        };
        match &mut self.suspended {
            Some(suspended) => suspended.go_on(reason, now, policy),
            None if self.failing >= policy.after_batches || self.lost >= policy.lost_max() => {
                self.suspended = Some(Suspended::begin(self.bad, reason, now, policy));
            }
            None => {}
        }
    }

    /// Some rows were computed, and it did not take long.
    fn computed(&mut self) {
        self.failing = 0;
        if self.suspended.take().is_some() {
            self.lost = Duration::ZERO;
        }
        if self.lost.is_zero() {
            self.bad = 0;
        }
    }

    /// A tenth of the time that passes may be lost: others wait so little for it that it is not worth a message.
    fn drain(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.drained);
        self.drained = now;
        self.lost = self.lost.saturating_sub(passed / LOST_SHARE);
    }
}

impl Suspended {
    fn begin(batches: u32, reason: &str, now: Duration, policy: &Policy) -> Self {
        let pause = PAUSE_MIN.min(policy.pause_max);
        Suspended {
            since: now,
            until: now.saturating_add(pause),
            batches,
            reason: reason.to_owned(),
            pause,
        }
    }

    fn go_on(&mut self, reason: &str, now: Duration, policy: &Policy) {
        self.pause = self.pause.saturating_mul(2).min(policy.pause_max);
        self.until = now.saturating_add(self.pause);
        self.batches = self.batches.saturating_add(1);
        reason.clone_into(&mut self.reason);
    }
}

impl From<&LimitsConfig> for Policy {
    fn from(limits: &LimitsConfig) -> Self {
        Policy {
            after_batches: limits.suspend_after_batches,
            pause_max: limits.suspend_max,
            call_timeout: limits.call_timeout,
        }
    }
}

impl Policy {
    /// So much time may be lost at once.
    fn lost_max(&self) -> Duration {
        self.call_timeout.saturating_mul(LOST_CALLS_MAX)
    }
}

/// The first pause.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// One part in so many of the time may be lost for ever.
const LOST_SHARE: u32 = 10;
/// So many times `limits.call_timeout` may be lost beyond that.
const LOST_CALLS_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        after_batches: 3,
        pause_max: Duration::from_secs(10),
        call_timeout: ms(50),
    };

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const COMPUTED: Outcome<'_> = Outcome {
        succeeded: true,
        failed: None,
        lost: Duration::ZERO,
    };
    const TRAPPED: Outcome<'_> = Outcome {
        succeeded: false,
        failed: Some("trapped"),
        lost: Duration::ZERO,
    };
    const IN_PART: Outcome<'_> = Outcome {
        succeeded: true,
        ..TRAPPED
    };
    /// All rows but one were computed, and it took its time to find that one.
    const OVERRAN: Outcome<'_> = Outcome {
        lost: ms(80),
        ..IN_PART
    };

    /// What batches at these milliseconds lead to: until when calls are refused after each, in milliseconds.
    fn pauses(standing: &mut Standing, batches: &[(u64, Outcome<'_>)]) -> Vec<Option<u128>> {
        let judge = |&(at, outcome): &(u64, Outcome<'_>)| {
            assert_eq!(standing.refuses(ms(at)), None, "it is called at {at}");
            standing.judge(outcome, ms(at), &POLICY);
            standing.suspended().map(|suspended| suspended.until.as_millis())
        };
        batches.iter().map(judge).collect()
    }

    #[test]
    fn batches_that_trap_in_a_row_suspend_it_for_longer_and_longer() {
        let mut standing = Standing::default();
        let times = [0, 10, 20, 1020, 3020, 7020, 15_020, 25_020];
        let found = pauses(&mut standing, &times.map(|at| (at, TRAPPED)));
        let expected = [1020, 3020, 7020, 15_020, 25_020, 35_020].map(Some);
        assert_eq!(found, [&[None, None][..], &expected].concat());
        assert!(standing.refuses(ms(35_019)).is_some());
        assert_eq!(standing.refuses(ms(35_020)), None, "the next batch is tried");
        let suspended = standing.suspended().unwrap();
        assert_eq!((suspended.since, suspended.batches), (ms(20), 8));
        assert_eq!(suspended.reason, "trapped");
    }

    #[test]
    fn a_batch_that_is_computed_in_part_does_not_count() {
        let mut standing = Standing::default();
        let batches = [TRAPPED, TRAPPED, IN_PART, TRAPPED, TRAPPED, COMPUTED, TRAPPED, TRAPPED];
        let batches: Vec<_> = (0..).zip(batches).collect();
        assert_eq!(pauses(&mut standing, &batches), [None; 8]);
    }

    #[test]
    fn one_batch_that_is_computed_ends_it_and_the_next_pause_is_short_again() {
        for end in [COMPUTED, IN_PART] {
            let mut standing = Standing::default();
            pauses(&mut standing, &[0, 1, 2, 2000, 5000].map(|at| (at, TRAPPED)));
            assert_eq!(pauses(&mut standing, &[(9000, end)]), [None]);
            assert!(standing.is_clear());
            let again = pauses(&mut standing, &[9001, 9002, 9003].map(|at| (at, TRAPPED)));
            assert_eq!(again, [None, None, Some(10_003)]);
        }
    }

    #[test]
    fn a_batch_that_called_nothing_says_nothing() {
        let mut standing = Standing::default();
        pauses(&mut standing, &[(0, TRAPPED), (1, TRAPPED), (2, Outcome::default())]);
        assert_eq!(pauses(&mut standing, &[(3, TRAPPED)]), [Some(1003)]);
    }

    #[test]
    fn time_that_is_lost_again_and_again_suspends_it_though_rows_are_computed() {
        let mut standing = Standing::default();
        // 80 ms each 100 ms, of which 10 are forgiven: 500 are lost with the seventh.
        let times: Vec<_> = (0..7).map(|batch| (batch * 100, OVERRAN)).collect();
        let found = pauses(&mut standing, &times);
        assert_eq!(found, [&[None; 6][..], &[Some(1600)]].concat());
        assert_eq!(standing.suspended().unwrap().batches, 7);
        assert_eq!(pauses(&mut standing, &[(1600, OVERRAN)]), [Some(3600)]);
        assert_eq!(pauses(&mut standing, &[(3600, COMPUTED)]), [None]);
        assert!(standing.is_clear());
    }

    #[test]
    fn a_row_that_overruns_now_and_then_is_borne_for_ever() {
        let mut standing = Standing::default();
        let times: Vec<_> = (0..1000).map(|batch| (batch * 800, OVERRAN)).collect();
        assert_eq!(pauses(&mut standing, &times), vec![None; 1000]);
    }

    #[test]
    fn a_pause_is_never_longer_than_the_longest() {
        let policy = Policy {
            pause_max: ms(200),
            ..POLICY
        };
        let mut standing = Standing::default();
        for at in [0, 1, 2, 202, 402] {
            standing.judge(TRAPPED, ms(at), &policy);
        }
        assert_eq!(standing.suspended().unwrap().until, ms(602));
    }

    #[test]
    fn a_time_before_the_last_one_changes_nothing_for_the_worse() {
        let mut standing = Standing::default();
        standing.judge(OVERRAN, ms(1000), &POLICY);
        standing.judge(OVERRAN, ms(0), &POLICY);
        assert_eq!(standing.lost, ms(160));
    }
}
