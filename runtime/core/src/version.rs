//! One version of a rule at work: from the rows of a batch to its windows, and from closed windows to emissions.

use crate::emit;
use crate::frame::{Env, Frame, Loss, Losses, Part};
use crate::isolate::row_number;
use crate::program::{EventTiming, Program, Requirement, Slot, Timing};
use crate::shared::{Link, Shared};
use crate::watermark::Watermark;
use crate::window::{Intake, OpenWindow, Scratch};
use crate::{Cells, Column, Counts, DeadRow, Fault, Guests, Micros, Mistyped, Output};
use rulemill_plan::{Fallback, LatePolicy};
use std::collections::VecDeque;
use std::sync::Arc;

/// A closed window with more groups than this gives its memory back instead of keeping it for the next one.
const SPARE_GROUPS_MAX: usize = 65_536;

/// Which rows a version takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// All that the versions before it leave.
    Open,
    /// Those that arrive before this time; a newer version takes the others.
    Arrival(i64),
    /// Those with an event time before this one.
    Event(i64),
    /// None; its windows wait for their end, by the time of arrival.
    Retired,
}

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
}

impl Ready<'_> {
    pub(crate) fn rows(&self) -> usize {
        self.clocks.len()
    }
}

/// Where output goes, and whom to call.
pub(crate) struct Sinks<'a> {
    pub(crate) guests: &'a mut dyn Guests,
    pub(crate) out: &'a mut Output,
    pub(crate) counts: &'a mut Counts,
}

/// A program with its state.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) program: Program,
    /// Where the program's sources are in the stream.
    pub(crate) links: Vec<Link>,
    pub(crate) until: Until,
    pub(crate) watermark: Watermark,
    /// By start, which is by end too.
    pub(crate) windows: VecDeque<OpenWindow>,
    spare: Option<OpenWindow>,
    pub(crate) frame: Frame,
    /// While this version gives way to a newer one: rows of the batch with their event time, which move the watermark.
    pub(crate) heralds: Vec<(u32, i64)>,
    scratch: Scratch,
    losses: Losses,
}

impl Version {
    pub(crate) fn new(program: Program, links: Vec<Link>) -> Self {
        Version {
            program,
            links,
            until: Until::Open,
            watermark: Watermark::default(),
            windows: VecDeque::new(),
            spare: None,
            frame: Frame::default(),
            heralds: Vec::new(),
            scratch: Scratch::default(),
            losses: Losses::default(),
        }
    }

    /// The end of the last window with a row in it.
    pub(crate) fn last_end(&self) -> Option<i64> {
        let open = self.windows.iter().rev().find(|window| window.group_count() > 0);
        open.map(|window| window.end)
    }

    /// Replaces the program by one of the same layout; the windows go on. Gives the old links.
    pub(crate) fn replace(&mut self, program: Program, links: Vec<Link>) -> Vec<Link> {
        self.program = program;
        self.forget_slots();
        std::mem::replace(&mut self.links, links)
    }

    /// From here on no window waits for a row that would move event time: the watermark follows the time of arrival, as
    /// that of a rule that is idle at once. A program that replaces this one brings its own idle time.
    pub(crate) fn end_by_arrival(&mut self) {
        if let Timing::Event(timing) = &mut self.program.timing {
            timing.idle = Some(0);
        }
    }

    /// Forgets which topic is which group.
    pub(crate) fn forget_slots(&mut self) {
        for window in self.windows.iter_mut().chain(&mut self.spare) {
            window.forget_slots();
        }
    }

    /// Processes the rows in the frame.
    pub(crate) fn process(&mut self, ready: &Ready<'_>, sinks: &mut Sinks<'_>) {
        sinks.counts.rows_in += self.frame.len() as u64;
        let links = std::mem::take(&mut self.links);
        let env = Env {
            shared: ready.shared,
            links: &links,
            columns: ready.columns,
            kernels: self.program.kernels,
            trapped_max: self.program.bounds.trapped_calls_max,
        };
        self.reject(ready, &env);
        self.frame
            .apply(&self.program.before, &env, sinks.guests, &mut self.losses);
        match self.program.timing {
            Timing::PerBatch => emit::emit_batch(
                &self.program,
                &mut self.frame,
                &env,
                sinks.guests,
                &mut self.losses,
                (sinks.out, sinks.counts),
            ),
            Timing::Arrival { size } => self.add_by_arrival(size, ready, &env, sinks),
            Timing::Event(timing) => self.add_by_event(&timing, ready, &env, sinks),
        }
        self.links = links;
        self.report(sinks);
    }

