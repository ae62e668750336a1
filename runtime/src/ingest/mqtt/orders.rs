//! What a source tells its lanes, and what they report back.
//!
//! Both are states, not events, so that nothing can be missed or pile up. The orders of all lanes change at once: from
//! the moment on at which a lane may subscribe to a filter, every other lane knows whom its messages are for.

use crate::limits::SOURCE_LANES_MAX as LANES_MAX;
use crate::message::Audience;
use crate::telemetry::source::SourceMetrics;
use crate::topic::TopicFilter;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;

/// The orders of all lanes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Grows with each change.
    pub(super) version: u64,
    /// By the number of the lane.
    pub(super) lanes: [LanePlan; LANES_MAX],
}

/// The orders of one lane.
#[derive(Clone, Debug)]
pub(super) struct LanePlan {
    /// What it subscribes to, or to something that covers it.
    pub(super) serves: Arc<BTreeSet<TopicFilter>>,
    /// For whom its messages are.
    pub(super) audience: Audience,
    pub(super) duty: Duty,
}

/// Whether a lane is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// There is no such lane.
    None,
    /// It reads.
    Read,
    /// Its session is to be given up.
    Close,
}

/// The orders as one lane sees them. Clones note for themselves which they have seen.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    lane: usize,
    plan: watch::Receiver<Plan>,
}

/// What the lanes report. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    reports: watch::Sender<[Report; LANES_MAX]>,
    metrics: Arc<SourceMetrics>,
}

/// What one lane reports.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    needed: bool,
    connected: bool,
    /// The version of the orders that the rest is about.
    pub(super) version: u64,
    /// What its session may be subscribed to beyond what is to be served.
    pub(super) leftover: BTreeSet<TopicFilter>,
    /// What is to be served and the broker refuses.
    pub(super) refused: BTreeSet<TopicFilter>,
}

impl Plan {
    /// No lanes.
    pub(super) fn new() -> Self {
        Plan {
            version: 0,
            lanes: std::array::from_fn(|_| LanePlan::vacant()),
        }
    }
}

impl LanePlan {
    pub(super) fn vacant() -> Self {
        LanePlan {
            serves: Arc::default(),
            audience: Audience::Some(Arc::default()),
            duty: Duty::None,
        }
    }
}

impl Orders {
    /// Those of the lane with this number.
    pub(super) fn new(lane: usize, plan: watch::Receiver<Plan>) -> Self {
        Orders { lane, plan }
    }

    /// The version and what is to be served, which counts as seen from now on.
    pub(super) fn take(&mut self) -> (u64, Arc<BTreeSet<TopicFilter>>) {
        let plan = self.plan.borrow_and_update();
        (plan.version, Arc::clone(&plan.lanes[self.lane].serves))
    }

    /// Ready when there are orders that have not been seen; never, when nobody gives orders any more.
    pub(super) async fn changed(&mut self) {
        if self.plan.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The number of the lane.
    pub(super) fn lane(&self) -> usize {
        self.lane
    }

    /// The number of the lane for people, when there is more than one to tell apart.
    pub(super) fn label(&self) -> Option<usize> {
        let plan = self.plan.borrow();
        let lanes = plan.lanes.iter().filter(|lane| lane.duty != Duty::None);
        (self.lane > 0 || lanes.count() > 1).then_some(self.lane + 1)
    }

    /// For whom messages are that are handed over now.
    pub(super) fn audience(&self) -> Audience {
        self.plan.borrow().lanes[self.lane].audience.clone()
    }

    /// Whether the lane is to give up its session.
    pub(super) fn is_closing(&self) -> bool {
        self.plan.borrow().lanes[self.lane].duty == Duty::Close
    }
}

impl Reports {
    pub(super) fn new(metrics: Arc<SourceMetrics>) -> Self {
        let (reports, _) = watch::channel(Default::default());
        Reports { reports, metrics }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<[Report; LANES_MAX]> {
        self.reports.subscribe()
    }

    /// Which lanes are to be connected.
    pub(super) fn needed(&self, needed: [bool; LANES_MAX]) {
        self.update(|reports| {
            for (report, needed) in reports.iter_mut().zip(needed) {
                report.needed = needed;
            }
        });
    }

    /// Whether a lane is connected.
    pub(super) fn connected(&self, lane: usize, connected: bool) {
        self.update(|reports| reports[lane].connected = connected);
    }

    /// How a lane's session stands to its orders, which have this version.
    pub(super) fn session(
        &self,
        lane: usize,
        version: u64,
        leftover: BTreeSet<TopicFilter>,
        refused: BTreeSet<TopicFilter>,
    ) {
        self.update(|reports| {
            reports[lane].version = version;
            reports[lane].leftover = leftover;
            reports[lane].refused = refused;
        });
    }

    /// The gauges change together with what they show.
    fn update(&self, change: impl FnOnce(&mut [Report; LANES_MAX])) {
        self.reports.send_modify(|reports| {
            change(reports);
            let needed = reports.iter().filter(|report| report.needed);
            let connected = needed.clone().filter(|report| report.connected).count();
            let needed = needed.count();
            self.metrics.lanes.set(gauge(needed));
            self.metrics.lanes_connected.set(gauge(connected));
            self.metrics.connected.set(i64::from(needed > 0 && connected == needed));
        });
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
