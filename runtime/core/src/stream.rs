//! A stream: all rules that listen to the same messages of the same source.

mod snapshot;
mod state;

pub use state::{RuleState, Unfinished};

use crate::closing::Closing;
use crate::compile::compile;
use crate::fold::{Ready, Work};
use crate::folds::{FoldId, Folds};
use crate::frame::Frame;
use crate::program::Program;
use crate::report::{report, report_news};
use crate::rule::Rule;
use crate::shared::Shared;
use crate::window::Scratch;
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
    /// No window was open, but steps of the version before remembered rows, and those of the new one remember something
    /// else: they begin anew.
    Forgotten,
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

/// All rules of one stream. The host feeds it batches and the time, and drains the [`Output`] after each call.
///
/// Time is the time of arrival: that of the rows of a batch, and that of [`Stream::advance`]. It does not go back by
/// itself: a time before the latest one counts as the latest one, until [`Stream::set_back`] says that the clock was wrong.
///
/// The results of closed windows come out in pieces, so that a window of a million groups does not hold up the rows behind
/// it: each call gives at most some thousand groups, and the deadline is now as long as there are more.
///
/// ```text
/// stream.put(&version, guests, &mut out)?          a rule appears or is replaced
/// loop {
///     topics.make_room();                          then intern each topic, decode stream.fields()
///     stream.process(&batch, guests, &mut out);
///     ... take out.emissions, out.dead; out.clear();
///     now and then stream.settle(&mut out), and take out.counts
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
    folds: Folds,
    /// Closed windows whose results are not out yet.
    closing: Closing,
    /// Whether there are rules that are not whole.
    parted: bool,
    clock: i64,
    clocks: Vec<i64>,
    deadline: Option<i64>,
    /// The folds that have something to report in the call at hand.
    news: Vec<FoldId>,
    whole: Frame,
    scratch: Scratch,
}