    /// Lets time pass: closes what is due. The end of a window is not in it.
    pub(crate) fn advance(&mut self, now: i64, shared: &Shared, sinks: &mut Sinks<'_>) {
        let due = match self.program.timing {
            Timing::PerBatch => return,
            Timing::Arrival { .. } => now,
            Timing::Event(timing) => {
                if self.until == Until::Retired {
                    self.watermark.follow(now, &timing);
                }
                self.watermark.pass(now, &timing);
                self.watermark.time()
            }
        };
        self.close_until(due, shared, sinks);
    }

    /// The clock of arrivals was set back by so much: its windows end as they are, as at a restart. Windows by event time
    /// go on, for what messages say about time has not changed.
    pub(crate) fn set_back(&mut self, by: i64, shared: &Shared, sinks: &mut Sinks<'_>) {
        match self.program.timing {
            Timing::PerBatch => {}
            Timing::Arrival { .. } => {
                self.close_until(i64::MAX, shared, sinks);
                if self.until != Until::Open {
                    self.until = Until::Retired;
                }
            }
            Timing::Event(_) => self.watermark.set_back(by),
        }
    }

    /// Closes the windows that end at or before a time.
    pub(crate) fn close_until(&mut self, due: i64, shared: &Shared, sinks: &mut Sinks<'_>) {
        while let Some(window) = self.windows.pop_front_if(|window| window.end <= due) {
            self.close(window, shared, sinks);
        }
    }

    /// When [`Version::advance`] has something to do next, if no row comes.
    pub(crate) fn deadline(&self) -> Option<i64> {
        let end = self.windows.front()?.end;
        match self.program.timing {
            Timing::PerBatch => None,
            Timing::Arrival { .. } => Some(end),
            Timing::Event(timing) if self.until == Until::Retired => Some(end.saturating_add(timing.lateness)),
            Timing::Event(timing) => self.watermark.idle_at(&timing).map(|idle_at| {
                // Once idle, the watermark reaches the end when the time of arrival is that much later.
                idle_at.max(end.saturating_add(timing.lateness))
            }),
        }
    }

    /// Whether the version has nothing more to do.
    pub(crate) fn is_finished(&self, now: i64) -> bool {
        match self.until {
            Until::Open => false,
            Until::Arrival(until) => now >= until && self.windows.is_empty(),
            Until::Event(until) => self.watermark.time() >= until && self.windows.is_empty(),
            Until::Retired => self.windows.is_empty(),
        }
    }

    /// Messages whose fields are not as the rule needs them are dead.
    fn reject(&mut self, ready: &Ready<'_>, env: &Env<'_>) {
        for requirement in &self.program.requirements {
            let bad = rejected(requirement, env.links[requirement.source], ready);
            if !bad.is_empty() {
                let rows = bad.iter().map(|(row, reason)| (*row, Fault::Rejected, reason.as_str()));
                self.frame
                    .lose_rows(rows, &requirement.field.origin.to_string(), &mut self.losses);
            }
        }
    }

    fn add_by_arrival(&mut self, size: i64, ready: &Ready<'_>, env: &Env<'_>, sinks: &mut Sinks<'_>) {
        let mut start = 0;
        while start < self.frame.len() {
            let clock = ready.clocks[self.frame.rows()[start] as usize];
            self.close_until(clock, env.shared, sinks);
            let (window_start, window_end) = window_of(clock, size);
            let rest = &self.frame.rows()[start..];
            // One at least: the last window that there is ends with the last time, which has no time after it.
            let len = rest
                .partition_point(|&row| ready.clocks[row as usize] < window_end)
                .max(1);
            let part = Part::Range {
                start,
                end: start + len,
            };
            start += len;
            let position = self.open(window_start, window_end);
            self.add(position, part, env, sinks);
        }
        self.close_until(ready.now, env.shared, sinks);
    }

