//! The window of a plan: how rows are cut, and by which time.

use super::file::File;
use super::{Compiler, micros};
use crate::Bounds;
use crate::aligned::Aligned;
use crate::program::{Cut, EventTiming, TimeLayout, Timing};
use rulemill_plan::{ColumnIndex, OVERLAP_MAX, Type, Window};

impl Compiler<'_> {
    /// How the plan cuts rows into windows; `None` without a window, and after a problem.
    pub(super) fn cut(&mut self, override_ms: Option<u64>, bounds: Bounds) -> Option<Cut> {
        match self.plan.window? {
            Window::Tumbling { size_ms } => {
                let size = self.span("size_ms", override_ms.unwrap_or(size_ms))?;
                Some(Cut::Aligned(Aligned { size, hop: size }))
            }
            Window::Hopping { size_ms, hop_ms } => {
                let size = self.span("size_ms", override_ms.unwrap_or(size_ms))?;
                let hop = self.span("hop_ms", hop_ms)?;
                self.hopping(Aligned { size, hop })
            }
            Window::Session { timeout_ms, max_ms } => {
                self.no_size(override_ms, "a session")?;
                let timeout = self.span("timeout_ms", timeout_ms)?;
                let max = self.span("max_ms", max_ms)?;
                Some(Cut::Session { timeout, max })
            }
            Window::Count { rows, every } => {
                self.no_size(override_ms, "one of the last rows")?;
                self.count(rows, every, bounds)
            }
            Window::Sliding { size_ms, delay_ms, .. } => {
                let size = self.span("size_ms", override_ms.unwrap_or(size_ms))?;
                let delay = if delay_ms == 0 {
                    0
                } else {
                    self.span("delay_ms", delay_ms)?
                };
                Some(Cut::Sliding { size, delay })
            }
            Window::State { .. } => {
                self.no_size(override_ms, "one from a row to a row")?;
                Some(Cut::State)
            }
        }
    }

    pub(super) fn timing(&mut self, file: &File, cut: Option<Cut>, bounds: Bounds) -> (Timing, TimeLayout) {
        if cut.is_none() {
            return (Timing::PerBatch, TimeLayout::Arrival);
        }
        let Some(event) = self.plan.event_time else {
            return (Timing::Arrival, TimeLayout::Arrival);
        };
        let Some((column, kind)) = self.column(file, event.column, "event_time.column") else {
            return (Timing::PerBatch, TimeLayout::Arrival);
        };
        if let Some(kind) = kind
            && kind != Type::Time
        {
            let message = format!(
                "the event time must be of type time, and {} is of type {kind}",
                file.name(event.column)
            );
            self.problem("event_time.column", message);
        }
        let timing = EventTiming {
            column,
            lateness: micros(event.lateness_ms),
            late: event.late,
            idle: event.idle_ms.map(micros),
            future_max: micros(bounds.future_max_ms),
        };
        let lineage = self.lineage(file.origin(event.column));
        (Timing::Event(timing), TimeLayout::Event(lineage))
    }

    /// The conditions of the window.
    pub(super) fn marks(&self) -> Vec<ColumnIndex> {
        match self.plan.window {
            None
            | Some(Window::Tumbling { .. } | Window::Hopping { .. } | Window::Session { .. } | Window::Count { .. }) => {
                Vec::new()
            }
            Some(Window::Sliding { when, .. }) => when.into_iter().collect(),
            Some(Window::State { begin, emit }) => vec![begin, emit],
        }
    }

    /// The conditions of the window, and of what is in it.
    pub(super) fn conditions(&self) -> Vec<ColumnIndex> {
        self.marks().into_iter().chain(self.plan.content).collect()
    }

    pub(super) fn check_conditions(&mut self, file: &File) {
        if self.plan.content.is_some() && self.plan.window.is_some_and(|window| !window.depends_on_rows()) {
            let message = "content is for windows that begin and end with rows; for others use keep";
            self.problem("content", message.to_owned());
        }
        for mark in self.conditions() {
            if let Some((_, Some(kind))) = self.column(file, mark, "window")
                && kind != Type::Bool
            {
                let message = format!(
                    "a condition of a window must be of type bool, and {} is of type {kind}",
                    file.name(mark)
                );
                self.problem("window", message);
            }
        }
    }

    fn hopping(&mut self, aligned: Aligned) -> Option<Cut> {
        let (size_ms, hop_ms) = (aligned.size / 1000, aligned.hop / 1000);
        if hop_ms > size_ms {
            let message =
                format!("windows of {size_ms} ms cannot be {hop_ms} ms apart: rows between them would be lost");
            self.problem("window.hop_ms", message);
            return None;
        }
        if aligned.overlap() as u64 > OVERLAP_MAX {
            let message = format!(
                "a row is in at most {OVERLAP_MAX} windows, and in {} with {hop_ms} ms",
                aligned.overlap()
            );
            self.problem("window.hop_ms", message);
            return None;
        }
        Some(Cut::Aligned(aligned))
    }

    fn count(&mut self, rows: u64, every: u64, bounds: Bounds) -> Option<Cut> {
        let (rows, every) = (usize::try_from(rows).ok(), usize::try_from(every).ok());
        let most = bounds.rows_max;
        let Some(rows) = rows.filter(|rows| (1..=most).contains(rows)) else {
            self.problem(
                "window.rows",
                format!("a window has 1 to {most} rows, the most that a rule keeps"),
            );
            return None;
        };
        let Some(every) = every.filter(|every| (1..=rows).contains(every)) else {
            self.problem(
                "window.every",
                format!("must be 1 to rows, {rows}, or rows would be in no window"),
            );
            return None;
        };
        Some(Cut::Count { rows, every })
    }

    /// There is no size that the deployment could set.
    fn no_size(&mut self, override_ms: Option<u64>, kind: &str) -> Option<()> {
        if override_ms.is_some() {
            let message = format!("the windows of the rule have no size that could be set: {kind} ends with its rows");
            self.problem("window", message);
            return None;
        }
        Some(())
    }

    /// A length of time in microseconds.
    fn span(&mut self, field: &str, millis: u64) -> Option<i64> {
        // A quarter of the range leaves room to add sizes to times without overflow.
        match i64::try_from(millis).ok().and_then(|span| span.checked_mul(1000)) {
            Some(span) if (1..=i64::MAX / 4).contains(&span) => Some(span),
            _ => {
                let message = format!("a window lasts 1 ms to {} ms, got {millis} ms", i64::MAX / 4000);
                self.problem(&format!("window.{field}"), message);
                None
            }
        }
    }
}
