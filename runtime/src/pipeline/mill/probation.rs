//! New versions on probation. While one is watched, the messages that fail with it are tried with the version before it,
//! in guests and a stream of their own. A message that only the new version fails on proves that it is worse: then the
//! version before comes back, between two batches, and gets these messages, so that they are not lost.
//!
//! Where no message stands behind a failure, as with the groups of a closed window and with calls that overran and then
//! succeeded on parts of a batch, the new version is worse if nothing of the kind was seen of the one before.

mod back;
mod trial;

use super::super::command::{LastGood, Watch};
use super::super::identity::Identity;
use super::super::streams::SourceBatch;
use super::{Mill, Placed};
use crate::clock;
use crate::message::Message;
use crate::rule::{CallStats, LimitedLibrary, LoadedLibrary};
use rulemill_core::{DeadRow, Fault, Output, RuleCounts};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TrySendError;

/// What the mill tells the catalogue about the versions that it watches.
pub(crate) enum Incident {
    /// A rule's new version was worse. The version before runs again, unless it belongs on another mill.
    RuleWorse {
        id: Arc<str>,
        bad: Identity,
        reason: String,
        batch: OffendingBatch,
    },
    /// A library's new version was worse; on this mill the version before runs again.
    LibraryWorse {
        bad: Arc<LoadedLibrary>,
        reason: String,
        batch: OffendingBatch,
    },
    /// A rule's version has proven itself.
    RuleProven { id: Arc<str>, identity: Identity },
    /// A library's version has proven itself on this mill.
    LibraryProven { library: Arc<LoadedLibrary> },
}

/// The messages that showed that a version is worse, with those around them; empty when none stands behind the failure.
#[derive(Clone, Debug, Default)]
pub(crate) struct OffendingBatch {
    pub(crate) source: Arc<str>,
    pub(crate) messages: Vec<Message>,
}

/// The versions that a mill watches.
#[derive(Default)]
pub(super) struct Probations {
    rules: HashMap<Arc<str>, RuleProbation>,
    libraries: HashMap<String, LibraryProbation>,
    /// Rules that are to be taken back because they lost groups of closed windows.
    lost_groups: Vec<Arc<str>>,
    /// Libraries that are to be taken back because a rule that calls them lost groups of closed windows, which it had not before.
    lost_by_library: Vec<String>,
    /// What the catalogue has not been told yet.
    untold: VecDeque<Incident>,
}

struct RuleProbation {
    last_good: LastGood,
    countdown: Countdown,
    /// Batches in which its calls trapped or overran although every row was computed in the end.
    strikes: u32,
    traps_seen: u64,
}

struct LibraryProbation {
    last_good: LimitedLibrary,
    countdown: Countdown,
    calls_seen: u64,
    faults_seen: u64,
}

#[derive(Clone, Copy)]
struct Countdown {
    batches_left: u64,
    until: Instant,
}

/// A version that is to be taken back after the batch at hand.
pub(super) struct Verdict {
    who: Who,
    reason: String,
    /// For each rule, the positions of the messages that only the new version failed on.
    survivors: Vec<(Arc<str>, Vec<usize>)>,
}

enum Who {
    Rule(Arc<str>),
    Library(String),
}

impl Probations {
    /// Whether nothing is watched: the state nearly all of the time.
    pub(super) fn is_idle(&self) -> bool {
        self.rules.is_empty() && self.libraries.is_empty()
    }

    /// The rule runs a new version; what is to come back if it is worse, or nothing if it is not to be watched.
    pub(super) fn watch_rule(&mut self, id: &Arc<str>, last_good: Option<LastGood>, watch: Watch) {
        match (last_good, Countdown::of(watch)) {
            (Some(last_good), Some(countdown)) => {
                let probation = RuleProbation {
                    last_good,
                    countdown,
                    strikes: 0,
                    traps_seen: 0,
                };
                self.rules.insert(Arc::clone(id), probation);
            }
            (None, _) | (_, None) => {
                self.rules.remove(id);
            }
        }
    }

    /// The same version was put again, because the configuration changed: the version before is resolved anew too.
    pub(super) fn refresh(&mut self, id: &str, last_good: Option<LastGood>) {
        if let Some(last_good) = last_good
            && let Some(probation) = self.rules.get_mut(id)
        {
            probation.last_good = last_good;
        }
    }

