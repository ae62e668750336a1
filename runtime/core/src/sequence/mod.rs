//! Windows that depend on the order of rows: sessions, windows of the last rows, around a row, and from a row to a row. Rows come to them in order of time, so that it does not matter
//! by which time windows are: by the time of arrival a row is taken at once, in event time once the watermark has come
//! to it.

mod made;
mod store;

use crate::event::event_time;
use crate::fold::{Fold, Ready, Work, new_window};
use crate::frame::{Env, Frame, Loss, Losses, Part};
use crate::program::{Cut, EventTiming, Kept, Timing};
use crate::shared::Shared;
use crate::snapshot::{SnapshotError, Source, Writer};
use crate::window::{Intake, OpenWindow, located};
use crate::{Cells, Column, Fault, Micros};
use rulemill_plan::LatePolicy;
use std::collections::VecDeque;
use std::sync::Arc;
use store::Store;

/// The rows of a fold whose windows depend on their order.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    store: Store,
    /// The time of the last row that was taken: no row before it can be.
    last: i64,
    /// How many rows were taken since the last window of the last rows.
    fresh: usize,
    /// The times of rows whose window has not ended.
    triggers: VecDeque<i64>,
    /// How many rows and groups were worked on in the call at hand.
    spent: usize,
    /// The positions of rows that are to be added to the open window; empty between calls.
    pending: Vec<u32>,
}

/// A row of an earlier batch that could not be added to its window.
#[derive(Clone, Debug)]
pub(crate) struct Stray {
    pub(crate) window: (i64, i64),
    pub(crate) keys: Vec<Column>,
    pub(crate) fault: Fault,
    pub(crate) reason: String,
}

/// What a row of the batch is: its number, and its place in the frame.
#[derive(Clone, Copy)]
struct Place {
    row: u32,
    position: usize,
}

/// The columns of a frame that are kept, and where its rows stand in them.
type Cellular<'a> = [(&'a Column, crate::at::At<'a>)];

impl Sequence {
    pub(crate) fn new(kept: &Kept) -> Self {
        Sequence {
            store: Store::new(kept),
            last: i64::MIN,
            fresh: 0,
            triggers: VecDeque::new(),
            spent: 0,
            pending: Vec::new(),
        }
    }

    /// Whether it is as it began.
    pub(crate) fn is_untouched(&self) -> bool {
        self.store.len() == 0 && self.last == i64::MIN
    }

    /// Whether rows wait for their window, besides those in the open one.
    pub(crate) fn has_begun(&self) -> bool {
        self.store.next_time().is_some() || self.fresh > 0 || !self.triggers.is_empty()
    }

    /// The time of the last row that is in a window.
    pub(crate) fn last(&self) -> i64 {
        self.last
    }

    /// The time with which there is something to do, besides the end of the open window.
    pub(crate) fn due(&self, cut: Option<Cut>) -> Option<i64> {
        let delay = match cut {
            Some(Cut::Sliding { delay, .. }) => delay,
            Some(Cut::Aligned(_) | Cut::Session { .. } | Cut::Count { .. } | Cut::State) | None => 0,
        };
        let trigger = self.triggers.front().map(|trigger| trigger.saturating_add(delay));
        self.store.next_time().into_iter().chain(trigger).min()
    }

    fn start_call(&mut self) {
        self.store.start_call();
        self.spent = 0;
    }

    /// Whether a row is in the groups of its windows.
    fn is_content(&self, kept: &Kept, position: u32) -> bool {
        kept.content.is_none_or(|column| self.store.is_true(column, position))
    }

    /// Whether the call at hand has done so much that the rest is left to the next one.
    fn has_enough(&self) -> bool {
        self.spent > SPENT_MAX
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.i64(self.last);
        to.u64(self.fresh as u64);
        to.words(self.triggers.iter().map(|trigger| trigger.cast_unsigned()));
        self.store.write(to);
    }

