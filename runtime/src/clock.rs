//! The only place that reads a clock.

use rulemill_core::Micros;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The wall clock, UTC, to the microsecond.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn wall() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The monotonic clock, for durations.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The wall clock as the file system knows it, to compare with modification times.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn system() -> SystemTime {
    SystemTime::now()
}