    /// The digests of the versions that may come back.
    pub(super) fn last_good(&self) -> impl Iterator<Item = String> {
        let rules = self.rules.values();
        let rules = rules.map(|probation| probation.last_good.spec.identity.wasm.to_string());
        let libraries = self.libraries.values();
        rules.chain(libraries.map(|probation| probation.last_good.loaded.digest.to_string()))
    }

    pub(super) fn forget_rule(&mut self, id: &str) {
        self.rules.remove(id);
    }

    /// A library runs a new version; what is to come back if it is worse, or nothing if it is not to be watched. `stats`
    /// are those of its functions so far.
    pub(super) fn watch_library(
        &mut self,
        name: &str,
        last_good: Option<LimitedLibrary>,
        watch: Watch,
        stats: &CallStats,
    ) {
        match (last_good, Countdown::of(watch)) {
            (Some(last_good), Some(countdown)) => {
                let probation = LibraryProbation {
                    last_good,
                    countdown,
                    calls_seen: stats.calls,
                    faults_seen: stats.row_errors + stats.traps,
                };
                self.libraries.insert(name.to_owned(), probation);
            }
            (None, _) | (_, None) => {
                self.libraries.remove(name);
            }
        }
    }

    /// The same version was put again, because the configuration changed.
    pub(super) fn refresh_library(&mut self, name: &str, last_good: Option<LimitedLibrary>) {
        if let Some(last_good) = last_good
            && let Some(probation) = self.libraries.get_mut(name)
        {
            probation.last_good = last_good;
        }
    }

    pub(super) fn forget_library(&mut self, name: &str) {
        self.libraries.remove(name);
    }

    fn tell(&mut self, incident: Incident) {
        self.untold.push_back(incident);
    }
}
impl Countdown {
    fn of(watch: Watch) -> Option<Self> {
        (!watch.time.is_zero()).then(|| Countdown {
            batches_left: watch.batches,
            until: clock::monotonic() + watch.time.min(WATCH_MAX),
        })
    }

    /// One more batch was fine. True: that was the last one.
    fn passed(&mut self) -> bool {
        self.batches_left = self.batches_left.saturating_sub(1);
        self.batches_left == 0 && clock::monotonic() >= self.until
    }
}

impl Mill {
    /// Judges what a batch did to the versions that are watched. Rows that the version before can process are taken out
    /// of the dead ones; they are processed again by [`Mill::take_back`].
    pub(super) fn judge(&mut self, position: usize, given: &SourceBatch<'_>) -> Vec<Verdict> {
        let failed = failed_messages(&self.output, |row| self.streams[position].message_of(row));
        let mut verdicts = Vec::new();
        let mut probations = std::mem::take(&mut self.probations);
        let mut proven = Vec::new();
        for (id, probation) in &mut probations.rules {
            let Some(placed) = self.rules.get(id) else { continue };
            if placed.spec.stream != *self.streams[position].key() || !had_rows(&self.output.counts, id) {
                continue;
            }
            let traps = self.traps_of(id);
            let trapped = traps > std::mem::replace(&mut probation.traps_seen, traps);
            let failed = failed.get(id).map_or(&[][..], Vec::as_slice);
            match self.judge_rule(probation, failed, trapped, given) {
                Some((reason, survivors)) => verdicts.push(Verdict {
                    who: Who::Rule(Arc::clone(id)),
                    reason,
                    survivors: vec![(Arc::clone(id), survivors)],
                }),
                None if probation.countdown.passed() => proven.push(Arc::clone(id)),
                None => {}
            }
        }
        for id in proven {
            probations.rules.remove(&id);
            if let Some(placed) = self.rules.get(&id) {
                let identity = placed.spec.identity;
                probations.tell(Incident::RuleProven { id, identity });
            }
        }
        self.judge_libraries(&mut probations, &failed, given, &mut verdicts);
        self.probations = probations;
        for verdict in &verdicts {
            for (rule, survivors) in &verdict.survivors {
                self.revive(rule, survivors, position);
            }
        }
        verdicts
    }

