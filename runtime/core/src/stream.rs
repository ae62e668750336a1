//! A stream: all rules that listen to the same messages of the same source.

use crate::compile::compile;
use crate::program::Program;
use crate::rule::{Gone, Rule};
use crate::shared::{Link, Shared};
use crate::version::Ready;
use crate::{
    AccumulatorId, Bounds, CompileError, Field, Guests, HashSeed, KernelsId, Micros, OnChange, Output, RuleVersion,
    SiteId, StreamBatch,
};
use std::sync::Arc;

/// What became of the state when a version was put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// There was no rule of that id, or none with an open window: the new version begins at once.
    New,
    /// The layout is the same, that is windows, keys, aggregates and what feeds them, `keep` and event time: the open
    /// windows go on with the new version.
    StateKept,
    /// The old version finishes its open windows, and takes the rows that belong into them; the new one takes the rows
    /// after them. When the two do not agree on what time is (event time against arrival, or another event time), or
    /// the rule computes the event time itself, the new version takes all rows at once, and the old windows close as
    /// the time of arrival passes their end.
    StateDraining,
}

/// How a rule is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It finishes its open windows, and takes the rows that belong into them, as in [`Swap::StateDraining`]. Nobody may
    /// send rows any more that would move event time, so windows in event time close at the latest when the time of
    /// arrival has passed their end and the lateness, as if the rule's `idle_ms` were 0 from here on.
    Drain,
    /// It takes no more rows, because another stream gives them to the rule from here on. Its open windows stay open until
    /// the time of arrival has passed their end, and in event time the lateness too.
    Retire,
    /// It and its open windows are gone at once.
    Discard,
}

/// What a rule holds at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleState {
    /// Windows with at least one row.
    pub open_windows: usize,
    /// The groups of these windows.
    pub groups: usize,
    /// Versions that only finish their windows.
    pub finishing: usize,
}

/// All rules of one stream. The host feeds it batches and the time, and drains the [`Output`] after each call.
///
/// Time is the time of arrival: that of the rows of a batch, and that of [`Stream::advance`]. It does not go back by
/// itself: a time before the latest one counts as the latest one, until [`Stream::set_back`] says that the clock was wrong.
///
/// ```text
/// stream.put(&version, guests, &mut out)?          a rule appears or is replaced
/// loop {
///     topics.make_room();                          then intern each topic, decode stream.fields()
///     stream.process(&batch, guests, &mut out);
///     ... take out.emissions, out.dead, out.counts; out.clear();
///     wait for the next batch until stream.next_deadline(), else stream.advance(now, guests, &mut out)
/// }
/// ```
#[derive(Debug)]
pub struct Stream {
    bounds: Bounds,
    seed: HashSeed,
    shared: Shared,
    /// By id, so that the order of output does not depend on the order in which rules were loaded.
    rules: Vec<Rule>,
    clock: i64,
    clocks: Vec<i64>,
    deadline: Option<i64>,
    version_gone: bool,
}

impl Stream {
    /// A stream without rules. The bounds are those of the calls that rules share; the seed is for the hashes of keys.
    pub fn new(bounds: Bounds, seed: HashSeed) -> Self {
        Stream {
            bounds,
            seed,
            shared: Shared::new(),
            rules: Vec::new(),
            clock: i64::MIN,
            clocks: Vec::new(),
            deadline: None,
            version_gone: false,
        }
    }

    /// The fields to decode for each batch, in the order of [`StreamBatch::columns`].
    pub fn fields(&self) -> &[Field] {
        self.shared.fields()
    }

    /// Changes whenever [`Stream::fields`] changes.
    pub fn fields_version(&self) -> u64 {
        self.shared.fields_version
    }

