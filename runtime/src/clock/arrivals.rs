//! The time of arrival, made of the wall clock and the monotonic clock.
//!
//! | the wall clock | the time of arrival |
//! |---|---|
//! | goes forward | follows at once |
//! | goes back by up to [`SLOWED_MAX`] | runs on, a tenth slower, until the wall clock has caught up |
//! | goes back further | is set back at once |
//!
//! Why: `docs/decisions/0022-the-time-of-arrival.md`.

use rulemill_core::Micros;
use std::time::{Duration, Instant};

/// The state between two readings.
#[derive(Debug)]
pub(super) struct Arrivals {
    last: Option<Reading>,
    steps: Steps,
}

/// What steps of the wall clock did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// How often the time of arrival followed the wall clock forward.
    pub forward: u64,
    /// How often it was slowed, because the wall clock went back a little.
    pub slowed: u64,
    /// How often it was set back.
    pub set_back: u64,
    /// How far it is ahead of the wall clock.
    pub ahead: Duration,
}

/// A step of the wall clock that is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The time of arrival followed it.
    Forward { by: Duration },
    /// The time of arrival is ahead by so much more, and runs slower.
    Slowed { by: Duration },
    /// The time of arrival was set back.
    SetBack { by: Duration },
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    monotonic: Instant,
    /// In nanoseconds, so that running a tenth slower does not vanish between readings that follow closely.
    arrival: i128,
    /// How far that is ahead of the wall clock, in nanoseconds; not negative.
    ahead: i128,
}

impl Arrivals {
    pub(super) const fn new() -> Self {
        Arrivals {
            last: None,
            steps: Steps {
                forward: 0,
                slowed: 0,
                set_back: 0,
                ahead: Duration::ZERO,
            },
        }
    }

    /// An earlier process has read `arrival` last. That matters when the wall clock is before it.
    pub(super) fn resume(&mut self, monotonic: Instant, wall: Micros, arrival: Micros) {
        let (wall, arrival) = (i128::from(wall.0) * 1000, i128::from(arrival.0) * 1000);
        if wall < arrival && self.last.is_none_or(|known| known.arrival < arrival) {
            self.remember(monotonic, arrival, wall);
        }
    }

    /// The time of arrival when the clocks show this. Readings must be taken in order.
    pub(super) fn read(&mut self, monotonic: Instant, wall: Micros) -> (Micros, Option<Step>) {
        let wall = i128::from(wall.0) * 1000;
        let Some(last) = self.last else {
            self.remember(monotonic, wall, wall);
            return (micros(wall), None);
        };
        let elapsed = nanos(monotonic.saturating_duration_since(last.monotonic));
        let ahead = last.arrival + elapsed - wall;
        let (arrival, step) = if ahead <= 0 {
            let by = duration(-ahead);
            (wall, (by >= STEP_MIN).then_some(Step::Forward { by }))
        } else if ahead <= nanos(SLOWED_MAX) {
            let by = duration(ahead - last.ahead);
            let slowed = ahead.min(elapsed / SLOWED_BY);
            let step = (by >= STEP_MIN).then_some(Step::Slowed { by });
            (last.arrival + elapsed - slowed, step)
        } else {
            (wall, Some(Step::SetBack { by: duration(ahead) }))
        };
        match step {
            None => {}
            Some(Step::Forward { .. }) => self.steps.forward += 1,
            Some(Step::Slowed { .. }) => self.steps.slowed += 1,
            Some(Step::SetBack { .. }) => self.steps.set_back += 1,
        }
        self.remember(monotonic, arrival, wall);
        (micros(arrival), step)
    }

    pub(super) fn steps(&self) -> Steps {
        self.steps
    }

    fn remember(&mut self, monotonic: Instant, arrival: i128, wall: i128) {
        let ahead = arrival - wall;
        self.steps.ahead = duration(ahead);
        self.last = Some(Reading {
            monotonic,
            arrival,
            ahead,
        });
    }
}

fn micros(nanos: i128) -> Micros {
    Micros(i64::try_from(nanos.div_euclid(1000)).unwrap_or(i64::MAX))
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / 4)
}