    /// Why the version is worse, with the messages that it fails on and the one before does not.
    fn judge_rule(
        &self,
        probation: &mut RuleProbation,
        failed: &[usize],
        trapped: bool,
        given: &SourceBatch<'_>,
    ) -> Option<(String, Vec<usize>)> {
        let before = &probation.last_good.spec;
        if !failed.is_empty() {
            let outcome = self.try_with(before, self.guests.beside(None), given, failed)?;
            let survivors = outcome.survivors;
            return (!survivors.is_empty()).then(|| {
                let reason = format!(
                    "it failed on {} of {} messages of a batch, which the version before processes",
                    survivors.len(),
                    given.messages.len(),
                );
                (reason, survivors)
            });
        }
        if !trapped {
            return None;
        }
        probation.strikes += 1;
        if probation.strikes < STRIKES_MAX {
            return None;
        }
        probation.strikes = 0;
        let all: Vec<usize> = (0..given.messages.len()).collect();
        let outcome = self.try_with(before, self.guests.beside(None), given, &all)?;
        (outcome.traps == 0).then(|| {
            let reason = format!(
                "its calls trapped or overran in {STRIKES_MAX} batches, with which the version before has no trouble"
            );
            (reason, Vec::new())
        })
    }

    fn judge_libraries(
        &self,
        probations: &mut Probations,
        failed: &BTreeMap<Arc<str>, Vec<usize>>,
        given: &SourceBatch<'_>,
        verdicts: &mut Vec<Verdict>,
    ) {
        let mut proven = Vec::new();
        for (name, probation) in &mut probations.libraries {
            let stats = self.guests.library_stats(name);
            let faults = stats.row_errors + stats.traps;
            let called = stats.calls > std::mem::replace(&mut probation.calls_seen, stats.calls);
            let faulty = faults > std::mem::replace(&mut probation.faults_seen, faults);
            if faulty {
                let survivors = self.surviving_with(&probation.last_good, failed, given, verdicts);
                if !survivors.is_empty() {
                    let rules: Vec<&str> = survivors.iter().map(|(rule, _)| &**rule).collect();
                    let reason = format!(
                        "rules ({}) failed on messages of a batch, which they process with the version before",
                        rules.join(", "),
                    );
                    verdicts.push(Verdict {
                        who: Who::Library(name.clone()),
                        reason,
                        survivors,
                    });
                    continue;
                }
            }
            if called && probation.countdown.passed() {
                proven.push(name.clone());
            }
        }
        for name in proven {
            probations.libraries.remove(&name);
            if let Some(library) = self.guests.library(&name) {
                let library = Arc::clone(&library.loaded);
                probations.tell(Incident::LibraryProven { library });
            }
        }
    }

    /// For each rule, the failed messages that it processes with another version of a library. Rules that are about to be
    /// taken back themselves are left out.
    fn surviving_with(
        &self,
        library: &LimitedLibrary,
        failed: &BTreeMap<Arc<str>, Vec<usize>>,
        given: &SourceBatch<'_>,
        verdicts: &[Verdict],
    ) -> Vec<(Arc<str>, Vec<usize>)> {
        let judged = |rule: &Arc<str>| {
            let survivors = verdicts.iter().flat_map(|verdict| &verdict.survivors);
            survivors.map(|(other, _)| other).any(|other| other == rule)
        };
        let mut surviving = Vec::new();
        for (rule, failed) in failed.iter().filter(|(rule, _)| !judged(rule)) {
            let Some(placed) = self.rules.get(rule) else { continue };
            let outcome = self.try_with(&placed.spec, self.guests.beside(Some(library)), given, failed);
            if let Some(outcome) = outcome
                && !outcome.survivors.is_empty()
            {
                surviving.push((Arc::clone(rule), outcome.survivors));
            }
        }
        surviving
    }

    /// Rows that will be processed again are not dead, and have not come in yet.
    fn revive(&mut self, rule: &Arc<str>, survivors: &[usize], position: usize) {
        let entry = &self.streams[position];
        self.output.dead.retain(|dead| match dead {
            DeadRow::Message {
                rule: of, row, fault, ..
            } => of != rule || !is_failure(*fault) || survivors.binary_search(&entry.message_of(*row)).is_err(),
            DeadRow::Group { .. } => true,
        });
        let rows = survivors.len() as u64;
        for counts in self.output.counts.iter_mut().filter(|counts| counts.rule == *rule) {
            counts.counts.rows_in = counts.counts.rows_in.saturating_sub(rows);
            counts.counts.rows_dead = counts.counts.rows_dead.saturating_sub(rows);
        }
    }

