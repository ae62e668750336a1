//! A source that reads from an MQTT broker, for as long as rulemill runs.
//!
//! Messages are acknowledged when the inlet has accepted them, over the connection they came on. With a persistent
//! session (the default) the broker keeps QoS 1 messages while there is no connection, and sends again what was not
//! acknowledged; so a QoS 1 message may come twice, but is not lost. While the mills are behind, acknowledgements are
//! withheld and the connection stays up; see [`reading`] for what that means for QoS 0.
//!
//! A source has one connection, a [`lane`], and further ones where its filters overlap in part: a broker may send a
//! message once for each overlapping subscription of a session. [`assignment`] says which lane serves which filter.
//! A message that several of them match comes on each of their lanes, and each copy is delivered to those filters only
//! that its lane serves.

mod assignment;
mod connection;
mod ended;
mod intake;
mod lane;
mod options;
mod orders;
mod oversize;
mod reading;
mod subscriptions;

use super::inlet::Inlet;
use crate::backoff::Backoff;
use crate::config::SourceConfig;
use crate::limits::SOURCE_LANES_MAX;
use crate::message::Audience;
use crate::telemetry::source::SourceMetrics;
use crate::topic::TopicFilter;
use assignment::Assignment;
use lane::{Lane, LaneEnd};
use orders::{Duty, LanePlan, Orders, Plan, Reports};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use subscriptions::SubscribeTiming;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::{error, info};

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

/// A broker, and the lanes to it.
struct Source {
    config: SourceConfig,
    inlet: Inlet,
    metrics: Arc<SourceMetrics>,
    filters: watch::Receiver<Vec<TopicFilter>>,
    stop: watch::Receiver<bool>,
    timing: Timing,
    assignment: Assignment,
    /// The filters that could not be given a lane of their own and were told of.
    crowded: Vec<TopicFilter>,
    plan: watch::Sender<Plan>,
    reports: Reports,
    lanes: JoinSet<(usize, LaneEnd)>,
    running: BTreeSet<usize>,
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
            config,
            inlet,
            filters,
            stop,
            timing,
            assignment: Assignment::new(),
            crowded: Vec::new(),
            plan: watch::Sender::new(Plan::new()),
            reports: Reports::new(Arc::clone(&metrics)),
            metrics,
            lanes: JoinSet::new(),
            running: BTreeSet::new(),
        }
    }

    async fn run(mut self) {
        self.want();
        loop {
            tokio::select! {
                biased;
                () = connection::stopped(&mut self.stop) => break,
                Ok(()) = self.filters.changed() => self.want(),
                Some(ended) = self.lanes.join_next() => match lane_end(ended) {
                    (_, LaneEnd::Stopped) => break,
                    (lane, LaneEnd::Closed) => self.closed(lane),
                    (_, LaneEnd::MillsGone) => {
                        return error!(source = self.inlet.source(), "the mill threads have stopped");
                    }
                },
            }
        }
        while let Some(ended) = self.lanes.join_next().await {
            let _any = lane_end(ended);
        }
        info!(source = self.inlet.source(), "stopped");
    }

    /// Takes over what the streams need now.
    fn want(&mut self) {
        let mut wanted: BTreeMap<TopicFilter, BTreeSet<TopicFilter>> = BTreeMap::new();
        for filter in &*self.filters.borrow_and_update() {
            let subscribed = subscribed(filter, self.config.share_group.as_deref());
            wanted.entry(subscribed).or_default().insert(filter.clone());
        }
        self.assignment.want(&wanted.keys().cloned().collect());
        self.give_orders(&wanted);
        self.tell_crowded();
        for lane in 0..SOURCE_LANES_MAX {
            let there = self.plan.borrow().lanes[lane].duty != Duty::None;
            if there && self.running.insert(lane) {
                self.start(lane);
            }
        }
    }

    /// Tells the lanes what to do. `wanted` has the filters of the streams behind each that is subscribed to.
    fn give_orders(&self, wanted: &BTreeMap<TopicFilter, BTreeSet<TopicFilter>>) {
        let mut plan = Plan::new();
        for (lane, serves) in self.assignment.lanes() {
            let audience = serves.iter().filter_map(|filter| wanted.get(filter)).flatten().cloned();
            plan.lanes[lane] = LanePlan {
                audience: Audience::Filters(Arc::new(audience.collect())),
                serves: Arc::new(serves),
                duty: if self.assignment.is_closing(lane) {
                    Duty::Close
                } else {
                    Duty::Read
                },
            };
        }
        let needed = plan.lanes.each_ref().map(|lane| lane.duty == Duty::Read);
        if needed.iter().filter(|needed| **needed).count() == 1 {
            // One copy of each message comes, and is for whom it may concern.
            plan.lanes[0].audience = Audience::All;
        }
        self.reports.needed(needed);
        self.plan.send_replace(plan);
    }

    fn tell_crowded(&mut self) {
        let crowded = self.assignment.crowded();
        self.metrics
            .crowded_filters
            .set(i64::try_from(crowded.len()).unwrap_or(i64::MAX));
        if !crowded.is_empty() && crowded != self.crowded {
            let named: Vec<_> = crowded
                .iter()
                .take(FILTERS_NAMED_MAX)
                .map(ToString::to_string)
                .collect();
            error!(
                source = self.inlet.source(),
                filters = named.join(" "),
                count = crowded.len(),
                lanes = SOURCE_LANES_MAX,
                "these topic filters overlap in part and there are no more connections to keep them apart: a broker \
                 that sends a copy for each overlapping subscription brings their messages twice; make them equal, or \
                 let one cover the other"
            );
        }
        self.crowded = crowded;
    }

    fn start(&mut self, lane: usize) {
        let mut config = self.config.clone();
        config.client_id = config.lane_client_id(lane);
        let task = Lane::new(
            config,
            self.inlet.clone(),
            Orders::new(lane, self.plan.subscribe()),
            self.reports.clone(),
            self.stop.clone(),
            self.timing.clone(),
        );
        self.lanes.spawn(async move { (lane, task.run().await) });
    }

    fn closed(&mut self, lane: usize) {
        self.running.remove(&lane);
        self.assignment.closed(lane);
        self.plan.send_modify(|plan| plan.lanes[lane] = LanePlan::vacant());
    }
}

/// The filter that is subscribed to for a stream's filter.
fn subscribed(filter: &TopicFilter, share_group: Option<&str>) -> TopicFilter {
    match share_group {
        // The configuration has checked the group; were it wrong, an unshared subscription loses nothing.
        Some(group) if filter.share_group().is_none() => filter.shared(group).unwrap_or_else(|_| filter.clone()),
        Some(_) | None => filter.clone(),
    }
}

/// How a lane ended; a panic goes on to whoever waits for the source.
fn lane_end(ended: Result<(usize, LaneEnd), JoinError>) -> (usize, LaneEnd) {
    match ended {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the process cancels a lane.
            Err(_) => (0, LaneEnd::Stopped),
        },
    }
}

/// The most crowded filters that a log line names.
const FILTERS_NAMED_MAX: usize = 20;

#[cfg(test)]
pub(crate) mod tests;
