//! The only place that reads a clock.

mod arrivals;

use arrivals::{Arrivals, Step};
use rulemill_core::Micros;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use arrivals::Steps;

/// The wall clock, UTC, to the microsecond.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn wall() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The time of arrival: what messages are stamped with, and by which windows end. It is the wall clock while that runs
/// as it should. When the wall clock goes back, this one runs on, somewhat slower until both agree; only when the wall
/// clock goes back by more than ten minutes this one does too. No thread sees it go back otherwise.
pub fn arrival() -> Micros {
    let (now, step) = {
        let mut arrivals = ARRIVALS.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.read(monotonic(), wall())
    };
    if let Some(step) = step {
        tell(&step);
    }
    now
}

/// The time of arrival goes on from where an earlier process left it, as if that had just read it. To be called before anything is
/// read.
pub fn resume(last: Micros) {
    let mut arrivals = ARRIVALS.lock().unwrap_or_else(PoisonError::into_inner);
    arrivals.resume(monotonic(), wall(), last);
}

/// What the wall clock did to the time of arrival so far.
pub fn arrival_steps() -> Steps {
    ARRIVALS.lock().unwrap_or_else(PoisonError::into_inner).steps()
}

/// The monotonic clock, for durations.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The monotonic clock as tokio's timers know it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn timers() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Lets some time pass. For what is to happen after a time, such as another attempt; who waits for a condition waits for
/// that.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The wall clock as the file system knows it, to compare with modification times.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn system() -> SystemTime {
    SystemTime::now()
}

fn tell(step: &Step) {
    match step {
        Step::Forward { by } => tracing::info!(
            seconds = by.as_secs_f64(),
            "the wall clock went forward, or the machine slept; open windows end earlier"
        ),
        Step::Slowed { by } => tracing::warn!(
            seconds = by.as_secs_f64(),
            "the wall clock went back; the time of arrival runs slower until both agree"
        ),
        Step::SetBack { by } => tracing::warn!(
            seconds = by.as_secs_f64(),
            "the wall clock went back by far; open windows end as they are and begin anew in the new time"
        ),
    }
}

/// One for the process, as there is one wall clock. The lock is held for two readings of clocks: threads must not
/// see times in another order than that in which they were read.
static ARRIVALS: Mutex<Arrivals> = Mutex::new(Arrivals::new());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_see_the_time_of_arrival_in_one_order() {
        let latest = Mutex::new(Micros(i64::MIN));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let before = *latest.lock().unwrap();
                        let now = arrival();
                        assert!(now >= before);
                        let mut latest = latest.lock().unwrap();
                        *latest = now.max(*latest);
                    }
                });
            }
        });
    }
}
