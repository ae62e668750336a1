//! A crash run, from the first message to the account of every window.

use super::diary::Diary;
use super::report::CrashReport;
use super::schedule::{Fault, schedule};
use super::stage::{DEAD_LETTERS, Stage};
use crate::{LIMIT, wait_for, wait_for_async};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// What is done in a run.
#[derive(Clone, Copy, Debug)]
pub struct CrashRun {
    /// Decides about everything but the machine's own moods.
    pub seed: u64,
    /// How many faults there are.
    pub kills: usize,
}

impl CrashRun {
    /// Runs it to its end.
    pub async fn play(self) -> CrashReport {
        let mut diary = Diary::new(self.seed);
        let limit = STEP_MAX * u32::try_from(self.kills).expect("a run is not that long") + DRAIN_MAX * 4;
        let report = timeout(limit, self.play_through(&mut diary)).await;
        report.unwrap_or_else(|_| panic!("the run took longer than {limit:?}"))
    }

    async fn play_through(self, diary: &mut Diary) -> CrashReport {
        let faults = schedule(self.seed, self.kills);
        let mut stage = Stage::set(Rng::with_seed(self.seed)).await;
        diary.note("messages flow");
        // What happens to results before there are any would show nothing.
        let flows = || (stage.checker().rows() > 0).then_some(());
        wait_for("the first result", LIMIT, flows).await;
        let (others, last) = faults.split_at(faults.len().saturating_sub(1));
        for &fault in others {
            stage.play().await;
            stage.suffer(fault, diary).await;
        }
        stage.play().await;
        drain(&mut stage, last, diary).await;
        if let Some(rulemill) = &stage.rulemill {
            diary.keep(rulemill.log());
        }
        let mut counts = BTreeMap::new();
        for fault in faults {
            *counts.entry(fault).or_default() += 1;
        }
        let (verdict, sent) = {
            let checker = stage.checker();
            (checker.verdict(), checker.messages())
        };
        CrashReport {
            verdict,
            seed: self.seed,
            faults: counts,
            sent,
            networks: [stage.source_proxy.tally(), stage.sink_proxy.tally()],
            late: stage.sandbox.read(DEAD_LETTERS).lines().count(),
            story: diary.to_string(),
        }
    }
}

/// Waits until rulemill has taken everything in, every window has come out, and nothing is on its way. What has not come in
/// time is the verdict's business. The last faults hit the moment when windows begin to close because nothing arrives.
async fn drain(stage: &mut Stage, last: &[Fault], diary: &mut Diary) {
    stage.sender.finish();
    let taken = || (stage.sender.unsettled() == 0).then_some(());
    wait_for("rulemill to acknowledge every message", DRAIN_MAX, taken).await;
    diary.note("everything is acknowledged");
    // Windows that were about to close by what had arrived come soon; those after them wait for the idle timeout.
    let waiting = stage.checker().missing_after_silence();
    let closing = || (stage.checker().missing_after_silence() < waiting).then_some(());
    diary.note(format!("{waiting} pairs wait for the idle timeout"));
    within(DRAIN_MAX, closing).await;
    for &fault in last {
        stage.suffer(fault, diary).await;
    }
    let complete = || (stage.checker().missing() == 0).then_some(());
    let complete = within(DRAIN_MAX, complete).await;
    diary.note(if complete {
        "every window came"
    } else {
        "windows are missing"
    });
    let Some(rulemill) = &stage.rulemill else {
        return;
    };
    let delivered = async || (rulemill.metric("rulemill_sink_queue_emissions", &[]).await == 0.0).then_some(());
    wait_for_async("the sink to have nothing left", DRAIN_MAX, delivered).await;
    // What the broker acknowledged is on its way to the subscriber, unless the broker was killed.
    let arrived = || (stage.checker().lost_by_broker() == 0).then_some(());
    within(ON_ITS_WAY_MAX, arrived).await;
}

/// Whether it becomes true in time.
async fn within(limit: Duration, condition: impl FnMut() -> Option<()>) -> bool {
    let waiting = wait_for("nothing", limit * 2, condition);
    timeout(limit, waiting).await.is_ok()
}

/// How long one fault may take, with the time between two.
const STEP_MAX: Duration = Duration::from_secs(15);

/// How long each part of the end may take. One is the rule's idle timeout, and what was not sent for that long.
const DRAIN_MAX: Duration = Duration::from_secs(60);

const ON_ITS_WAY_MAX: Duration = Duration::from_secs(3);
