//! What a shadow would have emitted, compared with what the version that runs emitted. Pure: it is given emissions, and
//! counts.
//!
//! Results are compared window by window, or batch by batch where there is no window: as sets of rows, by their JSON.

use crate::clock;
use crate::emit::EncodedEmission;
use crate::telemetry::shadow::{Difference, Excess, ShadowMetrics};
use rulemill_core::Micros;
use std::cmp::Ordering;
use std::collections::VecDeque;

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
    metrics: ShadowMetrics,
    /// Windows that start before this have rows that the shadow has not seen.
    from: Micros,
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
    /// Compares windows that start at `from` or later, and counts into `metrics`.
    pub(super) fn new(metrics: ShadowMetrics, from: Micros) -> Self {
        Comparison {
            metrics,
            from,
            pending: VecDeque::new(),
            batch: Default::default(),
            bytes: 0,
        }
    }

    /// Takes rows of a result; there may be more of the same.
    pub(super) fn rows(&mut self, side: Side, emission: &EncodedEmission) {
        self.bytes += emission.json.len();
        match emission.window {
            None => self.batch[side as usize].emissions.push(emission.clone()),
            Some((start, _)) if start < self.from => self.bytes -= emission.json.len(),
            Some(window) => {
                let pending = self.window(window);
                pending.sides[side as usize].emissions.push(emission.clone());
            }
        }
        while self.bytes > BYTES_MAX && self.skip_oldest() {}
    }

    /// All rows of the window have been taken.
    pub(super) fn end_window(&mut self, side: Side, window: Window) {
        if window.0 < self.from {
            return;
        }
        self.window(window).sides[side as usize].ended = true;
        // A side closes its windows in order: what it has passed over it has no rows for.
        for pending in &mut self.pending {
            let [mine, theirs] = [side, side.other()].map(|side| side as usize);
            if pending.window.1 <= window.0 && pending.sides[theirs].ended {
                pending.sides[mine].ended = true;
            }
        }
        let mut waiting = VecDeque::new();
        for pending in std::mem::take(&mut self.pending) {
            if pending.sides.iter().all(|part| part.ended) {
                self.settle(Some(pending.window), &pending.sides);
            } else {
                waiting.push_back(pending);
            }
        }
        self.pending = waiting;
        while self.pending.len() > WINDOWS_MAX && self.skip_oldest() {}
    }

    /// All rows of a batch have been taken.
    pub(super) fn end_batch(&mut self) {
        let sides = std::mem::take(&mut self.batch);
        if sides.iter().any(|part| !part.emissions.is_empty()) {
            self.settle(None, &sides);
        }
    }

    fn window(&mut self, window: Window) -> &mut Pending {
        let known = self.pending.iter().position(|pending| pending.window == window);
        let position = known.unwrap_or_else(|| {
            self.pending.push_back(Pending {
                window,
                sides: Default::default(),
            });
            self.pending.len() - 1
        });
        &mut self.pending[position]
    }

    /// Gives up the window that has waited longest. False: there is none.
    fn skip_oldest(&mut self) -> bool {
        let Some(oldest) = self.pending.pop_front() else {
            return false;
        };
        self.bytes = self.bytes.saturating_sub(bytes_of(&oldest.sides));
        // What still comes of it would have nothing to be compared with.
        self.from = self.from.max(Micros(oldest.window.0.0.saturating_add(1)));
        self.metrics.skipped.inc();
        true
    }

    fn settle(&mut self, window: Option<Window>, sides: &[Part; 2]) {
        self.bytes = self.bytes.saturating_sub(bytes_of(sides));
        let [running, shadow] = excess(sides);
        if running.rows == 0 && shadow.rows == 0 {
            self.metrics.equal.inc();
            return;
        }
        let difference = Difference {
            at: clock::wall(),
            window,
            running,
            shadow,
        };
        let rule = sides.iter().flat_map(|part| &part.emissions).next();
        let rule = rule.map_or("", |emission| &*emission.rule);
        let (running, shadow) = (difference.running.rows, difference.shadow.rows);
        if self.metrics.differs(difference) {
            tracing::warn!(
                rule,
                rows_only_running = running,
                rows_only_shadow = shadow,
                "the shadow gives another result than the version that runs; further ones are counted"
            );
        }
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

/// The bytes of results that wait for the other side. Beyond them the oldest is passed over, and counted.
const BYTES_MAX: usize = 64 << 20;
/// The windows that wait for the other side.
const WINDOWS_MAX: usize = 64;
/// The rows of each side that are shown of a difference.
const EXAMPLES_MAX: usize = 3;
/// The most bytes of such a row.
const EXAMPLE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests;