fn duration(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

/// The furthest that the wall clock may go back without the time of arrival going back. What is more is no correction
/// of a clock that ran badly but of one that was wrong.
const SLOWED_MAX: Duration = Duration::from_secs(600);

/// By which part the time of arrival is slowed.
const SLOWED_BY: i128 = 10;

/// Smaller steps are not told of: clocks are adjusted all the time, and a thread may be held up between two readings.
const STEP_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    /// Clocks that are set by hand, in microseconds.
    struct Clocks {
        start: Instant,
        elapsed: u64,
        wall: i64,
        arrivals: Arrivals,
    }

    const NOON: i64 = 1_795_435_200_000_000;
    const SECOND: u64 = 1_000_000;

    impl Clocks {
        fn at(wall: i64) -> Self {
            let mut clocks = Clocks {
                start: monotonic(),
                elapsed: 0,
                wall,
                arrivals: Arrivals::new(),
            };
            assert_eq!(clocks.read(), (wall, None));
            clocks
        }

        fn read(&mut self) -> (i64, Option<Step>) {
            let monotonic = self.start + Duration::from_micros(self.elapsed);
            let (now, step) = self.arrivals.read(monotonic, Micros(self.wall));
            (now.0, step)
        }

        /// Lets both clocks run; gives the time of arrival then.
        fn run(&mut self, micros: u64) -> i64 {
            self.elapsed += micros;
            self.wall += micros.cast_signed();
            let (now, step) = self.read();
            assert_eq!(step, None);
            now
        }

        /// Sets the wall clock, as NTP or a person does.
        fn set(&mut self, by: i64) -> (i64, Option<Step>) {
            self.wall += by;
            self.read()
        }
    }

    #[test]
    fn a_process_that_begins_again_goes_on_from_where_the_one_before_was() {
        let resumed = |last: i64| {
            let mut clocks = Clocks {
                start: monotonic(),
                elapsed: 0,
                wall: NOON,
                arrivals: Arrivals::new(),
            };
            clocks.arrivals.resume(clocks.start, Micros(NOON), Micros(last));
            clocks
        };
        let second = SECOND.cast_signed();
        // The wall clock went on meanwhile, and that is no step.
        assert_eq!(resumed(NOON - 3600 * second).read(), (NOON, None));
        // It was corrected a little.
        let mut clocks = resumed(NOON + 5 * second);
        assert_eq!(clocks.read(), (NOON + 5 * second, None));
        assert_eq!(clocks.run(10 * SECOND), NOON + 14 * second);
        assert_eq!(clocks.run(100 * SECOND), clocks.wall);
        // It was wrong by far.
        let (now, step) = resumed(NOON + 3600 * second).read();
        assert_eq!(now, NOON);
        assert!(matches!(step, Some(Step::SetBack { .. })), "{step:?}");
    }

    #[test]
    fn it_is_the_wall_clock_while_that_runs_as_it_should() {
        let mut clocks = Clocks::at(NOON);
        for step in [1, 17, SECOND, 3600 * SECOND] {
            assert_eq!(clocks.run(step), clocks.wall);
        }
        assert_eq!(clocks.arrivals.steps(), Steps::default());
    }

    #[test]
    fn it_follows_a_step_forward_at_once_by_an_hour_and_by_decades() {
        for (start, by) in [(NOON, 3600 * SECOND), (0, NOON.unsigned_abs())] {
            let mut clocks = Clocks::at(start);
            let step = Step::Forward {
                by: Duration::from_micros(by),
            };
            assert_eq!(clocks.set(by.cast_signed()), (start + by.cast_signed(), Some(step)));
            assert_eq!(clocks.run(SECOND), clocks.wall);
            assert_eq!(clocks.arrivals.steps().forward, 1);
        }
    }

    #[test]
    fn after_a_small_step_back_it_runs_on_slower_until_the_wall_clock_has_caught_up() {
        let mut clocks = Clocks::at(NOON);
        let by = Duration::from_secs(6);
        assert_eq!(clocks.set(-6_000_000), (NOON, Some(Step::Slowed { by })));
        assert_eq!(clocks.arrivals.steps().ahead, by);
        assert_eq!(clocks.run(10 * SECOND), NOON + 9_000_000);
        assert_eq!(clocks.arrivals.steps().ahead, Duration::from_secs(5));
        assert_eq!(clocks.run(49 * SECOND), NOON + 53_100_000);
        assert_eq!(clocks.run(SECOND), clocks.wall);
        assert_eq!(clocks.run(SECOND), clocks.wall);
        let expected = Steps {
            slowed: 1,
            ..Steps::default()
        };
        assert_eq!(clocks.arrivals.steps(), expected);
    }

    #[test]
    fn it_is_slowed_by_readings_that_follow_closely_too() {
        let mut clocks = Clocks::at(NOON);
        clocks.set(-2_000_000);
        for _ in 0..SECOND {
            clocks.run(1);
        }
        assert_eq!(clocks.run(0), NOON + 900_000);
    }

    #[test]
    fn it_never_goes_back_by_small_steps_however_many() {
        let mut clocks = Clocks::at(NOON);
        let mut latest = NOON;
        for number in 1..=80 {
            let (now, _) = clocks.set(-7_000_000);
            assert!(now >= latest, "step {number}");
            latest = clocks.run(SECOND);
            assert!(latest > now, "step {number}");
        }
        assert_eq!(clocks.arrivals.steps().set_back, 0);
        assert_eq!(clocks.arrivals.steps().slowed, 80);
    }

    #[test]
    fn after_a_large_step_back_it_is_the_wall_clock_at_once() {
        let mut clocks = Clocks::at(NOON);
        let by = Duration::from_secs(3600);
        let (now, step) = clocks.set(-3_600_000_000);
        assert_eq!((now, step), (clocks.wall, Some(Step::SetBack { by })));
        assert_eq!(clocks.run(SECOND), clocks.wall);
        let expected = Steps {
            set_back: 1,
            ..Steps::default()
        };
        assert_eq!(clocks.arrivals.steps(), expected);
    }

    #[test]
    fn ten_minutes_are_the_last_small_step() {
        let mut clocks = Clocks::at(NOON);
        assert!(matches!(clocks.set(-600_000_000).1, Some(Step::Slowed { .. })));
        let mut clocks = Clocks::at(NOON);
        assert!(matches!(clocks.set(-600_000_001).1, Some(Step::SetBack { .. })));
    }

    #[test]
    fn small_steps_that_add_up_beyond_the_bound_set_it_back() {
        let mut clocks = Clocks::at(NOON);
        clocks.set(-400_000_000);
        let (now, step) = clocks.set(-400_000_000);
        assert_eq!(now, clocks.wall);
        assert!(matches!(step, Some(Step::SetBack { .. })));
    }

    #[test]
    fn a_step_forward_ends_the_slowing() {
        let mut clocks = Clocks::at(NOON);
        clocks.set(-60_000_000);
        assert_eq!(clocks.set(30_000_000), (NOON, None), "half of the way is no news");
        let by = Duration::from_secs(10);
        assert_eq!(clocks.set(40_000_000), (clocks.wall, Some(Step::Forward { by })));
        assert_eq!(clocks.run(SECOND), clocks.wall);
    }

    #[test]
    fn a_step_that_happened_while_nobody_looked_is_seen_at_the_next_reading() {
        let mut clocks = Clocks::at(NOON);
        clocks.elapsed += 7200 * SECOND;
        clocks.wall += 3_600_000_000;
        assert!(matches!(clocks.read(), (now, Some(Step::SetBack { .. })) if now == clocks.wall));
    }

    #[test]
    fn clocks_at_the_ends_of_their_range_do_no_harm() {
        let mut clocks = Clocks::at(i64::MAX);
        assert_eq!(clocks.set(-1).0, i64::MAX);
        clocks.elapsed += SECOND;
        assert!(clocks.read().0 > i64::MAX - 1_000_000);
        clocks.wall = 0;
        assert_eq!(clocks.read().0, 0);
        clocks.wall = i64::MIN;
        assert_eq!(clocks.read().0, i64::MIN);
    }
}
