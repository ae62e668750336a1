//! What a shadow would have emitted, compared with what the version that runs emitted. Pure: it is given emissions, and
//! counts.
//!
//! Results are compared window by window, or batch by batch where there is no window: as sets of rows, by their JSON.

use crate::emit::EncodedEmission;
use crate::telemetry::shadow::{Difference, Excess, ShadowMetrics};
use rulemill_core::{Micros, Unfinished};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Whose result it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Of the version that runs.
    Running,
    /// Of the shadow.
    Shadow,
}

/// The comparison of one shadow.
pub(super) struct Comparison {
    /// The rule's id.
    rule: Arc<str>,
    metrics: ShadowMetrics,
    /// Windows of which the two sides have not seen the same rows.
    unequal: Vec<Window>,
    /// Windows that start before this are passed over.
    from: Micros,
    /// How long a side may take for a window that the other side has ended.
    patience: Duration,
    /// Windows of which a side is still to come, in the order in which they were heard of.
    pending: VecDeque<Pending>,
    batch: [Part; 2],
    bytes: usize,
}

/// A window's start and end.
type Window = (Micros, Micros);

struct Pending {
    window: Window,
    sides: [Part; 2],
    /// When the first of them ended.
    ended_at: Option<Micros>,
}

/// What one side has had so far.
#[derive(Default)]
struct Part {
    emissions: Vec<EncodedEmission>,
    ended: bool,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Running => Side::Shadow,
            Side::Shadow => Side::Running,
        }
    }
}

impl Comparison {
    /// Compares the windows that both sides see whole, and counts into `metrics`. `begun` is what either had begun before;
    /// `patience` is for how long a side may leave a window out that the other one has.
    pub(super) fn new(rule: Arc<str>, metrics: ShadowMetrics, begun: Unfinished, patience: Duration) -> Self {
        Comparison {
            rule,
            metrics,
            unequal: begun.windows,
            from: begun.watermark.unwrap_or(Micros(i64::MIN)),
            patience,
            pending: VecDeque::new(),
            batch: Default::default(),
            bytes: 0,
        }
    }

    /// Takes rows of a result; there may be more of the same.
    pub(super) fn rows(&mut self, side: Side, emission: &EncodedEmission) {
        match emission.window {
            None => self.batch[side as usize].emissions.push(emission.clone()),
            Some(window) if self.is_left_out(window) => return,
            Some(window) => {
                let pending = self.window(window);
                pending.sides[side as usize].emissions.push(emission.clone());
            }
        }
        self.bytes += emission.json.len();
        while self.bytes > BYTES_MAX && self.give_up_oldest() {}
    }

    /// All rows of the window have been taken, by `now`.
    pub(super) fn end_window(&mut self, side: Side, window: Window, now: Micros) {
        if self.is_left_out(window) {
            return;
        }
        let pending = self.window(window);
        pending.sides[side as usize].ended = true;
        pending.ended_at.get_or_insert(now);
        // A side closes its windows in order: what it has passed over it has no rows for.
        for pending in &mut self.pending {
            let [mine, theirs] = [side, side.other()].map(|side| side as usize);
            if pending.window.1 <= window.0 && pending.sides[theirs].ended {
                pending.sides[mine].ended = true;
            }
        }
        self.settle_where(now, |pending| pending.sides.iter().all(|part| part.ended));
        while self.pending.len() > WINDOWS_MAX && self.give_up_oldest() {}
    }

    /// All rows of a batch have been taken.
    pub(super) fn end_batch(&mut self, now: Micros) {
        let sides = std::mem::take(&mut self.batch);
        if sides.iter().any(|part| !part.emissions.is_empty()) {
            self.settle(None, &sides, now);
        }
    }

    /// Time passes: a window that only one side has had for long has no rows on the other.
    pub(super) fn pass(&mut self, now: Micros) {
        let patience = i64::try_from(self.patience.as_micros()).unwrap_or(i64::MAX);
        let due = now.0.saturating_sub(patience);
        self.settle_where(now, |pending| {
            pending.lacks_a_side() && pending.ended_at.is_some_and(|at| at.0 <= due)
        });
    }

    fn settle_where(&mut self, now: Micros, is_due: impl Fn(&Pending) -> bool) {
        if !self.pending.iter().any(&is_due) {
            return;
        }
        let (due, waiting): (Vec<Pending>, Vec<Pending>) =
            std::mem::take(&mut self.pending).into_iter().partition(is_due);
        self.pending = waiting.into();
        for pending in due {
            self.settle(Some(pending.window), &pending.sides, now);
        }
    }