    /// Takes back the versions that have lost groups of closed windows, when those before them have lost none: there is no
    /// message to try.
    pub(super) fn judge_groups(&mut self) {
        for library in std::mem::take(&mut self.probations.lost_by_library) {
            let reason =
                "a rule that calls it lost groups of a closed window, which it had not with the version before"
                    .to_owned();
            self.take_library_back(&library, reason, OffendingBatch::default());
        }
        for rule in std::mem::take(&mut self.probations.lost_groups) {
            let reason = "groups of a closed window failed; the version before has lost none".to_owned();
            self.take_rule_back(&rule, reason, OffendingBatch::default());
        }
    }

    /// Tells the catalogue what happened; what it has no room for is told later.
    pub(super) fn tell_incidents(&mut self) {
        while let Some(incident) = self.probations.untold.pop_front() {
            if let Err(TrySendError::Full(incident)) = self.to_catalogue.incidents.try_send(incident) {
                self.probations.untold.push_front(incident);
                return;
            }
        }
    }

    /// How often calls of the rule's kernels have trapped or overrun.
    fn traps_of(&self, id: &str) -> u64 {
        let kernels = self.rules.get(id).and_then(|placed| placed.kernels);
        kernels.map_or(0, |kernels| self.guests.stats_of(kernels).traps)
    }
}

/// Notes the rules that have lost groups of closed windows, and whether that is reason to take their version back.
pub(super) fn lost_groups(output: &Output, rules: &mut HashMap<Arc<str>, Placed>, probations: &mut Probations) {
    for dead in &output.dead {
        let DeadRow::Group { rule, fault, .. } = dead else {
            continue;
        };
        let Some(placed) = rules.get_mut(rule).filter(|_| is_failure(*fault)) else {
            continue;
        };
        let is_first = !std::mem::replace(&mut placed.lost_groups, true);
        if is_first {
            let called = probations.libraries.keys().filter(|name| calls(placed, name));
            let called: Vec<String> = called.cloned().collect();
            probations.lost_by_library.extend(called);
        }
        let watched = probations.rules.get(rule);
        if watched.is_some_and(|probation| !probation.last_good.lost_groups) && !probations.lost_groups.contains(rule) {
            probations.lost_groups.push(Arc::clone(rule));
        }
    }
}

/// Whether a rule calls functions of a library, as far as its plan says: a function without a library may be of any.
fn calls(placed: &Placed, library: &str) -> bool {
    let mut calls = placed.spec.loaded.calls();
    calls.any(|(named, _)| named.is_none_or(|named| named == library))
}

/// Some messages of a batch.
struct Part<'m> {
    messages: Vec<&'m Message>,
    topics: Vec<rulemill_core::TopicId>,
}

impl<'m> Part<'m> {
    fn of(positions: &[usize], given: &SourceBatch<'m>) -> Self {
        Part {
            messages: positions.iter().map(|&at| given.messages[at]).collect(),
            topics: positions.iter().map(|&at| given.topics[at]).collect(),
        }
    }

    fn batch<'a>(&'a self, given: &SourceBatch<'a>) -> SourceBatch<'a> {
        SourceBatch {
            source: given.source,
            audience: given.audience,
            messages: &self.messages,
            topics: &self.topics,
            table: given.table,
            now: given.now,
        }
    }
}

/// The messages that each rule failed on, ascending, by their position in what was handed in.
fn failed_messages(output: &Output, message_of: impl Fn(u32) -> usize) -> BTreeMap<Arc<str>, Vec<usize>> {
    let mut failed: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
    for dead in &output.dead {
        if let DeadRow::Message { rule, row, fault, .. } = dead
            && is_failure(*fault)
        {
            failed.entry(Arc::clone(rule)).or_default().push(message_of(*row));
        }
    }
    for positions in failed.values_mut() {
        positions.sort_unstable();
        positions.dedup();
    }
    failed
}

fn had_rows(counts: &[RuleCounts], id: &str) -> bool {
    counts
        .iter()
        .any(|counts| *counts.rule == *id && counts.counts.rows_in > 0)
}

/// Whether a fault says something about the version; lateness and bounds do not. What is refused while a guest is suspended has been
/// judged before, by the batches that led to it.
fn is_failure(fault: Fault) -> bool {
    match fault {
        Fault::Rejected | Fault::Row | Fault::Guest => true,
        Fault::Late | Fault::Bound | Fault::Suspended => false,
    }
}

/// Batches with overrun calls after which the version before is asked whether it does better.
const STRIKES_MAX: u32 = 3;
/// The longest watch.
const WATCH_MAX: Duration = Duration::from_secs(7 * 86_400);
