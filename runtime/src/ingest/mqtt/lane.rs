//! One lane of a source: a connection to the broker under a client id of its own, made again whenever it is lost.
//!
//! Each attempt to connect has a client of its own, because a reused one loses requests and acknowledges messages of
//! the old connection. Attempts are 1 s to 120 s apart, at random.

use super::connection;
use super::ended::Ended;
use super::intake::{Intake, Session};
use super::orders::{Orders, Reports};
use super::oversize::Approach;
use super::subscriptions::Subscriptions;
use super::{SourceLinks, Timing};
use crate::clock;
use crate::config::SourceConfig;
use crate::ingest::rejects::Rejects;
use crate::telemetry::source::{DisconnectReason, SourceMetrics};
use crate::topic::TopicFilter;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{error, info, warn};

/// A lane, and what outlives a connection of it.
pub(super) struct Lane {
    pub(super) config: SourceConfig,
    pub(super) name: String,
    pub(super) metrics: Arc<SourceMetrics>,
    pub(super) intake: Intake,
    pub(super) subscriptions: Subscriptions,
    pub(super) orders: Orders,
    pub(super) reports: Reports,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) timing: Timing,
    pub(super) rejects: Rejects,
}

/// How a lane ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneEnd {
    /// As asked.
    Stopped,
    /// Its session is given up.
    Closed,
    /// The mills are gone.
    MillsGone,
}

impl Lane {
    /// A lane with `config`, which has its own client id. Its session may be subscribed to `left_behind`.
    pub(super) fn new(
        config: SourceConfig,
        links: &SourceLinks,
        orders: Orders,
        reports: Reports,
        left_behind: BTreeSet<TopicFilter>,
        timing: Timing,
    ) -> Self {
        let inlet = links.inlet.clone();
        Lane {
            name: inlet.source().to_owned(),
            intake: Intake::new(inlet, orders.clone(), Arc::clone(&links.metrics)),
            subscriptions: Subscriptions::new(left_behind, timing.subscribe),
            config,
            metrics: Arc::clone(&links.metrics),
            orders,
            reports,
            stop: links.stop.clone(),
            timing,
            rejects: links.rejects.clone(),
        }
    }

    /// Reads until it is told to stop or to close, or the mills are gone.
    pub(super) async fn run(mut self) -> LaneEnd {
        let mut oversize = false;
        loop {
            let approach = if oversize || self.orders.is_closing() {
                Approach::Purge
            } else {
                Approach::Normal
            };
            let ended = connection::run(&mut self, approach).await;
            self.intake.disconnected(self.session());
            oversize = false;
            match ended {
                Ended::Stopped => return self.finish().await,
                Ended::MillsGone => return LaneEnd::MillsGone,
                Ended::Purged if self.orders.is_closing() => {
                    info!(
                        source = self.name,
                        lane = self.orders.label(),
                        "the connection is not needed any more"
                    );
                    return LaneEnd::Closed;
                }
                Ended::Purged => {}
                // What the broker still has for this session is for nobody.
                Ended::Closing => continue,
                Ended::Oversize { bytes } => {
                    oversize = true;
                    self.log_oversize(bytes);
                }
                Ended::Failed { reason, message } => self.log_failed(reason, &message),
            }
            let wait = self.timing.backoff.next_delay(clock::monotonic());
            info!(
                source = self.name,
                lane = self.orders.label(),
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
    async fn finish(&mut self) -> LaneEnd {
        let left = async {
            while self.intake.offer().is_ok() && !self.intake.is_empty() && self.intake.room().await.is_ok() {}
        };
        if tokio::time::timeout(self.timing.stop, left).await.is_err() {
            error!(
                source = self.name,
                lane = self.orders.label(),
                "messages were left behind: the mills did not take them in time"
            );
        }
        LaneEnd::Stopped
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
            lane = self.orders.label(),
            bytes,
            bytes_max,
            "a packet is too large even to be skipped; the broker's queue is thrown away"
        );
    }

    fn log_failed(&self, reason: DisconnectReason, message: &str) {
        self.metrics.disconnects(reason).inc();
        warn!(
            source = self.name,
            lane = self.orders.label(),
            server = %self.config.server,
            client_id = self.config.client_id,
            reason = reason.as_str(),
            error = message,
            "not connected"
        );
    }
}
