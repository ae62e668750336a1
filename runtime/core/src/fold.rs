//! A fold: what becomes of rows, from the batch to closed windows. Versions of rules that do the same up to there share
//! one, so that hundreds of equal rules cost little more than one.

mod remembering;
mod snapshot;

use crate::frame::{Env, Frame, Loss, Losses, Part};
use crate::memory::Memory;
use crate::program::{Action, Cut, EventTiming, FoldProgram, Slot, Timing};
use crate::requirement::rejected;
use crate::sequence::{NEVER, Sequence, Stray};
use crate::shared::{Link, Shared};
use crate::watermark::Watermark;
use crate::window::{Intake, OpenWindow, Scratch};
use crate::{Column, Counts, Fault, Guests, HashSeed, Mistyped};
use std::collections::VecDeque;
use std::sync::Arc;

/// A closed window with more groups than this gives its memory back instead of keeping it for the next one.
const SPARE_GROUPS_MAX: usize = 65_536;

/// A batch, after the shared calls.
#[derive(Clone, Copy)]
pub(crate) struct Ready<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) columns: &'a [Column],
    pub(crate) mistyped: &'a [Mistyped],
    /// When each row arrived, not descending, not before the time that had passed.
    pub(crate) clocks: &'a [i64],
    /// The time of arrival of the last row.
    pub(crate) now: i64,
    /// A frame of all rows.
    pub(crate) whole: &'a Frame,
    /// The shared columns in which something is missing; see [`Shared::bit`].
    pub(crate) holes: u64,
}

impl Ready<'_> {
    pub(crate) fn rows(&self) -> usize {
        self.clocks.len()
    }
}

/// Whom to call, and memory to use.
pub(crate) struct Work<'a> {
    pub(crate) guests: &'a mut dyn Guests,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) seed: &'a HashSeed,
}

impl<'a> Work<'a> {
    pub(crate) fn new(guests: &'a mut dyn Guests, scratch: &'a mut Scratch, seed: &'a HashSeed) -> Self {
        Work { guests, scratch, seed }
    }
}

/// Which rows a fold is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Each row of the stream.
    All,
    /// What its only rule gives it, because the rule has several versions or ends.
    Parts,
}

/// A fold program with its state.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) program: Arc<FoldProgram>,
    /// The program's, but for a fold whose windows wait for no row any more.
    pub(crate) timing: Timing,
    /// Where the program's sources are in the stream.
    links: Vec<Link>,
    /// The bits of the columns that must have no holes for a batch to be taken as it is; `None`: never.
    whole_without: Option<u64>,
    /// The ids of the rules whose version it is, ascending.
    pub(crate) members: Vec<Arc<str>>,
    pub(crate) feed: Feed,
    /// The time since which its program and its feed are the same. Windows that began later depend on nothing before.
    pub(crate) since: i64,
    pub(crate) watermark: Watermark,
    /// By start and end. They ascend both.
    pub(crate) windows: VecDeque<OpenWindow>,
    /// Windows that end later are not its own any more: a newer version takes their last rows. They go on, for that version
    /// may go again, but nothing comes out of them.
    pub(crate) last_end_max: i64,
    /// For windows that depend on the order of rows.
    pub(crate) sequence: Option<Sequence>,
    /// What steps remember; empty before the first row.
    pub(crate) memories: Vec<Memory>,
    pub(crate) spare: Option<OpenWindow>,
    pub(crate) frame: Frame,
    /// While it gives way to a newer version: rows of the batch with their event time, which move the watermark.
    pub(crate) heralds: Vec<(u32, i64)>,
    /// Since the last settling, for each of the members.
    pub(crate) counts: Counts,
    /// What the call at hand made, until it is reported: late rows to be seen, lost rows, closed windows.
    pub(crate) late: Vec<Loss>,
    pub(crate) losses: Losses,
    pub(crate) strays: Vec<Stray>,
    pub(crate) closed: Vec<Arc<OpenWindow>>,
}

impl Fold {
    pub(crate) fn new(program: Arc<FoldProgram>, links: Vec<Link>) -> Self {
        let mut fold = Fold {
            timing: program.timing,
            sequence: program.kept.as_deref().map(Sequence::new),
            program,
            links: Vec::new(),
            whole_without: None,
            members: Vec::new(),
            feed: Feed::Parts,
            since: i64::MIN,
            watermark: Watermark::default(),
            windows: VecDeque::new(),
            memories: Vec::new(),
            last_end_max: i64::MAX,
            spare: None,
            frame: Frame::default(),
            heralds: Vec::new(),
            counts: Counts::default(),
            late: Vec::new(),
            losses: Losses::default(),
            strays: Vec::new(),
            closed: Vec::new(),
        };
        fold.set_links(links);
        fold
    }