    fn add_by_event(&mut self, timing: &EventTiming, ready: &Ready<'_>, env: &Env<'_>, sinks: &mut Sinks<'_>) {
        self.sort_by_event(timing, ready, env, sinks);
        for position in 0..self.windows.len() {
            let pending = std::mem::take(&mut self.windows[position].pending);
            let part = match pending.as_slice() {
                [] => continue,
                [first, .., last] if (last - first) as usize + 1 == pending.len() => Part::Range {
                    start: *first as usize,
                    end: *last as usize + 1,
                },
                positions => Part::Each(positions),
            };
            self.add(position, part, env, sinks);
            let window = &mut self.windows[position];
            window.pending = pending;
            window.pending.clear();
        }
        self.watermark.pass(ready.now, timing);
        self.close_until(self.watermark.time(), env.shared, sinks);
    }

    /// Puts each row into the pending rows of its window, opening windows as needed. The watermark moves with each row, as
    /// if it had come alone, so that what is late does not depend on batches.
    fn sort_by_event(&mut self, timing: &EventTiming, ready: &Ready<'_>, env: &Env<'_>, sinks: &mut Sinks<'_>) {
        let mut cells = Vec::new();
        let all = Part::Range {
            start: 0,
            end: self.frame.len(),
        };
        let (column, at) = self.frame.locate(timing.column, env, all, &mut cells);
        let Cells::Times(times) = &column.cells else {
            unreachable!("compile checks that the event time is a time");
        };
        let mut heralds = self.heralds.drain(..).peekable();
        let mut current = 0;
        for (k, &row) in self.frame.rows().iter().enumerate() {
            let (cell, clock) = (at.cell(k), ready.clocks[row as usize]);
            let time = match event_time(times[cell], column.is_null(cell), clock, timing) {
                Ok(time) => time,
                Err((fault, reason)) => {
                    self.losses.dead.push(Loss { row, fault, reason });
                    continue;
                }
            };
            let (start, end) = window_of(time, timing.size);
            while let Some((herald, time)) = heralds.next_if(|&(herald, _)| herald < row) {
                self.watermark
                    .see(time, i64::MAX, ready.clocks[herald as usize], timing);
            }
            if self.watermark.see(time, end, clock, timing) {
                sinks.counts.rows_late += 1;
                if timing.late == LatePolicy::DeadLetter {
                    let reason = format!("late: its window closed when the watermark passed {}", Micros(end));
                    sinks.out.dead.push(DeadRow::Message {
                        rule: Arc::clone(&self.program.id),
                        row,
                        fault: Fault::Late,
                        reason,
                    });
                }
                continue;
            }
            if self.windows.get(current).is_none_or(|window| window.start != start) {
                let open = (&mut self.windows, &mut self.spare);
                match open_event_window(open, &self.program, (start, end), self.watermark.time()) {
                    Some(position) => current = position,
                    None => {
                        let max = self.program.bounds.windows_max;
                        let reason = format!("the rule has the most windows open that it may have, {max}");
                        self.losses.dead.push(Loss {
                            row,
                            fault: Fault::Bound,
                            reason,
                        });
                        continue;
                    }
                }
            }
            self.windows[current].pending.push(row_number(k));
        }
        for (herald, time) in heralds {
            self.watermark
                .see(time, i64::MAX, ready.clocks[herald as usize], timing);
        }
    }

    fn add(&mut self, position: usize, part: Part<'_>, env: &Env<'_>, sinks: &mut Sinks<'_>) {
        let intake = Intake {
            program: &self.program,
            frame: &self.frame,
            env,
        };
        let window = &mut self.windows[position];
        let added = window.add(&intake, part, sinks.guests, &mut self.losses, &mut self.scratch);
        sinks.counts.rows_windowed += added as u64;
    }

    /// The position of the window by time of arrival, open or opened.
    fn open(&mut self, start: i64, end: i64) -> usize {
        if self.windows.back().is_some_and(|window| window.start == start) {
            return self.windows.len() - 1;
        }
        let window = new_window(&mut self.spare, &self.program, start, end);
        self.windows.push_back(window);
        self.windows.len() - 1
    }

    fn close(&mut self, mut window: OpenWindow, shared: &Shared, sinks: &mut Sinks<'_>) {
        let groups = window.group_count();
        if groups > 0 {
            sinks.counts.windows_closed += 1;
            let mut failed = Vec::new();
            let columns = window.close(&self.program, sinks.guests, &mut failed);
            let env = Env {
                shared,
                links: &[],
                columns: &[],
                kernels: self.program.kernels,
                trapped_max: self.program.bounds.trapped_calls_max,
            };
            emit::emit_window(
                &self.program,
                (window.start, window.end),
                (columns, failed),
                &env,
                sinks.guests,
                (sinks.out, sinks.counts),
            );
        }
        if groups <= SPARE_GROUPS_MAX {
            self.spare = Some(window);
        }
    }

