//! A rule: its newest version, and older ones that still have windows to finish. No window mixes two versions whose
//! state differs in layout, and each row goes to one version.

use crate::event::event_time;
use crate::fold::{Feed, Fold, Ready, Work};
use crate::folds::{FoldId, Folds};
use crate::program::{Cut, Layout, Program, Timing};
use crate::shared::Shared;
use crate::until::Until;
use crate::watermark::Watermark;
use crate::window::OpenWindow;
use crate::{Cells, Micros, RuleState, Swap, Unfinished};
use std::collections::VecDeque;
use std::sync::Arc;

/// The versions of one rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: Arc<str>,
    /// From the oldest to the newest.
    versions: VecDeque<Version>,
    /// The rows of the batch that no version has taken yet.
    rest: Vec<u32>,
}

/// A program, and where its state is.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) program: Arc<Program>,
    pub(crate) fold: FoldId,
    until: Until,
}

impl Rule {
    pub(crate) fn new(id: Arc<str>) -> Self {
        Rule {
            id,
            versions: VecDeque::new(),
            rest: Vec::new(),
        }
    }

    /// Adds a version with the state that it had; those before it were added before.
    pub(crate) fn take_over(&mut self, program: Arc<Program>, fold: FoldId, until: Until) {
        self.versions.push_back(Version { program, fold, until });
    }

    /// All versions were added: from here on they take rows.
    pub(crate) fn begin_again(&mut self, folds: &mut Folds, shared: &mut Shared) {
        self.refeed(folds, shared);
    }

    /// Whether no version is left.
    pub(crate) fn is_finished(&self) -> bool {
        self.versions.is_empty()
    }

    /// Whether one version takes all rows.
    pub(crate) fn is_whole(&self) -> bool {
        self.versions.len() == 1 && self.versions[0].until == Until::Open
    }

