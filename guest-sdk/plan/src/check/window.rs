//! What must hold in a window by itself.

use super::Problems;
use super::steps::Columns;
use crate::{OVERLAP_MAX, Type, Window};

impl Problems {
    pub(super) fn check_kind_of_window(&mut self, window: Window, before: &Columns) {
        match window {
            Window::Tumbling { size_ms } => self.check_span("window.size_ms", size_ms),
            Window::Hopping { size_ms, hop_ms } => self.check_hopping(size_ms, hop_ms),
            Window::Session { timeout_ms, max_ms } => {
                self.check_span("window.timeout_ms", timeout_ms);
                self.check_span("window.max_ms", max_ms);
            }
            Window::Count { rows, every } => self.check_count(rows, every),
            Window::State { begin, emit } => {
                self.check_column("window.begin", begin, before, &[Type::Bool]);
                self.check_column("window.emit", emit, before, &[Type::Bool]);
            }
            Window::Sliding {
                size_ms,
                delay_ms,
                when,
            } => {
                self.check_span("window.size_ms", size_ms);
                if delay_ms > SPAN_MS_MAX {
                    self.add("window.delay_ms", format!("must be 0 to {SPAN_MS_MAX}, got {delay_ms}"));
                }
                if let Some(when) = when {
                    self.check_column("window.when", when, before, &[Type::Bool]);
                }
            }
        }
    }

    fn check_hopping(&mut self, size_ms: u64, hop_ms: u64) {
        self.check_span("window.size_ms", size_ms);
        self.check_span("window.hop_ms", hop_ms);
        if hop_ms > size_ms {
            let message = format!(
                "must be at most size_ms, {size_ms}, or rows between two windows would be in none; got {hop_ms}"
            );
            self.add("window.hop_ms", message);
        } else if hop_ms > 0 && size_ms.div_ceil(hop_ms) > OVERLAP_MAX {
            let least = size_ms.div_ceil(OVERLAP_MAX);
            let overlap = size_ms.div_ceil(hop_ms);
            let message = format!(
                "a row may be in {OVERLAP_MAX} windows, so hop_ms must be at least {least}; with {hop_ms} it is in {overlap}"
            );
            self.add("window.hop_ms", message);
        }
    }

    fn check_count(&mut self, rows: u64, every: u64) {
        if !(1..=ROWS_MAX).contains(&rows) {
            self.add("window.rows", format!("must be 1 to {ROWS_MAX}, got {rows}"));
        }
        if every == 0 || every > rows {
            let message = format!("must be 1 to rows, {rows}, or there would be rows in no window; got {every}");
            self.add("window.every", message);
        }
    }

    /// A length of time that is not zero.
    fn check_span(&mut self, at: &str, millis: u64) {
        if !(1..=SPAN_MS_MAX).contains(&millis) {
            self.add(at, format!("must be 1 to {SPAN_MS_MAX}, got {millis}"));
        }
    }
}

/// The most rows of a window of the last ones. The host may allow fewer.
const ROWS_MAX: u64 = 1_000_000;

/// Windows are computed in microseconds of 64 bits.
const SPAN_MS_MAX: u64 = i64::MAX as u64 / 1000;
