//! Windows in event time: each row by the time that it carries.

use crate::fold::{Fold, Ready, Work, new_window, window_of};
use crate::frame::{Env, Frame, Loss, Part};
use crate::isolate::row_number;
use crate::program::{EventTiming, FoldProgram};
use crate::window::OpenWindow;
use crate::{Cells, Fault, HashSeed, Micros};
use rulemill_plan::LatePolicy;
use std::collections::VecDeque;

impl Fold {
    /// Puts the rows of a frame into their windows, and closes those that the watermark has passed.
    pub(crate) fn add_by_event(
        &mut self,
        timing: &EventTiming,
        frame: &Frame,
        (ready, env): (&Ready<'_>, &Env<'_>),
        work: &mut Work<'_>,
    ) {
        self.sort_by_event(timing, frame, (ready, env), work.seed);
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
            self.add_to(position, part, (frame, env), work);
            let window = &mut self.windows[position];
            window.pending = pending;
            window.pending.clear();
        }
        self.watermark.pass(ready.now, timing);
        self.close_until(self.watermark.time());
    }

    /// Puts each row into the pending rows of its window, opening windows as needed. The watermark moves with each row, as
    /// if it had come alone, so that what is late does not depend on batches.
    fn sort_by_event(
        &mut self,
        timing: &EventTiming,
        frame: &Frame,
        (ready, env): (&Ready<'_>, &Env<'_>),
        seed: &HashSeed,
    ) {
        let mut cells = Vec::new();
        let all = Part::Range {
            start: 0,
            end: frame.len(),
        };
        let (column, at) = frame.locate(timing.column, env, all, &mut cells);
        let Cells::Times(times) = &column.cells else {
            unreachable!("compile checks that the event time is a time");
        };
        let mut heralds = self.heralds.drain(..).peekable();
        let mut current = 0;
        for (k, &row) in frame.rows().iter().enumerate() {
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
                self.counts.rows_late += 1;
                if timing.late == LatePolicy::DeadLetter {
                    let reason = format!("late: its window closed when the watermark passed {}", Micros(end));
                    self.late.push(Loss {
                        row,
                        fault: Fault::Late,
                        reason,
                    });
                }
                continue;
            }
            if self.windows.get(current).is_none_or(|window| window.start != start) {
                let open = (&mut self.windows, &mut self.spare);
                match open_window(open, (&self.program, seed), (start, end), self.watermark.time()) {
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
fn open_window(
    (windows, spare): (&mut VecDeque<OpenWindow>, &mut Option<OpenWindow>),
    (program, seed): (&FoldProgram, &HashSeed),
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
    windows.insert(position, new_window(spare, program, seed, (start, end)));
    Some(position)
}