impl Stream {
    /// A stream without rules. The bounds are those of the calls that rules share; the seed is for the hashes of keys.
    pub fn new(bounds: Bounds, seed: HashSeed) -> Self {
        Stream {
            bounds,
            seed,
            shared: Shared::new(),
            rules: Vec::new(),
            folds: Folds::default(),
            closing: Closing::default(),
            parted: false,
            clock: i64::MIN,
            clocks: Vec::new(),
            deadline: None,
            news: Vec::new(),
            whole: Frame::default(),
            scratch: Scratch::default(),
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

    /// Whether there are no rules, and no results of closed windows are still to come out.
    pub fn is_idle(&self) -> bool {
        self.rules.is_empty() && self.closing.is_empty()
    }

    /// What a rule holds at the moment.
    pub fn rule_state(&self, id: &str) -> Option<RuleState> {
        let position = self.position(id).ok()?;
        Some(self.rules[position].state(&self.folds))
    }

    /// The ids of the rules of which something may still come out, some more than once: a rule that is gone may have a
    /// window that closed and is still on its way.
    pub fn emitting(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rules().chain(self.closing.windows().map(|(rule, _)| rule))
    }

    /// What a rule has begun and not yet given.
    pub fn unfinished(&self, id: &str) -> Unfinished {
        let mut unfinished = match self.position(id) {
            Ok(position) => self.rules[position].unfinished(&self.folds),
            Err(_) => Unfinished::default(),
        };
        let closing = self.closing.windows().filter(|(rule, _)| ***rule == *id);
        unfinished.windows.extend(closing.map(|(_, window)| window));
        unfinished
    }

    /// The kernels that versions of rules still need, those included that only finish their windows.
    pub fn kernels(&self) -> impl Iterator<Item = KernelsId> {
        self.programs().filter_map(|program| program.kernels)
    }

    /// The call sites that versions of rules still have, some more than once.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> {
        self.programs().flat_map(Program::sites)
    }

    /// The accumulators that versions of rules still have, some more than once.
    pub fn accumulators(&self) -> impl Iterator<Item = AccumulatorId> {
        self.programs().flat_map(Program::accumulators)
    }

    /// Adds a rule, or replaces the one of the same id between two batches. After an error nothing has changed.
    pub fn put(
        &mut self,
        version: &RuleVersion,
        guests: &mut dyn Guests,
        out: &mut Output,
    ) -> Result<Swap, CompileError> {
        let mut program = compile(version, guests)?;
        program.fold = self.folds.known(program.fold);
        let position = self.position(&version.id).unwrap_or_else(|position| {
            self.rules.insert(position, Rule::new(Arc::clone(&version.id)));
            position
        });
        self.folds.clock = self.clock;
        let rule = &mut self.rules[position];
        if version.on_change == OnChange::Now
            && let Some(newest) = rule.other_layout(&program, &mut self.folds, &mut self.shared)
        {
            let mut work = Work::new(&mut *guests, &mut self.scratch, &self.seed);
            self.folds.get_mut(newest.fold).close_all(&mut work);
            report(newest, None, (&mut self.folds, &mut self.closing), guests, out);
            self.folds.get_mut(newest.fold).clear_news();
        }
        let swap = rule.put(Arc::new(program), &mut self.folds, &mut self.shared);
        while let Some(oldest) = rule.beyond_bound() {
            let mut work = Work::new(&mut *guests, &mut self.scratch, &self.seed);
            self.folds.get_mut(oldest.fold).close_all(&mut work);
            report(&oldest, None, (&mut self.folds, &mut self.closing), guests, out);
            self.folds.get_mut(oldest.fold).clear_news();
            self.folds.leave(oldest.fold, &version.id);
        }
        self.rules_changed();
        self.send_out(guests, out);
        Ok(swap)
    }

    /// Removes a rule; unknown ids are no error.
    pub fn remove(&mut self, id: &str, how: Removal) {
        let Ok(position) = self.position(id) else {
            return;
        };
        self.folds.clock = self.clock;
        let rule = &mut self.rules[position];
        match how {
            Removal::Drain => rule.drain(&mut self.folds, &mut self.shared),
            Removal::Retire => rule.retire(&mut self.folds, &mut self.shared),
            Removal::Discard => rule.discard(&mut self.folds),
        }
        rule.remove_finished(&mut self.folds, &mut self.shared);
        self.rules_changed();
    }

    /// Processes a batch; then closes what is due by the time its last row arrived.
    pub fn process(&mut self, batch: &StreamBatch<'_>, guests: &mut dyn Guests, out: &mut Output) {
        if !self.start_batch(batch, guests) {
            return;
        }
        let ready = ready(&self.shared, batch, (&self.clocks, self.clock), &self.whole);
        let mut work = Work::new(&mut *guests, &mut self.scratch, &self.seed);
        self.deadline = None;
        for (id, fold) in self.folds.whole_mut() {
            if fold.process(&ready, &mut work) {
                self.news.push(id);
            }
            // Here, where the fold is still in the processor's cache, not in a loop of its own.
            self.deadline = self.deadline.into_iter().chain(fold.deadline()).min();
        }
        if self.parted {
            for rule in self.rules.iter_mut().filter(|rule| !rule.is_whole()) {
                rule.process(&ready, &mut self.folds, &mut work, |id| self.news.push(id));
                self.deadline = self.deadline.into_iter().chain(rule.deadline(&self.folds)).min();
            }
        }
        let news = (&self.rules[..], &mut self.news);
        report_news(news, Some(&ready), (&mut self.folds, &mut self.closing), guests, out);
        self.finish_call(guests, out);
    }

    /// Processes rows for one rule alone, because the version that had them failed. The other rules do not see them.
    pub fn process_for(&mut self, id: &str, batch: &StreamBatch<'_>, guests: &mut dyn Guests, out: &mut Output) {
        if let Ok(position) = self.position(id) {
            self.folds.clock = self.clock;
            self.rules[position].stand_alone(&mut self.folds, &mut self.shared);
        }
        if !self.start_batch(batch, guests) {
            return;
        }
        let ready = ready(&self.shared, batch, (&self.clocks, self.clock), &self.whole);
        let mut work = Work::new(&mut *guests, &mut self.scratch, &self.seed);
        if let Ok(position) = self.rules.binary_search_by(|rule| (*rule.id).cmp(id)) {
            let rule = &mut self.rules[position];
            rule.process_alone(&ready, &mut self.folds, &mut work, |id| self.news.push(id));
        }
        let news = (&self.rules[..], &mut self.news);
        report_news(news, Some(&ready), (&mut self.folds, &mut self.closing), guests, out);
        self.find_deadline();
        self.finish_call(guests, out);
    }

    /// Lets time pass without a row: closes what is due, and gives results that did not fit into the calls before.
    pub fn advance(&mut self, now: Micros, guests: &mut dyn Guests, out: &mut Output) {
        self.clock = self.clock.max(now.0);
        if self.deadline.is_some_and(|deadline| deadline <= self.clock) {
            let mut work = Work::new(&mut *guests, &mut self.scratch, &self.seed);
            for (id, fold) in self.folds.whole_mut() {
                if fold.advance(self.clock, &mut work) {
                    self.news.push(id);
                }
            }
            if self.parted {
                for rule in self.rules.iter_mut().filter(|rule| !rule.is_whole()) {
                    rule.advance(self.clock, &mut self.folds, &mut work, |id| self.news.push(id));
                }
            }
            self.report(guests, out);
            self.find_deadline();
        }
        self.finish_call(guests, out);
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
        let mut work = Work::new(&mut *guests, &mut self.scratch, &self.seed);
        for (id, fold) in self.folds.iter_mut() {
            if fold.set_back(now.0, by, &mut work) {
                self.news.push(id);
            }
        }
        for rule in &mut self.rules {
            rule.set_back(&self.folds);
        }
        self.report(guests, out);
        self.find_deadline();
        self.finish_call(guests, out);
    }

    /// Whether a version of a rule has gone since the last call, because it had finished or was replaced, and its results
    /// are out. Then its kernels and call sites may be needed no more; nor the stream itself, if no rule is left.
    pub fn take_version_gone(&mut self) -> bool {
        self.closing.is_empty() && self.folds.take_version_gone()
    }

    /// When [`Stream::advance`] is to be called if no batch comes before; `None`: nothing waits for the time.
    pub fn next_deadline(&self) -> Option<Micros> {
        if self.closing.is_empty() {
            self.deadline.map(|deadline| Micros(deadline.max(self.clock)))
        } else {
            Some(Micros(self.clock))
        }
    }

    /// Closes all windows at once, though their end has not come: for a graceful stop, as windows live in memory only. A
    /// rule whose windows were closed like that emits the same window again for later rows, be it after a restart.
    pub fn close_all(&mut self, guests: &mut dyn Guests, out: &mut Output) {
        let mut work = Work::new(&mut *guests, &mut self.scratch, &self.seed);
        for (id, fold) in self.folds.iter_mut() {
            if fold.close_all(&mut work) {
                self.news.push(id);
            }
        }
        self.report(guests, out);
        self.find_deadline();
        self.finish_closing(guests, out);
    }

    /// Gives the counts since the last time. Booking them with each batch would cost a rule more than the batch.
    pub fn settle(&mut self, out: &mut Output) {
        self.folds.settle(out);
    }

    /// Forgets the remembered results of call sites, because their library was replaced.
    pub fn forget(&mut self, sites: &[SiteId]) {
        self.shared.forget(sites);
        self.forget_slots();
    }

    /// How many states there are.
    #[cfg(test)]
    pub(crate) fn folds(&self) -> usize {
        self.folds.len()
    }

    /// Takes the time of a batch, and makes the shared calls. False: it has no rows.
    fn start_batch(&mut self, batch: &StreamBatch<'_>, guests: &mut dyn Guests) -> bool {
        batch.check(self.fields());
        if batch.rows == 0 {
            return false;
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
        self.whole
            .restart(0..crate::isolate::row_number(batch.rows), batch.rows);
        true
    }

    fn position(&self, id: &str) -> Result<usize, usize> {
        self.rules.binary_search_by(|rule| (*rule.id).cmp(id))
    }

    fn programs(&self) -> impl Iterator<Item = &Program> {
        let versions = self.rules.iter().flat_map(Rule::versions);
        versions.map(|version| &*version.program).chain(self.closing.programs())
    }

    fn forget_slots(&mut self) {
        for (_, fold) in self.folds.iter_mut() {
            fold.forget_slots();
        }
    }

    fn report(&mut self, guests: &mut dyn Guests, out: &mut Output) {
        let news = (&self.rules[..], &mut self.news);
        report_news(news, None, (&mut self.folds, &mut self.closing), guests, out);
    }

    /// What follows when time has passed.
    fn finish_call(&mut self, guests: &mut dyn Guests, out: &mut Output) {
        if self.parted {
            self.folds.clock = self.clock;
            let mut removed = false;
            for rule in self.rules.iter_mut().filter(|rule| !rule.is_whole()) {
                removed |= rule.remove_finished(&mut self.folds, &mut self.shared);
            }
            if removed {
                self.rules_changed();
            }
        }
        if !self.closing.is_empty() {
            self.send_out(guests, out);
        }
    }

    /// Gives the next results of closed windows.
    fn send_out(&mut self, guests: &mut dyn Guests, out: &mut Output) {
        self.closing.send_out(&self.bounds, &mut self.folds, guests, out);
        let moved = self.folds.merge();
        if moved.is_empty() {
            return;
        }
        for (id, from, to) in moved {
            if let Ok(position) = self.position(&id) {
                self.rules[position].moved(from, to);
            }
        }
        self.unlink();
    }

    /// Rules came or went, or take other rows than before.
    fn rules_changed(&mut self) {
        self.rules.retain(|rule| !rule.is_finished());
        self.parted = self.rules.iter().any(|rule| !rule.is_whole());
        self.unlink();
        self.find_deadline();
    }

    /// Takes uses back; what nobody uses any more is decoded and called no more.
    fn unlink(&mut self) {
        let mut any = false;
        for link in self.folds.take_unused() {
            any |= self.shared.unlink(link);
        }
        if any {
            let moves = self.shared.compact();
            self.folds.relink(&moves);
        }
    }

    fn find_deadline(&mut self) {
        let rules = self.rules.iter();
        self.deadline = rules.filter_map(|rule| rule.deadline(&self.folds)).min();
    }
}

fn ready<'a>(
    shared: &'a Shared,
    batch: &StreamBatch<'a>,
    (clocks, now): (&'a [i64], i64),
    whole: &'a Frame,
) -> Ready<'a> {
    Ready {
        shared,
        columns: batch.columns,
        mistyped: batch.mistyped,
        clocks,
        now,
        whole,
        holes: shared.holes(batch.columns),
    }
}