    fn is_left_out(&self, window: Window) -> bool {
        window.0 < self.from || self.unequal.contains(&window)
    }

    fn window(&mut self, window: Window) -> &mut Pending {
        let known = self.pending.iter().position(|pending| pending.window == window);
        let position = known.unwrap_or_else(|| {
            self.pending.push_back(Pending {
                window,
                sides: Default::default(),
                ended_at: None,
            });
            self.pending.len() - 1
        });
        &mut self.pending[position]
    }

    /// Waits no longer for the window that has waited longest. False: there is none.
    fn give_up_oldest(&mut self) -> bool {
        let Some(oldest) = self.pending.pop_front() else {
            return false;
        };
        // What still comes of it would have nothing to be compared with.
        self.from = self.from.max(Micros(oldest.window.0.0.saturating_add(1)));
        match oldest.ended_at.filter(|_| oldest.lacks_a_side()) {
            Some(now) => self.settle(Some(oldest.window), &oldest.sides, now),
            None => {
                self.bytes = self.bytes.saturating_sub(bytes_of(&oldest.sides));
                self.metrics.skipped.inc();
            }
        }
        true
    }

    fn settle(&mut self, window: Option<Window>, sides: &[Part; 2], now: Micros) {
        self.bytes = self.bytes.saturating_sub(bytes_of(sides));
        let [running, shadow] = excess(sides);
        if running.rows == 0 && shadow.rows == 0 {
            self.metrics.equal.inc();
            return;
        }
        let difference = Difference {
            at: now,
            window,
            running,
            shadow,
        };
        let (running, shadow) = (difference.running.rows, difference.shadow.rows);
        if self.metrics.differs(difference) {
            tracing::warn!(
                rule = &*self.rule,
                rows_only_running = running,
                rows_only_shadow = shadow,
                "the shadow gives another result than the version that runs; further ones are counted"
            );
        }
    }
}

impl Pending {
    /// Whether one side has ended, and nothing has come of the other.
    fn lacks_a_side(&self) -> bool {
        let silent = |part: &Part| !part.ended && part.emissions.is_empty();
        self.sides.iter().any(|part| part.ended) && self.sides.iter().any(silent)
    }
}

fn bytes_of(sides: &[Part; 2]) -> usize {
    let emissions = sides.iter().flat_map(|part| &part.emissions);
    emissions.map(|emission| emission.json.len()).sum()
}

/// The rows that only one side has.
fn excess(sides: &[Part; 2]) -> [Excess; 2] {
    let [running, shadow] = sides.each_ref().map(|part| {
        let rows = part.emissions.iter().flat_map(EncodedEmission::rows);
        rows.map(|row| row.json).collect::<Vec<_>>()
    });
    let mut excess = [Excess::default(), Excess::default()];
    if running == shadow {
        return excess;
    }
    let [running, shadow] = [running, shadow].map(|mut rows| {
        rows.sort_unstable();
        rows
    });
    let (mut left, mut right) = (running.as_slice(), shadow.as_slice());
    loop {
        let (first, second) = match (left.split_first(), right.split_first()) {
            (None, None) => return excess,
            (first, second) => (first, second),
        };
        let order = match (first, second) {
            (Some((one, _)), Some((other, _))) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        if let Some((row, rest)) = first.filter(|_| order != Ordering::Greater) {
            left = rest;
            if order == Ordering::Less {
                excess[0].add(row);
            }
        }
        if let Some((row, rest)) = second.filter(|_| order != Ordering::Less) {
            right = rest;
            if order == Ordering::Greater {
                excess[1].add(row);
            }
        }
    }
}

impl Excess {
    fn add(&mut self, row: &[u8]) {
        self.rows += 1;
        if self.examples.len() < EXAMPLES_MAX {
            let text = String::from_utf8_lossy(row);
            let cut = text.floor_char_boundary(EXAMPLE_BYTES_MAX);
            self.examples.push(match cut == text.len() {
                true => text.into_owned(),
                false => format!("{}...", &text[..cut]),
            });
        }
    }
}

/// The bytes of results that wait for the other side. Beyond them the oldest is passed over, and counted: sorting more
/// would hold up the thread.
const BYTES_MAX: usize = 8 << 20;
/// The windows that wait for the other side.
const WINDOWS_MAX: usize = 64;
/// The rows of each side that are shown of a difference.
const EXAMPLES_MAX: usize = 3;
/// The most bytes of such a row.
const EXAMPLE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests;
