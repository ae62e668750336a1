//! How long the steps of a stop may take: until a time, or until somebody is in a hurry.

use crate::clock;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The time that a stop has left.
pub(super) struct Patience {
    until: Instant,
    hurried: watch::Receiver<bool>,
}

impl Patience {
    /// So much from now on; nothing any more once `hurried` says true.
    pub(super) fn of(timeout: Duration, hurried: watch::Receiver<bool>) -> Self {
        Patience {
            until: clock::monotonic() + timeout,
            hurried,
        }
    }

    /// What is left for one step; every step has a little, even when the time is over.
    pub(super) fn left(&self) -> Duration {
        if *self.hurried.borrow() {
            return STEP_TIMEOUT_MIN;
        }
        self.until
            .saturating_duration_since(clock::monotonic())
            .max(STEP_TIMEOUT_MIN)
    }

    /// Ready when there is no time left for the step that begins now.
    pub(super) async fn over(&self) {
        let mut hurried = self.hurried.clone();
        let hurry = async {
            if hurried.wait_for(|hurried| *hurried).await.is_err() {
                // Whoever could hurry is gone.
                std::future::pending::<()>().await;
            }
        };
        // Only the end of one of them matters.
        let _ = tokio::time::timeout(self.left(), hurry).await;
    }

    /// What the step gives; `None` when it did not end in time.
    pub(super) async fn wait_for<T>(&self, step: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            given = step => Some(given),
            () = self.over() => None,
        }
    }
}

/// What each step of a stop may take, even when its time is over.
const STEP_TIMEOUT_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn a_hurry_ends_the_step_that_is_waited_for_and_those_that_follow() {
        let (hurry, hurried) = watch::channel(false);
        let patience = Patience::of(Duration::from_secs(3600), hurried);
        assert!(patience.left() > Duration::from_secs(3000));
        let (first, ()) = tokio::join!(patience.wait_for(pending::<()>()), async {
            hurry.send_replace(true);
        });
        assert_eq!(first, None);
        assert_eq!(patience.wait_for(pending::<()>()).await, None);
        assert_eq!(patience.wait_for(ready(5)).await, Some(5));
    }

    #[test]
    fn a_step_has_a_second_also_when_the_time_is_over() {
        let (_hurry, hurried) = watch::channel(false);
        assert_eq!(Patience::of(Duration::ZERO, hurried).left(), STEP_TIMEOUT_MIN);
    }
}
