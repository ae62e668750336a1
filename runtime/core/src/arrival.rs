//! Aligned windows by the time of arrival.

use crate::HashSeed;
use crate::aligned::Aligned;
use crate::fold::{Fold, Ready, Work, new_window};
use crate::frame::{Env, Frame, Part};

impl Fold {
    /// Puts the rows of a frame into their windows, and closes those that have ended.
    pub(crate) fn add_by_arrival(
        &mut self,
        aligned: Aligned,
        frame: &Frame,
        (ready, env): (&Ready<'_>, &Env<'_>),
        work: &mut Work<'_>,
    ) {
        let mut start = 0;
        while start < frame.len() {
            let clock = ready.clocks[frame.rows()[start] as usize];
            let until = self.open(clock, aligned, work.seed);
            let rest = &frame.rows()[start..];
            // One at least: the last window that there is ends with the last time, which has no time after it.
            let len = rest.partition_point(|&row| ready.clocks[row as usize] < until).max(1);
            let part = Part::Range {
                start,
                end: start + len,
            };
            start += len;
            self.add_to_all(part, (frame, env), work);
        }
        self.close_windows(ready.now);
    }

    /// Adds rows to all windows that are open.
    fn add_to_all(&mut self, part: Part<'_>, (frame, env): (&Frame, &Env<'_>), work: &mut Work<'_>) {
        if self.windows.len() == 1 {
            let added = self.add_to(0, part, (frame, env), work);
            self.counts.rows_windowed += added as u64;
            return;
        }
        let dead = self.losses.dead.len();
        for position in 0..self.windows.len() {
            self.add_to(position, part, (frame, env), work);
        }
        let lost = self.lose_once(dead);
        self.counts.rows_windowed += (part.len() - lost) as u64;
    }

    /// Opens the windows that a time of arrival is in, and closes all others. Gives until when these are the same.
    #[inline]
    fn open(&mut self, clock: i64, aligned: Aligned, seed: &HashSeed) -> i64 {
        if let Some(last) = self.windows.back()
            && aligned.hop == aligned.size
            && (last.start..last.end).contains(&clock)
        {
            return last.end;
        }
        self.close_windows(clock);
        let (first, last) = aligned.around(clock);
        for number in first..=last {
            let (start, end) = aligned.window(number);
            // Windows are opened without gaps, so those that are open already are the first ones.
            if self
                .windows
                .back()
                .is_none_or(|window| (window.start, window.end) < (start, end))
            {
                let window = new_window(&mut self.spare, &self.program, seed, (start, end));
                self.windows.push_back(window);
            }
        }
        let (_, first_end) = aligned.window(first);
        let (next_start, _) = aligned.window(last.saturating_add(1));
        first_end.min(next_start)
    }
}