    /// How many windows with rows are open.
    pub(crate) fn open_windows(&self) -> usize {
        // What waits will be in a window.
        self.begun().count().max(usize::from(self.sequence_begun()))
    }

    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// Says where the program's sources are; gives the old places.
    pub(crate) fn set_links(&mut self, links: Vec<Link>) -> Vec<Link> {
        let before = std::mem::replace(&mut self.links, links);
        let bit = |source: usize| Shared::bit(self.links[source]);
        let needed = self.program.requirements.iter().map(|need| bit(need.source));
        let checked = self.program.before.iter().map(|action| match action {
            Action::Check { source, .. } => bit(*source),
            Action::Call { .. } | Action::Kernel { .. } | Action::Keep(_) | Action::Remember(_) => 0,
        });
        let bits = needed.chain(checked).fold(0, |bits, bit| bits | bit);
        self.whole_without = self.program.takes_whole_batches().then_some(bits);
        before
    }

    /// Replaces the program by one of the same layout; the windows go on. Gives the old links.
    pub(crate) fn replace(&mut self, program: Arc<FoldProgram>, links: Vec<Link>) -> Vec<Link> {
        self.timing = program.timing;
        self.program = program;
        self.forget_slots();
        self.set_links(links)
    }

    /// The windows with rows of which results will come out.
    pub(crate) fn begun(&self) -> impl DoubleEndedIterator<Item = &OpenWindow> {
        let last_end = self.last_end_max;
        let windows = self.windows.iter();
        windows.filter(move |window| window.group_count() > 0 && window.end <= last_end)
    }

    /// The end of the last window with a row in it.
    pub(crate) fn last_end(&self) -> Option<i64> {
        self.begun().next_back().map(|window| window.end)
    }