    pub(crate) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter()
    }

    /// The fold of a version is another one now.
    pub(crate) fn moved(&mut self, from: FoldId, to: FoldId) {
        for version in &mut self.versions {
            if version.fold == from {
                version.fold = to;
            }
        }
    }

    /// The newest version, with a state of its own, if its layout is another one than that of the program that is to
    /// replace it at once.
    pub(crate) fn other_layout(
        &mut self,
        program: &Program,
        folds: &mut Folds,
        shared: &mut Shared,
    ) -> Option<&Version> {
        let newest = self.versions.back_mut()?;
        if newest.program.layout == program.layout {
            return None;
        }
        newest.fold = folds.own(newest.fold, &self.id, shared);
        Some(newest)
    }

    /// Shares no state any more: it is about to be given rows alone.
    pub(crate) fn stand_alone(&mut self, folds: &mut Folds, shared: &mut Shared) {
        for version in &mut self.versions {
            version.fold = folds.own(version.fold, &self.id, shared);
        }
    }

    /// Makes a program the newest version.
    pub(crate) fn put(&mut self, program: Arc<Program>, folds: &mut Folds, shared: &mut Shared) -> Swap {
        // Event time has come as far as it has, whichever version takes it from there.
        let mut watermark = Watermark::default();
        let mut forgets = false;
        // A version without open windows has nothing to finish, unless its layout is the new one's.
        while let Some(idle) = self
            .versions
            .pop_back_if(|version| !folds.get(version.fold).has_begun() && version.program.layout != program.layout)
        {
            if idle.program.layout.time == program.layout.time {
                watermark.catch_up(&folds.get(idle.fold).watermark);
            }
            forgets |= folds.get(idle.fold).remembers();
            folds.leave(idle.fold, &self.id);
        }
        let swap = match self.versions.back_mut() {
            None if forgets => Swap::Forgotten,
            None => Swap::New,
            Some(newest) if newest.program.layout == program.layout => {
                newest.until = Until::Open;
                newest.fold = folds.replace(newest.fold, &self.id, &program.fold, shared);
                newest.program = program;
                self.refeed(folds, shared);
                return Swap::StateKept;
            }
            Some(newest) => {
                newest.fold = folds.own(newest.fold, &self.id, shared);
                let fold = folds.get(newest.fold);
                newest.until = handover(&newest.program, fold, Some(&program.layout));
                if let Until::Event(until) = newest.until {
                    watermark.catch_up(&fold.watermark);
                    watermark.raise(until);
                }
                Swap::StateDraining
            }
        };
        self.versions.push_back(Version {
            fold: folds.join(&self.id, &program.fold, watermark, shared),
            program,
            until: Until::Open,
        });
        self.refeed(folds, shared);
        swap
    }

    /// Begins no windows any more; those that are open go on to their end.
    pub(crate) fn drain(&mut self, folds: &mut Folds, shared: &mut Shared) {
        for version in &mut self.versions {
            version.fold = folds.own(version.fold, &self.id, shared);
            folds.get_mut(version.fold).end_by_arrival();
        }
        if let Some(newest) = self.versions.back_mut() {
            let fold = folds.get_mut(newest.fold);
            if newest.until == Until::Open {
                newest.until = handover(&newest.program, fold, None);
            }
            if !fold.has_begun() {
                fold.windows.clear();
            }
        }
        self.refeed(folds, shared);
    }

    /// Takes no rows any more; the windows that are open wait for their end.
    pub(crate) fn retire(&mut self, folds: &mut Folds, shared: &mut Shared) {
        for version in &mut self.versions {
            version.until = Until::Retired;
            version.fold = folds.own(version.fold, &self.id, shared);
            let fold = folds.get_mut(version.fold);
            let last_end = fold.last_end();
            fold.windows.retain(|window| Some(window.end) <= last_end);
        }
        self.refeed(folds, shared);
    }

    /// Leaves no version.
    pub(crate) fn discard(&mut self, folds: &mut Folds) {
        for version in self.versions.drain(..) {
            folds.leave(version.fold, &self.id);
        }
    }

    /// The oldest version, if there are more than may be; it takes no more rows.
    pub(crate) fn beyond_bound(&mut self) -> Option<Version> {
        let newest = self.versions.back()?;
        if self.versions.len() > newest.program.fold.bounds.versions_max.max(2) {
            self.versions.pop_front()
        } else {
            None
        }
    }

    /// Processes a batch for this rule alone, which shares no state. `note` is told which folds have something to report.
    pub(crate) fn process_alone(
        &mut self,
        ready: &Ready<'_>,
        folds: &mut Folds,
        work: &mut Work<'_>,
        mut note: impl FnMut(FoldId),
    ) {
        if self.is_whole() {
            let fold = self.versions[0].fold;
            if folds.get_mut(fold).process(ready, work) {
                note(fold);
            }
        } else {
            self.process(ready, folds, work, note);
        }
        for version in &self.versions {
            folds.get_mut(version.fold).since = ready.now;
        }
    }

    /// Processes a batch, for a rule that is not whole. `note` is told which folds have something to report.
    pub(crate) fn process(
        &mut self,
        ready: &Ready<'_>,
        folds: &mut Folds,
        work: &mut Work<'_>,
        mut note: impl FnMut(FoldId),
    ) {
        self.rest.clear();
        self.rest.extend(0..crate::isolate::row_number(ready.rows()));
        for version in &self.versions {
            let fold = folds.get_mut(version.fold);
            let news = if version.until == Until::Closed {
                process_until_closed(fold, &mut self.rest, ready, work)
            } else {
                take_rows(version.until, fold, &mut self.rest, ready);
                fold.process_frame(ready, work)
            };
            if advance(version.until, fold, ready.now, work) || news {
                note(version.fold);
            }
        }
    }

    /// Lets time pass, for a rule that is not whole.
    pub(crate) fn advance(&mut self, now: i64, folds: &mut Folds, work: &mut Work<'_>, mut note: impl FnMut(FoldId)) {
        for version in &self.versions {
            if advance(version.until, folds.get_mut(version.fold), now, work) {
                note(version.fold);
            }
        }
    }

    /// The clock of arrivals was set back, and the windows by arrival were closed: no version waits for a time that comes
    /// again.
    pub(crate) fn set_back(&mut self, folds: &Folds) {
        for version in &mut self.versions {
            let by_arrival = matches!(folds.get(version.fold).timing, Timing::Arrival);
            if by_arrival && version.until != Until::Open {
                version.until = Until::Retired;
            }
        }
    }

    /// Removes the versions that have nothing more to do. True: there were some.
    pub(crate) fn remove_finished(&mut self, folds: &mut Folds, shared: &mut Shared) -> bool {
        let before = self.versions.len();
        let (id, now) = (&self.id, folds.clock);
        self.versions.retain(|version| {
            let finished = is_finished(version.until, folds.get(version.fold), now);
            if finished {
                folds.leave(version.fold, id);
            }
            !finished
        });
        let removed = self.versions.len() < before;
        if removed {
            self.refeed(folds, shared);
        }
        removed
    }

    pub(crate) fn state(&self, folds: &Folds) -> RuleState {
        let folds = self.versions.iter().map(|version| folds.get(version.fold));
        let (open_windows, groups) = folds.fold((0, 0), |(windows, groups), fold| {
            let more: usize = fold.begun().map(OpenWindow::group_count).sum();
            (windows + fold.open_windows(), groups + more)
        });
        let finishing = self.versions.iter().filter(|version| version.until != Until::Open);
        RuleState {
            open_windows,
            groups,
            finishing: finishing.count(),
        }
    }

    /// The windows that have rows, and how far event time has come.
    pub(crate) fn unfinished(&self, folds: &Folds) -> Unfinished {
        let mut unfinished = Unfinished::default();
        for fold in self.versions.iter().map(|version| folds.get(version.fold)) {
            let times = fold.begun().map(|window| (Micros(window.start), Micros(window.end)));
            unfinished.windows.extend(times);
            let mut begun = fold.watermark.time();
            if let Some(sequence) = &fold.sequence {
                // When its windows end is not known yet, nor when one that has not begun will have.
                begun = begun.max(sequence.last().saturating_add(1));
            }
            unfinished.watermark = unfinished.watermark.max(Some(Micros(begun)));
        }
        unfinished
    }

    pub(crate) fn deadline(&self, folds: &Folds) -> Option<i64> {
        let deadlines = self.versions.iter().filter_map(|version| {
            let fold = folds.get(version.fold);
            match version.until {
                Until::Retired => fold.deadline_retired(),
                Until::Open | Until::Arrival(_) | Until::Event(_) | Until::Closed => fold.deadline(),
            }
        });
        deadlines.min()
    }

    /// Says to the folds which rows they are given.
    fn refeed(&mut self, folds: &mut Folds, shared: &mut Shared) {
        let whole = self.is_whole();
        for version in &mut self.versions {
            if whole {
                folds.feed(version.fold, Feed::All);
            } else {
                version.fold = folds.own(version.fold, &self.id, shared);
                folds.feed(version.fold, Feed::Parts);
            }
            folds.get_mut(version.fold).last_end_max = match version.until {
                Until::Arrival(until) | Until::Event(until) => until,
                Until::Open | Until::Closed | Until::Retired => i64::MAX,
            };
        }
    }
}