    /// Hands the rows that were lost over.
    fn report(&mut self, sinks: &mut Sinks<'_>) {
        sinks.counts.rows_filtered += self.losses.filtered as u64;
        sinks.counts.rows_dead += self.losses.dead.len() as u64;
        self.losses.filtered = 0;
        for Loss { row, fault, reason } in self.losses.dead.drain(..) {
            sinks.out.dead.push(DeadRow::Message {
                rule: Arc::clone(&self.program.id),
                row,
                fault,
                reason,
            });
        }
    }

    /// The event times of the batch before any step, if the stream provides them; for a handover between versions.
    pub(crate) fn event_source(&self) -> Option<(EventTiming, Link)> {
        match self.program.timing {
            Timing::Event(timing) => match timing.column {
                Slot::Source(source) => Some((timing, self.links[source])),
                Slot::Local(_) => None,
            },
            Timing::PerBatch | Timing::Arrival { .. } => None,
        }
    }
}

/// The window that a time is in. The first and the last one that there is are shorter.
pub(crate) fn window_of(time: i64, size: i64) -> (i64, i64) {
    let number = time.div_euclid(size);
    (
        number.saturating_mul(size),
        number.saturating_add(1).saturating_mul(size),
    )
}

/// The event time of a row, unless it cannot be used.
pub(crate) fn event_time(time: i64, null: bool, clock: i64, timing: &EventTiming) -> Result<i64, (Fault, String)> {
    if null {
        return Err((Fault::Rejected, "the event time is null".to_owned()));
    }
    if time > clock.saturating_add(timing.future_max) {
        let reason = format!(
            "the event time {} is ahead of the arrival time {} by more than {} ms",
            Micros(time),
            Micros(clock),
            timing.future_max / 1000
        );
        return Err((Fault::Bound, reason));
    }
    Ok(time)
}

/// The position of a window, open or opened; `None` when no more may be open. Windows that the watermark has passed are
/// about to close and do not count.
fn open_event_window(
    (windows, spare): (&mut VecDeque<OpenWindow>, &mut Option<OpenWindow>),
    program: &Program,
    (start, end): (i64, i64),
    watermark: i64,
) -> Option<usize> {
    let position = windows.partition_point(|window| window.start < start);
    if windows.get(position).is_some_and(|window| window.start == start) {
        return Some(position);
    }
    let open = windows.len() - windows.partition_point(|window| window.end <= watermark);
    if open >= program.bounds.windows_max {
        return None;
    }
    windows.insert(position, new_window(spare, program, start, end));
    Some(position)
}

/// A window without rows, in the memory of a closed one if there is one.
fn new_window(spare: &mut Option<OpenWindow>, program: &Program, start: i64, end: i64) -> OpenWindow {
    match spare.take() {
        Some(mut spare) => {
            spare.reopen(program, start, end);
            spare
        }
        None => OpenWindow::new(program, start, end),
    }
}

/// The rows that a requirement makes bad, ascending, with the reason.
fn rejected(requirement: &Requirement, link: Link, ready: &Ready<'_>) -> Vec<(u32, String)> {
    let Link::Field(field) = link else {
        return Vec::new();
    };
    let Some(valid) = &ready.columns[field].valid else {
        return Vec::new();
    };
    let mut mistyped: Vec<u32> = ready
        .mistyped
        .iter()
        .filter(|mistyped| mistyped.field as usize == field)
        .map(|mistyped| mistyped.row)
        .collect();
    mistyped.sort_unstable();
    let nulls = (0..row_number(valid.len())).filter(|&row| !valid.get(row as usize));
    nulls
        .filter_map(|row| {
            let (policy, reason) = match mistyped.binary_search(&row) {
                Ok(_) => (
                    requirement.mistyped,
                    format!("must be of type {}", requirement.field.kind),
                ),
                Err(_) => (requirement.missing, "is missing or null".to_owned()),
            };
            (policy == Fallback::Reject).then_some((row, reason))
        })
        .collect()
}
