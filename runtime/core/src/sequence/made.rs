//! Windows that are made of kept rows when they come out: those of the last rows, or around a row.

use super::{Sequence, Stray};
use crate::fold::{Fold, Work};
use crate::frame::{Env, Loss, Losses, Part};
use crate::program::{Kept, Timing};
use crate::shared::Shared;
use crate::window::Intake;
use std::sync::Arc;

impl Fold {
    /// Takes a row, and makes a window of the last `rows` of them with each row of that number.
    pub(super) fn count(
        &mut self,
        sequence: &mut Sequence,
        kept: &Kept,
        position: u32,
        (rows, every): (usize, usize),
        work: &mut Work<'_>,
    ) {
        self.note_taken(sequence, kept, position);
        // What was restored may be anything.
        sequence.fresh = sequence.fresh.saturating_add(1);
        self.drop_beyond_bytes(sequence, kept);
        if sequence.fresh >= every {
            self.make_of_all(sequence, kept, work);
            sequence.fresh = 0;
        }
        // Those that the next window will have.
        let needed = rows.saturating_sub(every - sequence.fresh);
        while sequence.store.taken().len() > needed {
            sequence.store.drop_first();
        }
    }

    /// Takes a row, and makes its window or notes that it is to have one.
    pub(super) fn slide(
        &mut self,
        sequence: &mut Sequence,
        kept: &Kept,
        (time, position): (i64, u32),
        (size, delay): (i64, i64),
        work: &mut Work<'_>,
    ) {
        self.note_taken(sequence, kept, position);
        if kept
            .marks
            .first()
            .is_some_and(|&when| !sequence.store.is_true(when, position))
        {
            return;
        }
        if delay > 0 {
            sequence.triggers.push_back(time);
            return;
        }
        let start = time.saturating_sub(size);
        sequence.store.drop_before(start);
        let positions: Vec<u32> = sequence.store.taken().map(|(_, position)| position).collect();
        self.make(sequence, kept, (start, time), &positions, work);
    }

    /// Makes the windows that end at or before a time, and drops rows that no later window can have.
    pub(super) fn slide_until(
        &mut self,
        sequence: &mut Sequence,
        kept: &Kept,
        time: i64,
        (size, delay): (i64, i64),
        work: &mut Work<'_>,
    ) {
        while let Some(&trigger) = sequence.triggers.front()
            && trigger.saturating_add(delay) <= time
            && !sequence.has_enough()
        {
            let (start, end) = (trigger.saturating_sub(size), trigger.saturating_add(delay));
            sequence.store.drop_before(start);
            let rows = sequence.store.taken().take_while(|&(time, _)| time < end);
            let positions: Vec<u32> = rows.map(|(_, position)| position).collect();
            self.make(sequence, kept, (start, end), &positions, work);
            sequence.triggers.pop_front();
        }
        // Not by how far time has only passed: in event time that is forgotten when the clock is set back.
        let time = match self.timing {
            Timing::PerBatch | Timing::Arrival => time,
            Timing::Event(_) => time.min(self.watermark.by_rows()),
        };
        let earliest = sequence.triggers.front().map_or(time, |&trigger| trigger.min(time));
        sequence.store.drop_before(earliest.saturating_sub(size));
    }

    /// Makes a window of all rows that were taken and are needed, from the time of the first one to that of the last.
    pub(super) fn make_of_all(&mut self, sequence: &mut Sequence, kept: &Kept, work: &mut Work<'_>) {
        let mut taken = sequence.store.taken();
        let Some((first, _)) = taken.next() else { return };
        let last = taken.next_back().map_or(first, |(last, _)| last);
        let positions: Vec<u32> = sequence.store.taken().map(|(_, position)| position).collect();
        self.make(sequence, kept, (first, last), &positions, work);
    }

    /// Counts a row that windows are made of, if it is in groups.
    fn note_taken(&mut self, sequence: &Sequence, kept: &Kept, position: u32) {
        if sequence.is_content(kept, position) {
            self.counts.rows_windowed += 1;
        } else {
            self.losses.filtered += 1;
        }
    }

    /// Makes a window of rows, which is closed from the beginning.
    fn make(
        &mut self,
        sequence: &mut Sequence,
        kept: &Kept,
        times: (i64, i64),
        positions: &[u32],
        work: &mut Work<'_>,
    ) {
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
        let mut window = crate::fold::new_window(&mut self.spare, &kept.program, work.seed, times);
        let mut losses = Losses::default();
        let content = positions.iter().copied();
        let content: Vec<u32> = content
            .filter(|&position| sequence.is_content(kept, position))
            .collect();
        if !content.is_empty() {
            window.add(&intake, Part::Each(&content), work.guests, &mut losses, work.scratch);
        }
        sequence.spent += positions.len();
        self.lose_of_made(losses, times, sequence, kept);
        if window.group_count() > 0 {
            sequence.spent += window.group_count();
            self.counts.windows_closed += 1;
            self.closed.push(Arc::new(window));
        } else {
            self.spare = Some(window);
        }
    }

    /// Notes rows that a window did not take, one for each reason: the same rows may be in many windows.
    fn lose_of_made(&mut self, losses: Losses, window: (i64, i64), sequence: &Sequence, kept: &Kept) {
        let first = self.strays.len();
        let mut more: Vec<usize> = Vec::new();
        for Loss { row, fault, reason } in losses.dead {
            let known = self.strays[first..].iter().position(|stray| stray.reason == reason);
            if let Some(known) = known {
                more[known] += 1;
                continue;
            }
            more.push(0);
            self.strays.push(Stray {
                window,
                keys: sequence.store.keys(kept, row),
                fault,
                reason,
            });
        }
        for (stray, more) in self.strays[first..].iter_mut().zip(more) {
            if more > 0 {
                stray.reason = format!("{}; and so for {more} more rows of the window", stray.reason);
            }
        }
    }

    /// Gives up the oldest rows when the texts of all are too many bytes: they would not go before more rows come.
    fn drop_beyond_bytes(&mut self, sequence: &mut Sequence, kept: &Kept) {
        let max = self.program.bounds.window_bytes_max;
        while sequence.store.taken_bytes() > max
            && let Some((time, position)) = sequence.store.taken().next()
        {
            self.strays.push(Stray {
                window: (time, sequence.last),
                keys: sequence.store.keys(kept, position),
                fault: crate::Fault::Bound,
                reason: format!("the rows of the window have more than {max} bytes, so its first one is left out"),
            });
            sequence.store.drop_first();
        }
    }
}
