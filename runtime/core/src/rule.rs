//! A rule: its newest version, and older ones that still have windows to finish. No window mixes two versions whose
//! state differs in layout, and each row goes to one version.

use crate::program::{Layout, Program, Timing};
use crate::shared::{Link, Shared};
use crate::version::{Ready, Sinks, Until, Version, event_time};
use crate::watermark::Watermark;
use crate::{Cells, Counts, Guests, KernelsId, Output, RuleCounts, RuleState, Swap};
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

/// What has gone from a stream's rules.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// Whether a version has.
    pub(crate) version: bool,
    /// The links that are used no more.
    pub(crate) links: Vec<Link>,
}

impl Gone {
    fn take(&mut self, version: &mut Version) {
        self.version = true;
        self.links.append(&mut version.links);
    }
}

impl Rule {
    pub(crate) fn new(id: Arc<str>) -> Self {
        Rule {
            id,
            versions: VecDeque::new(),
            rest: Vec::new(),
        }
    }

    /// Whether no version is left.
    pub(crate) fn is_finished(&self) -> bool {
        self.versions.is_empty()
    }

    pub(crate) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.versions.iter().map(|version| &version.program)
    }

    pub(crate) fn kernels(&self) -> impl Iterator<Item = KernelsId> {
        self.versions.iter().filter_map(|version| version.program.kernels)
    }

    pub(crate) fn versions_mut(&mut self) -> impl Iterator<Item = &mut Version> {
        self.versions.iter_mut()
    }

    /// Makes a program the newest version.
    pub(crate) fn put(&mut self, program: Program, links: Vec<Link>, gone: &mut Gone) -> Swap {
        // Event time has come as far as it has, whichever version takes it from there.
        let mut watermark = Watermark::default();
        // A version without open windows has nothing to finish, unless its layout is the new one's.
        while let Some(mut idle) = self
            .versions
            .pop_back_if(|version| version.last_end().is_none() && !same_layout(version, &program.layout))
        {
            if idle.program.layout.time == program.layout.time {
                watermark.catch_up(&idle.watermark);
            }
            gone.take(&mut idle);
        }
        let Some(newest) = self.versions.back_mut() else {
            let mut version = Version::new(program, links);
            version.watermark = watermark;
            self.versions.push_back(version);
            return Swap::New;
        };
        if same_layout(newest, &program.layout) {
            newest.until = Until::Open;
            gone.links.extend(newest.replace(program, links));
            return Swap::StateKept;
        }
        let mut version = Version::new(program, links);
        version.watermark = watermark;
        match handover(newest, Some(&version.program.layout)) {
            Until::Event(until) => {
                version.watermark.catch_up(&newest.watermark);
                version.watermark.raise(until);
                newest.until = Until::Event(until);
            }
            until => newest.until = until,
        }
        self.versions.push_back(version);
        Swap::StateDraining
    }

    /// Closes the windows of the newest version as they are, if its layout is another than that of the program that is to
    /// replace it at once.
    pub(crate) fn close_other_layout(
        &mut self,
        program: &Program,
        shared: &Shared,
        guests: &mut dyn Guests,
        out: &mut Output,
    ) {
        self.with_counts(guests, out, |rule, sinks| {
            if let Some(newest) = rule.versions.back_mut()
                && !same_layout(newest, &program.layout)
            {
                newest.close_until(i64::MAX, shared, sinks);
            }
        });
    }

    /// Begins no windows any more; those that are open go on to their end.
    pub(crate) fn drain(&mut self, now: i64, gone: &mut Gone) {
        self.versions.iter_mut().for_each(Version::end_by_arrival);
        if let Some(newest) = self.versions.back_mut() {
            if newest.until == Until::Open {
                newest.until = handover(newest, None);
            }
            if newest.last_end().is_none() {
                newest.windows.clear();
            }
        }
        self.remove_finished(now, gone);
    }

    /// Takes no rows any more; the windows that are open wait for their end.
    pub(crate) fn retire(&mut self, now: i64, gone: &mut Gone) {
        for version in &mut self.versions {
            version.until = Until::Retired;
            if version.last_end().is_none() {
                version.windows.clear();
            }
        }
        self.remove_finished(now, gone);
    }

    /// Leaves no version.
    pub(crate) fn discard(&mut self, gone: &mut Gone) {
        for mut version in self.versions.drain(..) {
            gone.take(&mut version);
        }
    }

    /// Closes the oldest versions beyond the bound at once.
    pub(crate) fn bound_versions(
        &mut self,
        shared: &Shared,
        guests: &mut dyn Guests,
        out: &mut Output,
        gone: &mut Gone,
    ) {
        while let Some(newest) = self.versions.back()
            && self.versions.len() > newest.program.bounds.versions_max.max(2)
            && let Some(mut oldest) = self.versions.pop_front()
        {
            self.with_counts(guests, out, |_, sinks| oldest.close_until(i64::MAX, shared, sinks));
            gone.take(&mut oldest);
        }
    }

    /// Processes a batch.
    pub(crate) fn process(&mut self, ready: &Ready<'_>, guests: &mut dyn Guests, out: &mut Output, gone: &mut Gone) {
        self.with_counts(guests, out, |rule, sinks| match rule.versions.make_contiguous() {
            [only] if only.until == Until::Open => {
                let rows = ready.rows();
                only.frame.restart(0..crate::isolate::row_number(rows), rows);
                only.process(ready, sinks);
            }
            versions => {
                rule.rest.clear();
                rule.rest.extend(0..crate::isolate::row_number(ready.rows()));
                for version in versions {
                    take_rows(version, &mut rule.rest, ready);
                    version.process(ready, sinks);
                    version.advance(ready.now, ready.shared, sinks);
                }
            }
        });
        self.remove_finished(ready.now, gone);
    }

    /// Lets time pass.
    pub(crate) fn advance(
        &mut self,
        now: i64,
        shared: &Shared,
        guests: &mut dyn Guests,
        out: &mut Output,
        gone: &mut Gone,
    ) {
        self.with_counts(guests, out, |rule, sinks| {
            for version in &mut rule.versions {
                version.advance(now, shared, sinks);
            }
        });
        self.remove_finished(now, gone);
    }

    /// The clock of arrivals was set back by `by`, to `now`.
    pub(crate) fn set_back(
        &mut self,
        (now, by): (i64, i64),
        shared: &Shared,
        guests: &mut dyn Guests,
        out: &mut Output,
        gone: &mut Gone,
    ) {
        self.with_counts(guests, out, |rule, sinks| {
            for version in &mut rule.versions {
                version.set_back(by, shared, sinks);
            }
        });
        self.remove_finished(now, gone);
    }

    /// Closes all windows at once, the oldest first.
    pub(crate) fn close_all(&mut self, shared: &Shared, guests: &mut dyn Guests, out: &mut Output) {
        self.with_counts(guests, out, |rule, sinks| {
            for version in &mut rule.versions {
                version.close_until(i64::MAX, shared, sinks);
            }
        });
    }

    pub(crate) fn state(&self) -> RuleState {
        let windows = self.versions.iter().flat_map(|version| &version.windows);
        let open = windows.filter(|window| window.group_count() > 0);
        let (open_windows, groups) = open.fold((0, 0), |(windows, groups), window| {
            (windows + 1, groups + window.group_count())
        });
        RuleState {
            open_windows,
            groups,
            finishing: self
                .versions
                .iter()
                .filter(|version| version.until != Until::Open)
                .count(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<i64> {
        self.versions.iter().filter_map(Version::deadline).min()
    }

    fn remove_finished(&mut self, now: i64, gone: &mut Gone) {
        if self.versions.iter().all(|version| version.until == Until::Open) {
            return;
        }
        self.versions.retain_mut(|version| {
            let finished = version.is_finished(now);
            if finished {
                gone.take(version);
            }
            !finished
        });
    }

    fn with_counts(&mut self, guests: &mut dyn Guests, out: &mut Output, work: impl FnOnce(&mut Self, &mut Sinks<'_>)) {
        let mut counts = Counts::default();
        let mut sinks = Sinks {
            guests,
            out,
            counts: &mut counts,
        };
        work(self, &mut sinks);
        if counts != Counts::default() {
            out.counts.push(RuleCounts {
                rule: Arc::clone(&self.id),
                counts,
            });
        }
    }
}

fn same_layout(version: &Version, layout: &Layout) -> bool {
    version.program.layout == *layout
}

/// How a version with open windows gives way, to one of another layout or to nobody.
fn handover(version: &Version, next: Option<&Layout>) -> Until {
    let Some(end) = version.last_end() else {
        return Until::Retired;
    };
    match version.program.timing {
        Timing::PerBatch => Until::Retired,
        Timing::Arrival { .. } => Until::Arrival(end),
        // Rows can be parted by event time only if both versions mean the same time, and it is known before any step.
        Timing::Event(_) => {
            let same_time = next.is_none_or(|next| next.size.is_some() && next.time == version.program.layout.time);
            if same_time && version.event_source().is_some() {
                Until::Event(end)
            } else {
                Until::Retired
            }
        }
    }
}

/// Moves the rows that a version takes from the rest to its frame.
fn take_rows(version: &mut Version, rest: &mut Vec<u32>, ready: &Ready<'_>) {
    match version.until {
        Until::Open => version.frame.restart_with(rest.drain(..)),
        Until::Arrival(until) => {
            let taken = rest.partition_point(|&row| ready.clocks[row as usize] < until);
            version.frame.restart_with(rest.drain(..taken));
        }
        Until::Event(until) => take_by_event(version, until, rest, ready),
        Until::Retired => version.frame.restart_with(std::iter::empty()),
    }
}

/// Rows without a usable time are left to the next version, and so are all once the watermark has passed the last window.
/// While a version gives way, each row of the stream moves its watermark, filtered or not, taken or left: what remains to
/// be taken must not depend on where batches end.
fn take_by_event(version: &mut Version, until: i64, rest: &mut Vec<u32>, ready: &Ready<'_>) {
    let Some((timing, link)) = version.event_source() else {
        version.frame.restart_with(std::iter::empty());
        return;
    };
    let view = ready.shared.view(link, ready.columns);
    let failed = ready.shared.errors(link);
    let mut cells = Vec::with_capacity(rest.len());
    view.cells(rest.iter().copied(), &mut cells);
    let Cells::Times(times) = &view.column.cells else {
        unreachable!("compile checks that the event time is a time");
    };
    version.heralds.clear();
    let mut watermark = version.watermark;
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
        version.heralds.push((row, time));
        if time < until { &mut taken } else { &mut left }.push(row);
    }
    version.frame.restart_with(taken.into_iter());
    *rest = left;
}
