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
mod sessions;
mod subscriptions;

use super::inlet::Inlet;
use super::rejects::Rejects;
use crate::backoff::Backoff;
use crate::config::SourceConfig;
use crate::limits::SOURCE_LANES_MAX;
use crate::message::{Audience, Served};
use crate::telemetry::source::SourceMetrics;
use crate::topic::TopicFilter;
use assignment::Assignment;
use lane::{Lane, LaneEnd};
use orders::{Duty, LanePlan, Orders, Plan, Report, Reports};
use sessions::{SessionFile, Sessions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use subscriptions::SubscribeTiming;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::{error, info, warn};

/// What connects a source with the rest of the process.
pub struct SourceLinks {
    /// Where messages go.
    pub inlet: Inlet,
    /// What the streams of this source need now, each filter any number of times, overlapping or not; the subscriptions
    /// follow its changes.
    pub filters: watch::Receiver<Vec<TopicFilter>>,
    /// Its counters.
    pub metrics: Arc<SourceMetrics>,
    /// The source reads until this is true, or its sender is gone.
    pub stop: watch::Receiver<bool>,
    /// Where messages go that are too large.
    pub rejects: Rejects,
    /// Where it may keep a file.
    pub data_dir: PathBuf,
}

/// Reads from a broker until the stop, or the mills are gone. What was taken by then is delivered and acknowledged,
/// within 10 s.
pub async fn run(config: SourceConfig, links: SourceLinks) {
    Source::new(config, links, Timing::default()).run().await;
}

/// A broker, and the lanes to it.
struct Source {
    config: SourceConfig,
    links: SourceLinks,
    timing: Timing,
    assignment: Assignment,
    /// What is subscribed to for the filters of the streams.
    wanted: BTreeMap<TopicFilter, BTreeSet<TopicFilter>>,
    /// What of it the broker refuses.
    refused: BTreeSet<TopicFilter>,
    /// The filters that could not be given a lane of their own and were told of.
    crowded: Vec<TopicFilter>,
    plan: watch::Sender<Plan>,
    reports: Reports,
    reported: watch::Receiver<[Report; SOURCE_LANES_MAX]>,
    file: SessionFile,
    /// What the sessions of the lanes may be subscribed to.
    sessions: Sessions,
    /// What the file says.
    written: Sessions,
    /// What an earlier process left in the sessions of lanes that have not started yet.
    left_behind: BTreeMap<usize, BTreeSet<TopicFilter>>,
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
    fn new(config: SourceConfig, links: SourceLinks, timing: Timing) -> Self {
        let reports = Reports::new(Arc::clone(&links.metrics));
        Source {
            file: SessionFile::new(&links.data_dir, links.inlet.source(), &config),
            config,
            links,
            timing,
            assignment: Assignment::new(),
            wanted: BTreeMap::new(),
            refused: BTreeSet::new(),
            crowded: Vec::new(),
            plan: watch::Sender::new(Plan::new()),
            reported: reports.subscribe(),
            reports,
            sessions: Sessions::new(),
            written: Sessions::new(),
            left_behind: BTreeMap::new(),
            lanes: JoinSet::new(),
            running: BTreeSet::new(),
        }
    }

    async fn run(mut self) {
        self.restore().await;
        self.want().await;
        loop {
            tokio::select! {
                biased;
                () = connection::stopped(&mut self.links.stop) => break,
                Ok(()) = self.links.filters.changed() => self.want().await,
                Ok(()) = self.reported.changed() => self.note().await,
                Some(ended) = self.lanes.join_next() => match lane_end(ended) {
                    (_, LaneEnd::Stopped) => break,
                    (lane, LaneEnd::Closed) => self.closed(lane).await,
                    (_, LaneEnd::MillsGone) => {
                        return error!(source = self.links.inlet.source(), "the mill threads have stopped");
                    }
                },
            }
        }
        while let Some(ended) = self.lanes.join_next().await {
            let _any = lane_end(ended);
        }
        info!(source = self.links.inlet.source(), "stopped");
    }

    /// Takes up the lanes of an earlier process.
    async fn restore(&mut self) {
        let file = self.file.clone();
        let sessions = match tokio::task::spawn_blocking(move || file.read()).await {
            Ok(Ok(sessions)) => sessions,
            Ok(Err(error)) => {
                let file = self.file.path().display();
                return warn!(
                    source = self.links.inlet.source(), %file, %error,
                    "the file about sessions at the broker is not used; subscriptions and connections that are not \
                     needed any more may stay there"
                );
            }
            // The process is ending.
            Err(_) => return,
        };
        let served = sessions.iter().map(|(lane, session)| (*lane, session.serves.clone()));
        self.assignment = Assignment::restored(&served.collect());
        let all = sessions
            .iter()
            .map(|(lane, session)| (*lane, &session.serves | &session.also));
        self.left_behind = all.collect();
        self.written.clone_from(&sessions);
        self.sessions = sessions;
    }

    /// Takes over what the streams need now.
    async fn want(&mut self) {
        let mut wanted: BTreeMap<TopicFilter, BTreeSet<TopicFilter>> = BTreeMap::new();
        for filter in &*self.links.filters.borrow_and_update() {
            let subscribed = subscribed(filter, self.config.share_group.as_deref());
            wanted.entry(subscribed).or_default().insert(filter.clone());
        }
        self.wanted = wanted;
        self.assignment.want(&self.wanted.keys().cloned().collect());
        for (lane, serves) in self.assignment.lanes() {
            let session = self.sessions.entry(lane).or_default();
            let all = &session.serves | &session.also;
            session.also = &all - &serves;
            session.serves = serves;
        }
        // Before anything is subscribed to, so that the file knows of all that may be left behind.
        self.write().await;
        self.give_orders();
        self.tell_crowded();
        for lane in 0..SOURCE_LANES_MAX {
            let there = self.plan.borrow().lanes[lane].duty != Duty::None;
            if there && self.running.insert(lane) {
                self.start(lane);
            }
        }
    }

    /// Notes what the lanes have done.
    async fn note(&mut self) {
        let version = self.plan.borrow().version;
        let reports = self.reported.borrow_and_update().clone();
        for (lane, session) in &mut self.sessions {
            let report = &reports[*lane];
            // A lane that has not seen its orders yet may still be subscribed to what they take away.
            if report.version == version {
                session.also.clone_from(&report.leftover);
            }
        }
        self.write().await;
        let refused: BTreeSet<_> = reports.into_iter().flat_map(|report| report.refused).collect();
        if refused != self.refused {
            self.refused = refused;
            self.give_orders();
        }
    }

    async fn write(&mut self) {
        if self.written == self.sessions {
            return;
        }
        let (file, sessions) = (self.file.clone(), self.sessions.clone());
        match tokio::task::spawn_blocking(move || file.write(&sessions)).await {
            Ok(Ok(())) => self.written.clone_from(&self.sessions),
            Ok(Err(error)) => {
                let file = self.file.path().display();
                warn!(
                    source = self.links.inlet.source(), %file, %error,
                    "the file about sessions at the broker cannot be written; the next start will not know of them"
                );
            }
            // The process is ending.
            Err(_) => {}
        }
    }

    /// Tells the lanes what to do.
    fn give_orders(&self) {
        let mut plan = Plan::new();
        plan.version = self.plan.borrow().version + 1;
        let nowhere = self.of_streams(&self.refused);
        for (lane, serves) in self.assignment.lanes() {
            let here = &self.of_streams(&serves) - &nowhere;
            let nowhere = nowhere.clone();
            plan.lanes[lane] = LanePlan {
                audience: Audience::Some(Arc::new(Served { here, nowhere })),
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

    /// The filters of the streams behind these that are subscribed to.
    fn of_streams(&self, subscribed: &BTreeSet<TopicFilter>) -> BTreeSet<TopicFilter> {
        let filters = subscribed.iter().filter_map(|filter| self.wanted.get(filter));
        filters.flatten().cloned().collect()
    }

    fn tell_crowded(&mut self) {
        let crowded = self.assignment.crowded();
        self.links
            .metrics
            .crowded_filters
            .set(i64::try_from(crowded.len()).unwrap_or(i64::MAX));
        if !crowded.is_empty() && crowded != self.crowded {
            let named: Vec<_> = crowded
                .iter()
                .take(FILTERS_NAMED_MAX)
                .map(ToString::to_string)
                .collect();
            error!(
                source = self.links.inlet.source(),
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
            &self.links,
            Orders::new(lane, self.plan.subscribe()),
            self.reports.clone(),
            self.left_behind.remove(&lane).unwrap_or_default(),
            self.timing.clone(),
        );
        self.lanes.spawn(async move { (lane, task.run().await) });
    }

    async fn closed(&mut self, lane: usize) {
        self.running.remove(&lane);
        self.assignment.closed(lane);
        self.plan.send_modify(|plan| plan.lanes[lane] = LanePlan::vacant());
        // What it was refused says nothing about the lanes that come.
        let version = self.plan.borrow().version;
        self.reports.session(lane, version, BTreeSet::new(), BTreeSet::new());
        self.sessions.remove(&lane);
        self.write().await;
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