    pub(crate) fn read(kept: &Kept, from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        let sequence = Sequence {
            last: from.i64()?,
            fresh: from.size()?,
            triggers: from.words()?.into_iter().map(u64::cast_signed).collect(),
            spent: 0,
            store: Store::read(kept, from)?,
            pending: Vec::new(),
        };
        if sequence
            .store
            .taken()
            .next_back()
            .is_some_and(|(time, _)| time > sequence.last)
        {
            return Err(SnapshotError::Damaged("a row that was taken after the last one"));
        }
        Ok(sequence)
    }
}

impl Fold {
    /// Takes the rows of a frame, and makes windows of those whose time has come.
    pub(crate) fn add_in_order(&mut self, frame: &Frame, (ready, env): (&Ready<'_>, &Env<'_>), work: &mut Work<'_>) {
        let program = Arc::clone(&self.program);
        let (Some(kept), Some(mut sequence)) = (&program.kept, self.sequence.take()) else {
            return;
        };
        sequence.start_call();
        let mut cells = Vec::new();
        let all = Part::Range {
            start: 0,
            end: frame.len(),
        };
        let intake = Intake {
            program: &program,
            frame,
            env,
        };
        let columns = located(&kept.slots, &intake, all, &mut cells);
        match self.timing {
            Timing::PerBatch => {}
            Timing::Arrival => {
                for (position, &row) in frame.rows().iter().enumerate() {
                    // Never before a row that was taken, whatever a snapshot said that the time was.
                    let clock = ready.clocks[row as usize].max(sequence.last);
                    self.go_on(&mut sequence, kept, clock, work);
                    self.put(&mut sequence, Place { row, position }, clock, &columns);
                    self.go_on(&mut sequence, kept, clock, work);
                }
                self.go_on(&mut sequence, kept, ready.now, work);
            }
            Timing::Event(timing) => {
                self.put_by_event(&mut sequence, &timing, &intake, (kept, &columns), (ready, work));
                self.watermark.pass(ready.now, &timing);
                let due = self.watermark.time();
                self.go_on(&mut sequence, kept, due, work);
            }
        }
        self.flush(&mut sequence, kept, work);
        self.sequence = Some(sequence);
    }

    /// Lets time pass.
    pub(crate) fn pass_in_order(&mut self, due: i64, work: &mut Work<'_>) {
        let program = Arc::clone(&self.program);
        let (Some(kept), Some(mut sequence)) = (&program.kept, self.sequence.take()) else {
            return;
        };
        sequence.start_call();
        self.go_on(&mut sequence, kept, due, work);
        self.flush(&mut sequence, kept, work);
        self.sequence = Some(sequence);
    }

    /// Closes windows as they are, and leaves no rows.
    pub(crate) fn end_in_order(&mut self, work: &mut Work<'_>) {
        // Rows that wait come into the windows that they would have come into; then the last one ends.
        while self
            .sequence
            .as_ref()
            .is_some_and(|sequence| sequence.due(self.program.cut).is_some())
        {
            self.pass_in_order(i64::MAX, work);
        }
        if let (Some(window), Some(sequence)) = (self.windows.front_mut(), &self.sequence)
            && window.end == NEVER
        {
            window.end = sequence.last;
        }
        self.close_windows(i64::MAX);
        let program = Arc::clone(&self.program);
        if let (Some(kept), Some(mut sequence)) = (&program.kept, self.sequence.take())
            && sequence.fresh > 0
        {
            self.make_of_all(&mut sequence, kept, work);
        }
        self.sequence = self.program.kept.as_deref().map(Sequence::new);
    }

