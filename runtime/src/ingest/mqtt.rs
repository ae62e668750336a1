//! A source that reads from an MQTT broker, for as long as rulemill runs.
//!
//! Messages are acknowledged when the inlet has accepted them, over the connection they came on. With a persistent
//! session (the default) the broker keeps QoS 1 messages while there is no connection, and sends again what was not
//! acknowledged; so a QoS 1 message may come twice, but is not lost. While the mills are behind, acknowledgements are
//! withheld and the connection stays up; see [`reading`] for what that means for QoS 0.
//!
//! Each attempt to connect has a client of its own, because a reused one loses requests and acknowledges messages of
//! the old connection. Attempts are 1 s to 120 s apart, at random.

mod connection;
mod ended;
mod intake;
mod options;
mod oversize;
mod reading;
mod subscriptions;

use super::inlet::Inlet;
use crate::backoff::Backoff;
use crate::clock;
use crate::config::SourceConfig;
use crate::telemetry::rate_limit::RateLimited;
use crate::telemetry::source::{DisconnectReason, SourceMetrics};
use crate::topic::TopicFilter;
use ended::Ended;
use intake::{Intake, Session};
use oversize::Approach;
use std::sync::Arc;
use std::time::Duration;
use subscriptions::{SubscribeTiming, Subscriptions};
use tokio::sync::watch;
use tracing::{error, info, warn};

/// Reads from a broker until `stop` is true (or its sender is gone), or the mills are gone. What was taken by then is
/// delivered and acknowledged, within 10 s.
///
/// `filters` is what the streams of this source need now, each any number of times, overlapping or not; the
/// subscriptions follow its changes.
pub async fn run(
    config: SourceConfig,
    inlet: Inlet,
    filters: watch::Receiver<Vec<TopicFilter>>,
    metrics: Arc<SourceMetrics>,
    stop: watch::Receiver<bool>,
) {
    let timing = Timing::default();
    Source::new(config, inlet, filters, metrics, stop, timing).run().await;
}

/// A broker, and what outlives a connection to it.
struct Source {
    config: SourceConfig,
    name: String,
    metrics: Arc<SourceMetrics>,
    intake: Intake,
    subscriptions: Subscriptions,
    filters: watch::Receiver<Vec<TopicFilter>>,
    stop: watch::Receiver<bool>,
    timing: Timing,
    /// The log lines about messages over the size limit.
    oversize_lines: RateLimited<()>,
}

/// How patient to be. Tests are less so.
#[derive(Clone, Debug)]
struct Timing {
    /// Starts over after a connection that lasted.
    backoff: Backoff,
    subscribe: SubscribeTiming,
    /// How long a stop may take.
    stop: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            backoff: Backoff::new(
                Duration::from_secs(1),
                Duration::from_secs(120),
                Duration::from_secs(30),
            ),
            subscribe: SubscribeTiming {
                answer: Duration::from_secs(10),
                retry: Duration::from_secs(30),
            },
            stop: Duration::from_secs(10),
        }
    }
}

impl Source {
    fn new(
        config: SourceConfig,
        inlet: Inlet,
        filters: watch::Receiver<Vec<TopicFilter>>,
        metrics: Arc<SourceMetrics>,
        stop: watch::Receiver<bool>,
        timing: Timing,
    ) -> Self {
        Source {
            name: inlet.source().to_owned(),
            intake: Intake::new(inlet, Arc::clone(&metrics)),
            subscriptions: Subscriptions::new(config.share_group.clone(), timing.subscribe),
            config,
            metrics,
            filters,
            stop,
            timing,
            oversize_lines: RateLimited::new(OVERSIZE_LINES_PER_SECOND_MAX),
        }
    }

    async fn run(mut self) {
        let mut approach = Approach::Normal;
        loop {
            let ended = connection::run(&mut self, approach).await;
            self.intake.disconnected(self.session());
            approach = Approach::Normal;
            match ended {
                Ended::Stopped => return self.finish().await,
                Ended::MillsGone => return error!(source = self.name, "the mill threads have stopped"),
                Ended::Purged => {}
                Ended::Oversize { bytes } => {
                    approach = Approach::Purge;
                    self.log_oversize(bytes);
                }
                Ended::Failed { reason, message } => self.log_failed(reason, &message),
            }
            let wait = self.timing.backoff.next_delay(clock::monotonic());
            info!(
                source = self.name,
                wait = %humantime::format_duration(wait),
                "the next attempt to connect waits"
            );
            if !self.wait(wait).await {
                return self.finish().await;
            }
        }
    }

    /// Waits so long, and until there is room for more messages; meanwhile what was taken goes on. False when it is
    /// time to stop.
    async fn wait(&mut self, wait: Duration) -> bool {
        let until = clock::monotonic() + wait;
        loop {
            if self.intake.offer().is_err() {
                return false;
            }
            let waited = clock::monotonic() >= until;
            if waited && self.intake.has_room() {
                return true;
            }
            tokio::select! {
                biased;
                () = connection::stopped(&mut self.stop) => return false,
                // An error shows again at the next offer.
                _ = self.intake.room() => {}
                () = tokio::time::sleep_until(until.into()), if !waited => {}
            }
        }
    }

    /// Delivers what a lost connection has left behind.
    async fn finish(&mut self) {
        let left = async {
            while self.intake.offer().is_ok() && !self.intake.is_empty() && self.intake.room().await.is_ok() {}
        };
        if tokio::time::timeout(self.timing.stop, left).await.is_err() {
            error!(
                source = self.name,
                "messages were left behind: the mills did not take them in time"
            );
        }
        info!(source = self.name, "stopped");
    }

    fn session(&self) -> Session {
        if self.config.clean_session {
            Session::Clean
        } else {
            Session::Kept
        }
    }

    fn log_oversize(&self, bytes: usize) {
        self.metrics.disconnects(DisconnectReason::Oversize).inc();
        self.metrics.oversize.inc();
        let bytes_max = self.config.packet_bytes_max;
        error!(
            source = self.name,
            bytes, bytes_max, "a packet is too large even to be skipped; the broker's queue is thrown away"
        );
    }

    fn log_failed(&self, reason: DisconnectReason, message: &str) {
        self.metrics.disconnects(reason).inc();
        warn!(
            source = self.name,
            server = %self.config.server,
            reason = reason.as_str(),
            error = message,
            "not connected"
        );
    }
}

/// The most log lines a second about messages over the size limit.
const OVERSIZE_LINES_PER_SECOND_MAX: u32 = 5;

#[cfg(test)]
pub(crate) mod tests;