    /// The ids of the rules, ascending, those included that only finish their windows.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rules.iter().map(|rule| &rule.id)
    }

    /// What a rule holds at the moment.
    pub fn rule_state(&self, id: &str) -> Option<RuleState> {
        self.position(id).ok().map(|position| self.rules[position].state())
    }

    /// The kernels that versions of rules still need, those included that only finish their windows.
    pub fn kernels(&self) -> impl Iterator<Item = KernelsId> {
        self.rules.iter().flat_map(Rule::kernels)
    }

    /// The call sites that versions of rules still have, some more than once.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> {
        self.rules.iter().flat_map(Rule::programs).flat_map(Program::sites)
    }

    /// The accumulators that versions of rules still have, some more than once.
    pub fn accumulators(&self) -> impl Iterator<Item = AccumulatorId> {
        let programs = self.rules.iter().flat_map(Rule::programs);
        programs.flat_map(Program::accumulators)
    }

    /// Adds a rule, or replaces the one of the same id between two batches. After an error nothing has changed.
    pub fn put(
        &mut self,
        version: &RuleVersion,
        guests: &mut dyn Guests,
        out: &mut Output,
    ) -> Result<Swap, CompileError> {
        let program = compile(version, &self.seed, guests)?;
        let links = self.shared.link(&program.sources);
        let position = self.position(&version.id).unwrap_or_else(|position| {
            self.rules.insert(position, Rule::new(Arc::clone(&version.id)));
            position
        });
        let mut gone = Gone::default();
        let rule = &mut self.rules[position];
        match version.on_change {
            OnChange::Boundary => {}
            OnChange::Now => rule.close_other_layout(&program, &self.shared, guests, out),
        }
        let swap = rule.put(program, links, &mut gone);
        rule.bound_versions(&self.shared, guests, out, &mut gone);
        self.let_go(gone);
        self.find_deadline();
        Ok(swap)
    }

    /// Removes a rule; unknown ids are no error.
    pub fn remove(&mut self, id: &str, how: Removal) {
        let Ok(position) = self.position(id) else {
            return;
        };
        let mut gone = Gone::default();
        let rule = &mut self.rules[position];
        match how {
            Removal::Drain => rule.drain(self.clock, &mut gone),
            Removal::Retire => rule.retire(self.clock, &mut gone),
            Removal::Discard => rule.discard(&mut gone),
        }
        self.let_go(gone);
        self.find_deadline();
    }

    /// Processes a batch; then closes what is due by the time its last row arrived.
    pub fn process(&mut self, batch: &StreamBatch<'_>, guests: &mut dyn Guests, out: &mut Output) {
        self.process_with(batch, |_| true, guests, out);
    }

    /// Processes rows for one rule alone, because the version that had them failed. The other rules do not see them.
    pub fn process_for(&mut self, id: &str, batch: &StreamBatch<'_>, guests: &mut dyn Guests, out: &mut Output) {
        self.process_with(batch, |rule| *rule.id == *id, guests, out);
    }

    fn process_with(
        &mut self,
        batch: &StreamBatch<'_>,
        concerned: impl Fn(&Rule) -> bool,
        guests: &mut dyn Guests,
        out: &mut Output,
    ) {
        batch.check(self.fields());
        if batch.rows == 0 {
            return;
        }
        self.clocks.clear();
        for arrival in batch.arrivals {
            self.clock = self.clock.max(arrival.0);
            self.clocks.push(self.clock);
        }
        if self.shared.start_batch(batch) {
            self.forget_slots();
        }
        let first = Micros(self.clocks[0]);
        self.shared
            .evaluate(batch, first, guests, self.bounds.trapped_calls_max);
        let ready = Ready {
            shared: &self.shared,
            columns: batch.columns,
            mistyped: batch.mistyped,
            clocks: &self.clocks,
            now: self.clock,
        };
        let mut gone = Gone::default();
        self.deadline = None;
        for rule in &mut self.rules {
            if concerned(rule) {
                rule.process(&ready, guests, out, &mut gone);
            }
            // Here, where the rule is still in the processor's cache, not in a loop of its own.
            self.deadline = self.deadline.into_iter().chain(rule.deadline()).min();
        }
        self.let_go(gone);
    }

    /// Lets time pass without a row: closes what is due.
    pub fn advance(&mut self, now: Micros, guests: &mut dyn Guests, out: &mut Output) {
        self.clock = self.clock.max(now.0);
        if self.deadline.is_none_or(|deadline| deadline > self.clock) {
            return;
        }
        let mut gone = Gone::default();
        for rule in &mut self.rules {
            rule.advance(self.clock, &self.shared, guests, out, &mut gone);
        }
        self.let_go(gone);
        self.find_deadline();
    }

    /// The clock of arrivals was found wrong and set back to `now`; later times follow that one. As at a restart, windows
    /// by the time of arrival are closed as they are, and may be emitted again when their time comes again. Windows in
    /// event time go on: rows have moved the watermark, and it stays where they put it. How far it only followed the time
    /// of arrival is forgotten, or all rows would be late until that time comes again.
    ///
    /// A time that is not before the latest one changes nothing.
    pub fn set_back(&mut self, now: Micros, guests: &mut dyn Guests, out: &mut Output) {
        if now.0 >= self.clock {
            return;
        }
        let by = self.clock.saturating_sub(now.0);
        self.clock = now.0;
        self.shared.try_again();
        let mut gone = Gone::default();
        for rule in &mut self.rules {
            rule.set_back((now.0, by), &self.shared, guests, out, &mut gone);
        }
        self.let_go(gone);
        self.find_deadline();
    }

    /// Whether a version of a rule has gone since the last call, because it had finished or was replaced. Then its kernels
    /// and call sites may be needed no more; nor the stream itself, if no rule is left.
    pub fn take_version_gone(&mut self) -> bool {
        std::mem::take(&mut self.version_gone)
    }

    /// When [`Stream::advance`] is to be called if no batch comes before; `None`: nothing waits for the time.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.deadline.map(Micros)
    }

    /// Closes all windows at once, though their end has not come: for a graceful stop, as windows live in memory only. A
    /// rule whose windows were closed like that emits the same window again for later rows, be it after a restart.
    pub fn close_all(&mut self, guests: &mut dyn Guests, out: &mut Output) {
        for rule in &mut self.rules {
            rule.close_all(&self.shared, guests, out);
        }
        self.find_deadline();
    }

    /// Forgets the remembered results of call sites, because their library was replaced.
    pub fn forget(&mut self, sites: &[SiteId]) {
        self.shared.forget(sites);
        self.forget_slots();
    }

    fn position(&self, id: &str) -> Result<usize, usize> {
        self.rules.binary_search_by(|rule| (*rule.id).cmp(id))
    }

    fn forget_slots(&mut self) {
        for rule in &mut self.rules {
            rule.versions_mut().for_each(crate::version::Version::forget_slots);
        }
    }

    fn let_go(&mut self, gone: Gone) {
        if gone.version {
            self.version_gone = true;
            self.rules.retain(|rule| !rule.is_finished());
        }
        self.unlink(gone.links);
    }

    /// Takes uses back; what nobody uses any more is decoded and called no more.
    fn unlink(&mut self, unused: Vec<Link>) {
        let mut any = false;
        for link in unused {
            any |= self.shared.unlink(link);
        }
        if !any {
            return;
        }
        let moves = self.shared.compact();
        for rule in &mut self.rules {
            for version in rule.versions_mut() {
                for link in &mut version.links {
                    *link = moves.apply(*link);
                }
            }
        }
    }

    fn find_deadline(&mut self) {
        self.deadline = self.rules.iter().filter_map(Rule::deadline).min();
    }
}
