//! What came of a crash run, and how it is told.

use super::checker::Verdict;
use super::schedule::Fault;
use crate::proxy::Tally;
use std::collections::BTreeMap;
use std::fmt;

/// What came of a run. As text it is one line, for people; `{:#}` has everything.
#[derive(Debug)]
pub struct CrashReport {
    /// What the checker found.
    pub verdict: Verdict,
    pub(super) seed: u64,
    pub(super) faults: BTreeMap<Fault, usize>,
    pub(super) sent: u64,
    /// What the proxies did, before the source's broker and before the sink's.
    pub(super) networks: [Tally; 2],
    /// Messages that rulemill could not process: those that came again too late.
    pub(super) late: usize,
    pub(super) story: String,
}

impl CrashReport {
    /// Nothing is missing, wrong or different, and what was acknowledged came, but for what its broker was killed with.
    pub fn holds(&self) -> bool {
        let broker_killed = [Fault::SinkBroker, Fault::SinkBrokerAndRulemill];
        let excused = broker_killed.iter().any(|fault| self.faults.contains_key(fault));
        self.verdict.is_clean() && (excused || self.verdict.lost_by_broker == 0)
    }
}

impl fmt::Display for CrashReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.faults.iter().map(|(fault, count)| format!("{count} {fault}"));
        let kills: usize = self.faults.values().sum();
        let faults: Vec<String> = faults.collect();
        let [source, sink] = self.networks;
        write!(
            formatter,
            "crash: seed {}: {kills} kills ({}); {} messages sent, {}; {} + {} connections, {} + {} resets, \
             {} PUBACKs lost, {} reordered; {} dead letters",
            self.seed,
            faults.join(", "),
            self.sent,
            self.verdict,
            source.connections,
            sink.connections,
            source.resets,
            sink.resets,
            sink.lost,
            sink.reordered,
            self.late,
        )?;
        if !formatter.alternate() {
            return Ok(());
        }
        writeln!(formatter, "\n{}", self.story)?;
        let Verdict {
            missing,
            wrong,
            different,
            ..
        } = &self.verdict;
        for (what, all) in [("missing", missing), ("wrong", wrong), ("different", different)] {
            for one in all.iter().take(DIFFERENCES_SHOWN) {
                writeln!(formatter, "{what}: {one}")?;
            }
        }
        Ok(())
    }
}

/// How many of each kind a failure shows.
const DIFFERENCES_SHOWN: usize = 10;
