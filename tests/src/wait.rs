//! Waiting for conditions, never for time.

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a condition may take that should hold at once, on a machine that has other things to do.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Waits until `look` gives something, and panics with `what` after `limit`.
pub async fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    wait_for_async(what, limit, async || look()).await
}

/// As [`wait_for`], for a condition that has to be asked for.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub async fn wait_for_async<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
        sleep(PAUSE).await;
    }
}

/// Lets time pass where time itself is meant, as with a network that is down for a second; never to wait for something.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub(crate) async fn pass(time: Duration) {
    sleep(time).await;
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