    /// Whether there is anything of which results will come out.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun().next().is_some() || self.sequence_begun()
    }

    /// Whether no window is open of which results may come out.
    pub(crate) fn is_done(&self) -> bool {
        let first = self.windows.front();
        first.is_none_or(|window| window.end > self.last_end_max) && !self.sequence_begun()
    }

    fn sequence_begun(&self) -> bool {
        self.sequence.as_ref().is_some_and(Sequence::has_begun)
    }

    /// Whether it is as one that has had no rows, and whose watermark has come as far.
    pub(crate) fn is_untouched(&self, watermark: &Watermark) -> bool {
        let sequence = self.sequence.as_ref().is_none_or(Sequence::is_untouched);
        sequence
            && !self.remembers()
            && match self.timing {
                Timing::PerBatch => false,
                Timing::Arrival => self.last_end().is_none(),
                Timing::Event(_) => self.windows.is_empty() && self.watermark == *watermark,
            }
    }

    /// Whether it and another fold with the same program must be in the same state.
    pub(crate) fn is_as(&self, other: &Fold) -> bool {
        let begun = |fold: &Fold| {
            let mut starts = fold.windows.iter().map(|window| window.start);
            starts.all(|start| start > self.since.max(other.since))
        };
        let windows = || self.windows.iter().map(|window| window.start);
        matches!(self.timing, Timing::Arrival)
            && self.program.is_exact()
            && !self.program.cut.is_some_and(Cut::has_history)
            && begun(self)
            && windows().eq(other.windows.iter().map(|window| window.start))
    }

    /// From here on no window waits for a row that would move event time: the watermark follows the time of arrival, as
    /// that of a rule that is idle at once. A program that replaces this one brings its own idle time.
    pub(crate) fn end_by_arrival(&mut self) {
        if let Timing::Event(timing) = &mut self.timing {
            timing.idle = Some(0);
        }
    }

    /// Forgets which topic is which group.
    pub(crate) fn forget_slots(&mut self) {
        for window in self.windows.iter_mut().chain(&mut self.spare) {
            window.forget_slots();
        }
    }

    /// Processes all rows of a batch. True: there is something to report.
    #[inline]
    pub(crate) fn process(&mut self, ready: &Ready<'_>, work: &mut Work<'_>) -> bool {
        let windowed = !matches!(self.timing, Timing::PerBatch);
        if windowed && self.whole_without.is_some_and(|bits| bits & ready.holes == 0) {
            self.counts.batches += 1;
            self.counts.rows_in += ready.rows() as u64;
            self.add(ready.whole, ready, work);
            return self.has_news();
        }
        self.frame
            .restart(0..crate::isolate::row_number(ready.rows()), ready.rows());
        self.process_frame(ready, work)
    }

    /// Processes the rows in its frame. True: there is something to report.
    pub(crate) fn process_frame(&mut self, ready: &Ready<'_>, work: &mut Work<'_>) -> bool {
        self.counts.batches += u64::from(!self.frame.is_empty());
        self.counts.rows_in += self.frame.len() as u64;
        self.begin_to_remember(work.seed);
        let mut frame = std::mem::take(&mut self.frame);
        let env = Env {
            shared: ready.shared,
            links: &self.links,
            columns: ready.columns,
            kernels: self.program.kernels,
            trapped_max: self.program.bounds.trapped_calls_max,
        };
        for requirement in &self.program.requirements {
            let bad = rejected(requirement, env.links[requirement.source], ready);
            if !bad.is_empty() {
                let rows = bad.iter().map(|(row, reason)| (*row, Fault::Rejected, reason.as_str()));
                frame.lose_rows(rows, &requirement.field.origin.to_string(), &mut self.losses);
            }
        }
        let before = &self.program.before;
        frame.apply(before, &env, &mut self.memories, work.guests, &mut self.losses);
        self.add(&frame, ready, work);
        self.frame = frame;
        self.has_news()
    }

    /// Lets time pass: closes what is due. The end of a window is not in it. True: there is something to report.
    pub(crate) fn advance(&mut self, now: i64, work: &mut Work<'_>) -> bool {
        let due = match self.timing {
            Timing::PerBatch => return false,
            Timing::Arrival => now,
            Timing::Event(timing) => {
                self.watermark.pass(now, &timing);
                self.watermark.time()
            }
        };
        if self.sequence.is_some() {
            self.pass_in_order(due, work);
        } else {
            self.close_windows(due);
        }
        self.has_news()
    }

    /// Lets time pass for a fold that is given no rows any more. True: there is something to report.
    pub(crate) fn advance_retired(&mut self, now: i64, work: &mut Work<'_>) -> bool {
        if self.ends_now() {
            return self.close_all(work);
        }
        if let Timing::Event(timing) = self.timing {
            self.watermark.follow(now, &timing);
        }
        self.advance(now, work)
    }

    /// The clock of arrivals was set back by so much, to `now`: its windows end as they are, as at a restart. Windows by
    /// event time go on, for what messages say about time has not changed.
    pub(crate) fn set_back(&mut self, now: i64, by: i64, work: &mut Work<'_>) -> bool {
        self.since = self.since.min(now);
        match self.timing {
            Timing::PerBatch => {}
            Timing::Arrival => return self.close_all(work),
            Timing::Event(_) => self.watermark.set_back(by),
        }
        false
    }

    /// Closes all windows as they are. True: there is something to report.
    pub(crate) fn close_all(&mut self, work: &mut Work<'_>) -> bool {
        if self.sequence.is_some() {
            self.end_in_order(work);
        } else {
            self.close_windows(i64::MAX);
        }
        self.has_news()
    }

    /// Closes the windows that end at or before a time.
    pub(crate) fn close_windows(&mut self, due: i64) {
        while let Some(window) = self.windows.pop_front_if(|window| window.end <= due) {
            if window.group_count() > 0 && window.end <= self.last_end_max {
                self.counts.windows_closed += 1;
                self.closed.push(Arc::new(window));
            } else {
                self.spare = Some(window);
            }
        }
    }

    /// Takes a window back whose results are out, for its memory.
    pub(crate) fn give_back(&mut self, window: OpenWindow) {
        if window.group_count() <= SPARE_GROUPS_MAX {
            self.spare = Some(window);
        }
    }

    /// When [`Fold::advance`] has something to do next, if no row comes.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<i64> {
        let end = self.due()?;
        match self.timing {
            Timing::PerBatch => None,
            Timing::Arrival => Some(end),
            // What one call had too much of, whatever the time is.
            Timing::Event(_) if end <= self.watermark.time() => Some(i64::MIN),
            Timing::Event(timing) => self.watermark.idle_at(&timing).map(|idle_at| {
                // Once idle, the watermark reaches the end when the time of arrival is that much later.
                idle_at.max(end.saturating_add(timing.lateness))
            }),
        }
    }

    /// The time with which there is something to do.
    #[inline]
    fn due(&self) -> Option<i64> {
        let end = self.windows.front().map(|window| window.end);
        let end = end.filter(|&end| end != NEVER);
        match &self.sequence {
            None => end,
            Some(sequence) => end.into_iter().chain(sequence.due(self.program.cut)).min(),
        }
    }

    /// Whether what it has waits for rows that will not come, once it is given no more of them.
    fn ends_now(&self) -> bool {
        self.program.cut.is_some_and(Cut::ends_by_rows) && !self.is_done()
    }

    /// When [`Fold::advance_retired`] has something to do next.
    pub(crate) fn deadline_retired(&self) -> Option<i64> {
        if self.ends_now() {
            return Some(i64::MIN);
        }
        let end = self.due()?;
        match self.timing {
            Timing::PerBatch => None,
            Timing::Arrival => Some(end),
            Timing::Event(timing) => Some(end.saturating_add(timing.lateness)),
        }
    }

    /// The event times of the batch before any step, if the stream provides them; for a handover between versions.
    pub(crate) fn event_source(&self) -> Option<(EventTiming, Link)> {
        match self.timing {
            Timing::Event(timing) => match timing.column {
                Slot::Source(source) => Some((timing, self.links[source])),
                Slot::Local(_) => None,
            },
            Timing::PerBatch | Timing::Arrival => None,
        }
    }

    /// What was reported is done with.
    pub(crate) fn clear_news(&mut self) {
        self.late.clear();
        self.losses.dead.clear();
        self.strays.clear();
        self.closed.clear();
    }

    /// Whether the call at hand made something that members report.
    fn has_news(&mut self) -> bool {
        self.counts.rows_filtered += std::mem::take(&mut self.losses.filtered) as u64;
        self.counts.rows_dead += self.losses.dead.len() as u64;
        self.counts.groups_dead += self.strays.len() as u64;
        let emits = matches!(self.timing, Timing::PerBatch) && !self.frame.is_empty();
        emits
            || !self.losses.dead.is_empty()
            || !self.strays.is_empty()
            || !self.closed.is_empty()
            || !self.late.is_empty()
    }

    /// Puts the rows of a frame into windows.
    fn add(&mut self, frame: &Frame, ready: &Ready<'_>, work: &mut Work<'_>) {
        let links = std::mem::take(&mut self.links);
        let env = Env {
            shared: ready.shared,
            links: &links,
            columns: ready.columns,
            kernels: self.program.kernels,
            trapped_max: self.program.bounds.trapped_calls_max,
        };
        match (self.program.cut, self.timing) {
            (None, _) | (_, Timing::PerBatch) => {}
            (Some(Cut::Aligned(aligned)), Timing::Arrival) => {
                self.add_by_arrival(aligned, frame, (ready, &env), work);
            }
            (Some(Cut::Aligned(aligned)), Timing::Event(timing)) => {
                self.add_by_event(&timing, aligned, frame, (ready, &env), work);
            }
            (Some(Cut::Session { .. } | Cut::Count { .. } | Cut::Sliding { .. } | Cut::State), _) => {
                self.add_in_order(frame, (ready, &env), work);
            }
        }
        self.links = links;
    }

    /// Adds rows to the window at a position; gives how many. The others are noted as dead.
    pub(crate) fn add_to(
        &mut self,
        position: usize,
        part: Part<'_>,
        (frame, env): (&Frame, &Env<'_>),
        work: &mut Work<'_>,
    ) -> usize {
        let intake = Intake {
            program: &self.program,
            frame,
            env,
        };
        let window = &mut self.windows[position];
        if let Part::Range { start, end } = part
            && end - start == 1
            && window.add_lone(&intake, start, work.scratch)
        {
            return 1;
        }
        window.add(&intake, part, work.guests, &mut self.losses, work.scratch)
    }

    /// Notes once each row that several windows had no room for, or refused; gives how many rows that are. `before` is how
    /// many were dead before they were added to the first of the windows.
    pub(crate) fn lose_once(&mut self, before: usize) -> usize {
        let dead = &mut self.losses.dead;
        let mut added = dead.split_off(before);
        added.sort_by_key(|loss| loss.row);
        added.dedup_by_key(|loss| loss.row);
        dead.append(&mut added);
        dead.len() - before
    }
}

/// A window without rows, in the memory of a closed one if there is one.
pub(crate) fn new_window(
    spare: &mut Option<OpenWindow>,
    program: &FoldProgram,
    seed: &HashSeed,
    (start, end): (i64, i64),
) -> OpenWindow {
    match spare.take() {
        Some(mut spare) => {
            spare.reopen(program, start, end);
            spare
        }
        None => OpenWindow::new(program, seed, start, end),
    }
}