impl Version {
    pub(crate) fn until(&self) -> Until {
        self.until
    }
}

/// How a version with open windows gives way, to one of another layout or to nobody.
fn handover(program: &Program, fold: &Fold, next: Option<&Layout>) -> Until {
    if let Some(cut) = fold.program.cut.filter(|_| fold.sequence.is_some()) {
        // In event time rows come in another order than they are taken in, so they cannot be parted by one of them. Nor
        // may a rule that goes wait for a row for ever.
        let waits = match cut {
            // Each row has a window of its own: those that come from here on have it in the new version.
            Cut::Aligned(_) | Cut::Sliding { .. } => false,
            Cut::Session { .. } => true,
            Cut::Count { .. } | Cut::State => next.is_some(),
        };
        let waits = waits && matches!(fold.timing, Timing::Arrival);
        return if waits { Until::Closed } else { Until::Retired };
    }
    let Some(end) = fold.last_end() else {
        return Until::Retired;
    };
    match fold.timing {
        Timing::PerBatch => Until::Retired,
        Timing::Arrival => Until::Arrival(end),
        // Rows can be parted by event time only if both versions mean the same time, and it is known before any step.
        Timing::Event(_) => {
            let same_time = next.is_none_or(|next| next.cut.is_some() && next.time == program.layout.time);
            if same_time && fold.event_source().is_some() {
                Until::Event(end)
            } else {
                Until::Retired
            }
        }
    }
}