    fn put_by_event(
        &mut self,
        sequence: &mut Sequence,
        timing: &EventTiming,
        intake: &Intake<'_>,
        (kept, columns): (&Kept, &Cellular<'_>),
        (ready, work): (&Ready<'_>, &mut Work<'_>),
    ) {
        let mut cells = Vec::new();
        let frame = intake.frame;
        let all = Part::Range {
            start: 0,
            end: frame.len(),
        };
        let (column, at) = frame.locate(timing.column, intake.env, all, &mut cells);
        let Cells::Times(times) = &column.cells else {
            unreachable!("compile checks that the event time is a time");
        };
        for (position, &row) in frame.rows().iter().enumerate() {
            let (cell, clock) = (at.cell(position), ready.clocks[row as usize]);
            let time = match event_time(times[cell], column.is_null(cell), clock, timing) {
                Ok(time) => time,
                Err((fault, reason)) => {
                    self.losses.dead.push(Loss { row, fault, reason });
                    continue;
                }
            };
            self.watermark.see(time, i64::MAX, clock, timing);
            let passed = self.watermark.time();
            self.go_on(sequence, kept, passed, work);
            // After the clock was set back, rows that were taken may be ahead of the watermark.
            let passed = passed.max(sequence.last);
            if time < passed {
                self.note_late(row, passed, timing);
                continue;
            }
            self.put(sequence, Place { row, position }, time, columns);
            self.go_on(sequence, kept, self.watermark.time(), work);
        }
    }

    fn note_late(&mut self, row: u32, passed: i64, timing: &EventTiming) {
        self.counts.rows_late += 1;
        if timing.late == LatePolicy::DeadLetter {
            self.late.push(Loss {
                row,
                fault: Fault::Late,
                reason: format!("late: the watermark has passed {}", Micros(passed)),
            });
        }
    }

    /// Puts a row with those that wait, if there is room.
    fn put(&mut self, sequence: &mut Sequence, place: Place, time: i64, columns: &Cellular<'_>) {
        let (bounds, store) = (&self.program.bounds, &sequence.store);
        let (rows, bytes) = match self.program.cut {
            // The rows of its last window are bounded by themselves, and stay until others come.
            Some(Cut::Count { .. }) => (store.waiting(), store.bytes() - store.taken_bytes()),
            Some(Cut::Aligned(_) | Cut::Session { .. } | Cut::Sliding { .. } | Cut::State) | None => {
                (store.len(), store.bytes())
            }
        };
        let reason = if rows >= bounds.rows_max {
            format!("the rule keeps the most rows that it may, {}", bounds.rows_max)
        } else if bytes >= bounds.window_bytes_max {
            let max = bounds.window_bytes_max;
            format!("the rows that the rule keeps have {bytes} bytes, and {max} are the most they may have")
        } else {
            let cells = columns.iter().map(|(column, at)| (*column, at.cell(place.position)));
            sequence.store.insert(place.row, time, cells);
            return;
        };
        self.losses.dead.push(Loss {
            row: place.row,
            fault: Fault::Bound,
            reason,
        });
    }

    /// Takes the rows whose time has come, and ends what ends by then.
    fn go_on(&mut self, sequence: &mut Sequence, kept: &Kept, due: i64, work: &mut Work<'_>) {
        loop {
            let next = sequence.store.next_time().filter(|&time| time <= due);
            self.end_until(sequence, kept, next.unwrap_or(due), work);
            if sequence.has_enough() {
                return;
            }
            let Some((time, position)) = sequence.store.take(due) else {
                return;
            };
            sequence.last = time;
            match self.program.cut {
                None | Some(Cut::Aligned(_)) => {}
                Some(Cut::Session { timeout, max }) => {
                    self.take_into_session(sequence, kept, (time, position), (timeout, max), work);
                }
                Some(Cut::Count { rows, every }) => self.count(sequence, kept, position, (rows, every), work),
                Some(Cut::State) => self.take_by_state(sequence, kept, (time, position), work),
                Some(Cut::Sliding { size, delay }) => {
                    self.slide(sequence, kept, (time, position), (size, delay), work);
                }
            }
        }
    }

    /// Closes what ends at or before a time, unless the call at hand has done enough.
    fn end_until(&mut self, sequence: &mut Sequence, kept: &Kept, time: i64, work: &mut Work<'_>) {
        if let Some(Cut::Sliding { size, delay }) = self.program.cut {
            self.slide_until(sequence, kept, time, (size, delay), work);
        }
        let ends = |window: &OpenWindow| window.end <= time && window.end != NEVER;
        if self.windows.front().is_some_and(ends) {
            self.flush(sequence, kept, work);
            self.close_windows(time);
        }
    }

    fn take_into_session(
        &mut self,
        sequence: &mut Sequence,
        kept: &Kept,
        (time, position): (i64, u32),
        (timeout, max): (i64, i64),
        work: &mut Work<'_>,
    ) {
        if self.windows.is_empty() {
            let times = (time, time.saturating_add(timeout));
            let window = new_window(&mut self.spare, &kept.program, work.seed, times);
            self.windows.push_back(window);
        }
        let window = &mut self.windows[0];
        window.end = time.saturating_add(timeout).min(window.start.saturating_add(max));
        self.add_content(sequence, kept, position);
        sequence.store.drop_first();
    }

    fn take_by_state(
        &mut self,
        sequence: &mut Sequence,
        kept: &Kept,
        (time, position): (i64, u32),
        work: &mut Work<'_>,
    ) {
        let is_true = |mark: usize| {
            let column = kept.marks.get(mark);
            column.is_some_and(|&column| sequence.store.is_true(column, position))
        };
        let (begins, ends) = (is_true(0), is_true(1));
        sequence.store.drop_first();
        if self.windows.is_empty() {
            if !begins {
                self.losses.filtered += 1;
                return;
            }
            let window = new_window(&mut self.spare, &kept.program, work.seed, (time, NEVER));
            self.windows.push_back(window);
        }
        self.add_content(sequence, kept, position);
        if ends {
            self.flush(sequence, kept, work);
            self.windows[0].end = time;
            self.close_windows(time);
        }
    }

    /// Leaves a row to be added to the open window, if it is in groups.
    fn add_content(&mut self, sequence: &mut Sequence, kept: &Kept, position: u32) {
        if sequence.is_content(kept, position) {
            sequence.pending.push(position);
        } else {
            self.losses.filtered += 1;
        }
    }

    /// Adds the pending rows to the open window.
    fn flush(&mut self, sequence: &mut Sequence, kept: &Kept, work: &mut Work<'_>) {
        let Some(window) = self.windows.front_mut().filter(|_| !sequence.pending.is_empty()) else {
            return;
        };
        let shared = Shared::new();
        let env = Env {
            shared: &shared,
            links: &[],
            columns: &[],
            kernels: None,
            trapped_max: kept.program.bounds.trapped_calls_max,
        };
        let intake = Intake {
            program: &kept.program,
            frame: sequence.store.frame(),
            env: &env,
        };
        let mut losses = Losses::default();
        let part = Part::Each(&sequence.pending);
        window.add(&intake, part, work.guests, &mut losses, work.scratch);
        let times = (window.start, window.end);
        self.counts.rows_windowed += sequence.pending.len() as u64;
        self.lose(losses, times, &sequence.store, kept);
        sequence.pending.clear();
    }

    /// Notes rows as dead that a window did not take: as rows of the batch at hand, or if they are not, by themselves.
    fn lose(&mut self, losses: Losses, window: (i64, i64), store: &Store, kept: &Kept) {
        for Loss { row, fault, reason } in losses.dead {
            if let Some(row) = store.row_of_batch(row) {
                self.counts.rows_windowed -= 1;
                self.losses.dead.push(Loss { row, fault, reason });
                continue;
            }
            self.strays.push(Stray {
                window,
                keys: store.keys(kept, row),
                fault,
                reason,
            });
        }
    }
}

/// The end of a window that does not end by itself.
pub(crate) const NEVER: i64 = i64::MAX;

/// The most rows and groups of made windows that one call works on; the rest is done with the calls after it, so that others
/// need not wait for it.
const SPENT_MAX: usize = 1 << 20;
