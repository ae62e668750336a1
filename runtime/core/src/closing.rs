//! Closed windows on their way out: the after-steps, having, order and limit, and the emission.
//!
//! All of that may take long for a window of many groups, so it is done in pieces, between which rows are processed. The
//! pieces are counted in groups, not in time, so what comes out does not depend on the machine.

use crate::aggregate::FailedGroup;
use crate::emit::order_and_limit;
use crate::folds::{FoldId, Folds};
use crate::frame::{Env, Frame, Loss, Losses};
use crate::order::{Run, Runs};
use crate::program::{Action, Program};
use crate::shared::Shared;
use crate::window::OpenWindow;
use crate::{Bounds, Column, Counts, DeadRow, Emission, Guests, Micros, Output, RuleCounts};
use std::collections::VecDeque;
use std::sync::Arc;

/// The closed windows of a stream, in the order in which they closed, and for each rule that shares one.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    queue: VecDeque<Leaving>,
    /// The groups in the queue.
    groups: usize,
}

/// A closed window on its way out for one rule.
#[derive(Debug)]
struct Leaving {
    program: Arc<Program>,
    fold: FoldId,
    window: Arc<OpenWindow>,
    groups: usize,
    /// The first group that is still to be done.
    next: usize,
    /// The rows that may still be emitted.
    limit: usize,
    /// Rows that wait for all others, because they are to be in order.
    runs: Runs,
    emission: Phase,
    counts: Counts,
}

/// How far the emission of a window has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Silent,
    Begun,
    Ended,
}