fn advance(until: Until, fold: &mut Fold, now: i64, work: &mut Work<'_>) -> bool {
    match until {
        Until::Retired => fold.advance_retired(now, work),
        Until::Open | Until::Arrival(_) | Until::Event(_) | Until::Closed => fold.advance(now, work),
    }
}

fn is_finished(until: Until, fold: &Fold, now: i64) -> bool {
    match until {
        Until::Open => false,
        Until::Arrival(until) => now >= until && fold.is_done(),
        Until::Event(until) => fold.watermark.time() >= until && fold.is_done(),
        Until::Closed | Until::Retired => fold.is_done(),
    }
}

/// Processes rows one by one, and takes them out of the rest, until the open window has closed. True: there is something to
/// report.
fn process_until_closed(fold: &mut Fold, rest: &mut Vec<u32>, ready: &Ready<'_>, work: &mut Work<'_>) -> bool {
    let (batches, mut news, mut taken) = (fold.counts.batches, false, 0);
    for &row in rest.iter() {
        let now = ready.clocks[row as usize];
        news |= fold.advance(now, work);
        if fold.is_done() {
            break;
        }
        fold.frame.restart_with(std::iter::once(row));
        news |= fold.process_frame(&Ready { now, ..*ready }, work);
        taken += 1;
    }
    fold.frame.restart_with(std::iter::empty());
    fold.counts.batches = batches + u64::from(taken > 0);
    rest.drain(..taken);
    news
}

/// Moves the rows that a version takes from the rest to its frame.
fn take_rows(until: Until, fold: &mut Fold, rest: &mut Vec<u32>, ready: &Ready<'_>) {
    match until {
        Until::Open => fold.frame.restart_with(rest.drain(..)),
        Until::Arrival(until) => {
            let taken = rest.partition_point(|&row| ready.clocks[row as usize] < until);
            fold.frame.restart_with(rest.drain(..taken));
        }
        Until::Event(until) => take_by_event(fold, until, rest, ready),
        Until::Closed | Until::Retired => fold.frame.restart_with(std::iter::empty()),
    }
}

/// Rows without a usable time are left to the next version, and so are all once the watermark has passed the last window.
/// While a version gives way, each row of the stream moves its watermark, filtered or not, taken or left: what remains to
/// be taken must not depend on where batches end.
fn take_by_event(fold: &mut Fold, until: i64, rest: &mut Vec<u32>, ready: &Ready<'_>) {
    let Some((timing, link)) = fold.event_source() else {
        fold.frame.restart_with(std::iter::empty());
        return;
    };
    let view = ready.shared.view(link, ready.columns);
    let failed = ready.shared.errors(link);
    let mut cells = Vec::with_capacity(rest.len());
    view.cells(rest.iter().copied(), &mut cells);
    let Cells::Times(times) = &view.column.cells else {
        unreachable!("compile checks that the event time is a time");
    };
    fold.heralds.clear();
    let mut watermark = fold.watermark;
    let mut taken = Vec::new();
    let mut left = Vec::new();
    for (&row, &cell) in rest.iter().zip(&cells) {
        let (cell, clock) = (cell as usize, ready.clocks[row as usize]);
        watermark.pass(clock, &timing);
        if watermark.time() >= until {
            left.push(row);
            continue;
        }
        let null = view.column.is_null(cell) || failed.binary_search_by_key(&row, |failed| failed.row).is_ok();
        let Ok(time) = event_time(times[cell], null, clock, &timing) else {
            left.push(row);
            continue;
        };
        watermark.see(time, i64::MAX, clock, &timing);
        fold.heralds.push((row, time));
        if time < until { &mut taken } else { &mut left }.push(row);
    }
    fold.frame.restart_with(taken.into_iter());
    *rest = left;
}
