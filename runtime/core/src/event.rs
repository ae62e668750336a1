//! Aligned windows in event time: each row by the time that it carries.

use crate::aligned::Aligned;
use crate::fold::{Fold, Ready, Work, new_window};
use crate::frame::{Env, Frame, Loss, Part};
use crate::isolate::row_number;
use crate::program::{EventTiming, FoldProgram};
use crate::window::OpenWindow;
use crate::{Cells, Fault, HashSeed, Micros};
use rulemill_plan::LatePolicy;
use std::collections::VecDeque;
use std::ops::Range;

impl Fold {
    /// Puts the rows of a frame into their windows, and closes those that the watermark has passed.
    pub(crate) fn add_by_event(
        &mut self,
        timing: &EventTiming,
        aligned: Aligned,
        frame: &Frame,
        (ready, env): (&Ready<'_>, &Env<'_>),
        work: &mut Work<'_>,
    ) {
        let sorted = self.sort_by_event(timing, aligned, frame, (ready, env), work.seed);
        let dead = self.losses.dead.len();
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
        let lost = if aligned.size == aligned.hop {
            self.losses.dead.len() - dead
        } else {
            self.lose_once(dead)
        };
        self.counts.rows_windowed += (sorted - lost) as u64;
        self.watermark.pass(ready.now, timing);
        self.close_windows(self.watermark.time());
    }

    /// Puts each row into the pending rows of its windows, opening windows as needed; gives for how many there are some. The
    /// watermark moves with each row, as if it had come alone, so that what is late does not depend on batches.
    fn sort_by_event(
        &mut self,
        timing: &EventTiming,
        aligned: Aligned,
        frame: &Frame,
        (ready, env): (&Ready<'_>, &Env<'_>),
        seed: &HashSeed,
    ) -> usize {
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
        let (mut current, mut current_numbers) = (0..0, None);
        let mut sorted = 0;
        for (k, &row) in frame.rows().iter().enumerate() {
            let (cell, clock) = (at.cell(k), ready.clocks[row as usize]);
            let time = match event_time(times[cell], column.is_null(cell), clock, timing) {
                Ok(time) => time,
                Err((fault, reason)) => {
                    self.losses.dead.push(Loss { row, fault, reason });
                    continue;
                }
            };
            let (first, last) = aligned.around(time);
            let (_, end) = aligned.window(last);
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
            let passed = self.watermark.time();
            let first = aligned.first_open(first, last, passed);
            if current_numbers != Some((first, last)) {
                let open = (&mut self.windows, &mut self.spare);
                current_numbers = None;
                match open_windows(open, (&self.program, seed), (aligned, first, last), passed) {
                    Some(positions) => {
                        current = positions;
                        current_numbers = Some((first, last));
                    }
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
            sorted += 1;
            for window in self.windows.range_mut(current.clone()) {
                window.pending.push(row_number(k));
            }
        }
        for (herald, time) in heralds {
            self.watermark
                .see(time, i64::MAX, ready.clocks[herald as usize], timing);
        }
        sorted
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

/// The positions of windows of these numbers, open or opened; `None` when so many more may not be open. Windows that the
/// watermark has passed are about to close and do not count.
fn open_windows(
    (windows, spare): (&mut VecDeque<OpenWindow>, &mut Option<OpenWindow>),
    (program, seed): (&FoldProgram, &HashSeed),
    (aligned, first, last): (Aligned, i64, i64),
    watermark: i64,
) -> Option<Range<usize>> {
    let from = windows.partition_point(|window| (window.start, window.end) < aligned.window(first));
    let to = windows.partition_point(|window| (window.start, window.end) <= aligned.window(last));
    let wanted = usize::try_from(last - first).map_or(usize::MAX, |more| more.saturating_add(1));
    let missing = wanted.saturating_sub(to - from);
    let open = windows.len() - windows.partition_point(|window| window.end <= watermark);
    if missing > 0 && open.saturating_add(missing) > program.bounds.windows_max {
        return None;
    }
    for (position, number) in (from..).zip(first..=last) {
        let times = aligned.window(number);
        let known = windows.get(position);
        if known.is_none_or(|window| (window.start, window.end) != times) {
            windows.insert(position, new_window(spare, program, seed, times));
        }
    }
    Some(from..from + wanted)
}