impl Closing {
    /// Appends a window that closed, for one of the rules whose it is.
    pub(crate) fn push(&mut self, program: &Arc<Program>, fold: FoldId, window: &Arc<OpenWindow>) {
        let groups = window.group_count();
        self.groups += groups;
        self.queue.push_back(Leaving {
            program: Arc::clone(program),
            fold,
            window: Arc::clone(window),
            groups,
            next: 0,
            limit: program.limit.unwrap_or(usize::MAX),
            runs: Runs::default(),
            emission: Phase::Silent,
            counts: Counts::default(),
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The windows on their way out, with the rule of each.
    pub(crate) fn windows(&self) -> impl Iterator<Item = (&Arc<str>, (Micros, Micros))> {
        self.queue.iter().map(|leaving| (&leaving.program.id, leaving.times()))
    }

    /// The programs that are still needed.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.queue.iter().map(|leaving| &*leaving.program)
    }

    /// Sends out the next piece. Windows that are out go back to their folds, for their memory.
    pub(crate) fn send_out(&mut self, bounds: &Bounds, folds: &mut Folds, guests: &mut dyn Guests, out: &mut Output) {
        let piece = bounds.groups_per_call.max(1);
        let mut room = piece;
        while let Some(leaving) = self.queue.front_mut()
            && (room > 0 || self.groups > bounds.groups_waiting_max)
        {
            let at_most = if room > 0 { room } else { piece };
            let done = if leaving.next < leaving.groups {
                let done = leaving.finish_groups(at_most, guests, out);
                self.groups -= done;
                done
            } else {
                leaving.emit_in_order(at_most, out)
            };
            room = room.saturating_sub(done);
            if leaving.is_out()
                && let Some(leaving) = self.queue.pop_front()
            {
                out.counts.push(RuleCounts {
                    rule: Arc::clone(&leaving.program.id),
                    counts: leaving.counts,
                });
                if let Some(window) = Arc::into_inner(leaving.window)
                    && let Some(fold) = folds.with_program(leaving.fold, &leaving.program.fold)
                {
                    fold.give_back(window);
                }
            }
        }
    }
}

impl Leaving {
    fn is_out(&self) -> bool {
        self.next == self.groups && self.runs.len() == 0
    }

    /// Makes results of at most so many groups; gives how many.
    fn finish_groups(&mut self, at_most: usize, guests: &mut dyn Guests, out: &mut Output) -> usize {
        let program = Arc::clone(&self.program);
        let groups = self.next..self.groups.min(self.next + at_most);
        let done = groups.len();
        self.next = groups.end;
        let mut failed = Vec::new();
        let columns = self.window.results(&program.fold, groups, guests, &mut failed);
        let may_fail = !failed.is_empty() || program.after.iter().any(|action| !matches!(action, Action::Keep(_)));
        // The after-steps consume the columns, and a dead group is reported with what was known before them.
        let known = if may_fail { columns.clone() } else { Vec::new() };
        let mut frame = Frame::of_groups(columns, crate::isolate::row_number(done));
        let mut losses = Losses::default();
        lose_failed(&mut frame, failed, &mut losses);
        let shared = Shared::new();
        let env = Env {
            shared: &shared,
            links: &[],
            columns: &[],
            kernels: program.kernels,
            trapped_max: program.fold.bounds.trapped_calls_max,
        };
        frame.apply(&program.after, &env, &mut [], guests, &mut losses);
        self.counts.groups_filtered += losses.filtered as u64;
        self.counts.groups_dead += losses.dead.len() as u64;
        out.dead
            .extend(losses.dead.into_iter().map(|lost| self.dead(lost, &known)));
        self.rank_or_emit(&mut frame, &env, out);
        done
    }

    fn dead(&self, Loss { row, fault, reason }: Loss, known: &[Column]) -> DeadRow {
        DeadRow::Group {
            rule: Arc::clone(&self.program.id),
            window: self.times(),
            names: Arc::clone(&self.program.group_names),
            columns: known.iter().map(|column| column.gather(&[row])).collect(),
            fault,
            reason,
        }
    }

    /// Emits the rows of a frame, unless they must wait for the others.
    fn rank_or_emit(&mut self, frame: &mut Frame, env: &Env<'_>, out: &mut Output) {
        let program = Arc::clone(&self.program);
        let rows = frame.len();
        order_and_limit(&program, self.limit, frame, env);
        self.counts.groups_filtered += (rows - frame.len()) as u64;
        let rows = frame.len();
        let last = self.next == self.groups;
        let alone = last && self.runs.len() == 0;
        if program.order.is_empty() || alone {
            let columns = frame.take_columns(&program.emits, env);
            self.limit -= rows;
            self.emit(columns, rows, !last && self.limit > 0, out);
            return;
        }
        let criteria = program.order.iter();
        let criteria = criteria
            .map(|&(slot, _)| frame.column(slot, env).into_owned())
            .collect();
        let columns = frame.take_columns(&program.emits, env);
        self.runs.push(Run::new(criteria, columns, rows));
    }

    /// Emits at most so many of the rows that waited for all others; gives how many.
    fn emit_in_order(&mut self, at_most: usize, out: &mut Output) -> usize {
        let rows = at_most.min(self.runs.len()).min(self.limit);
        let descending: Vec<bool> = self.program.order.iter().map(|&(_, descending)| descending).collect();
        let columns = self.runs.take(rows, &descending);
        self.limit -= rows;
        if self.limit == 0 {
            self.counts.groups_filtered += self.runs.len() as u64;
            self.runs = Runs::default();
        }
        self.emit(columns, rows, self.runs.len() > 0, out);
        rows.max(1)
    }

    fn emit(&mut self, columns: Vec<Column>, rows: usize, more: bool, out: &mut Output) {
        let ends = self.emission == Phase::Begun && !more;
        if self.emission == Phase::Ended || (rows == 0 && !ends) {
            return;
        }
        self.counts.emissions += u64::from(self.emission == Phase::Silent);
        self.counts.rows_out += rows as u64;
        self.emission = if more { Phase::Begun } else { Phase::Ended };
        out.emissions.push(Emission {
            rule: Arc::clone(&self.program.id),
            window: Some(self.times()),
            names: Arc::clone(&self.program.emit_names),
            columns,
            rows,
            more,
        });
    }

    fn times(&self) -> (Micros, Micros) {
        (Micros(self.window.start), Micros(self.window.end))
    }
}

/// Takes the groups without a result out, each once.
fn lose_failed(frame: &mut Frame, mut failed: Vec<FailedGroup>, losses: &mut Losses) {
    failed.sort_by_key(|failed| failed.group);
    failed.dedup_by_key(|failed| failed.group);
    let positions: Vec<u32> = failed.iter().map(|failed| failed.group).collect();
    frame.remove(&positions);
    losses.dead.extend(failed.into_iter().map(|failed| Loss {
        row: failed.group,
        fault: failed.fault,
        reason: failed.message,
    }));
}
