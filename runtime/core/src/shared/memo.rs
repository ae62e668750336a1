//! The state of one shared call: the column of the batch, or what is remembered of each topic.

use super::{Inputs, Link, NONE, View, view};
use crate::isolate::{self, Blame, FailedRow, row_number};
use crate::program::SharedCall;
use crate::{Column, Guests, Micros, Rows, SiteId};
use rulemill_plan::Type;
use std::collections::BTreeMap;

/// The call failed for this topic; see [`Memo::faults`].
const FAULT: u32 = u32::MAX - 1;
/// How long a trap for a topic is remembered, in microseconds of arrival time, before the call is tried again. A trap
/// may be for want of time on a busy machine; trying each batch again would let one bad topic stall its stream.
const TRAP_MEMORY: i64 = 10_000_000;
/// The most rows in one call for topics that were seen before the call was added.
const TOPICS_PER_CALL_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct CallState {
    pub(super) site: SiteId,
    returns: Type,
    pub(super) inputs: Vec<Link>,
    pub(super) uses: usize,
    /// By memo row, or by row of the batch.
    pub(super) column: Column,
    pub(super) memo: Option<Memo>,
    /// The rows of the batch that could not be computed.
    pub(super) errors: Vec<FailedRow>,
}

/// The remembered results of a call of the topic alone. Row 0 of the column is a null that stands for what is not known.
#[derive(Debug, Default)]
pub(super) struct Memo {
    pub(super) row_of_slot: Vec<u32>,
    /// How many slots have a row or a fault.
    known: usize,
    faults: BTreeMap<u32, Fault>,
    /// When the first fault may be tried again.
    retry_at: Option<i64>,
}

#[derive(Debug)]
struct Fault {
    message: String,
    blame: Blame,
    retry_at: Option<i64>,
}

pub(super) fn memo_row(row_of_slot: &[u32], slot: u32, known: u32) -> u32 {
    match row_of_slot.get(slot as usize) {
        Some(&row) if row < known => row,
        Some(_) | None => 0,
    }
}

impl CallState {
    pub(super) fn new(call: &SharedCall, inputs: Vec<Link>) -> Self {
        let mut state = CallState {
            site: call.site,
            returns: call.returns,
            inputs,
            uses: 1,
            column: Column::empty(call.returns),
            memo: call.by_topic.then(Memo::default),
            errors: Vec::new(),
        };
        state.forget();
        state
    }

    /// Whether it is the call on these inputs. What an input is stands in its link, so nothing below it is looked at.
    pub(super) fn is(&self, call: &SharedCall, inputs: &[Link]) -> bool {
        self.site == call.site
            && self.inputs == inputs
            && self.returns == call.returns
            && self.memo.is_some() == call.by_topic
    }

    pub(super) fn forget(&mut self) {
        if let Some(memo) = &mut self.memo {
            *memo = Memo::default();
            self.column = Column::nulls(self.returns, 1);
        }
    }

    pub(super) fn try_again(&mut self) {
        if let Some(memo) = &mut self.memo {
            memo.drop_faults(|_| true);
        }
    }

    pub(super) fn forgotten(&self) -> bool {
        self.memo.as_ref().is_some_and(|memo| memo.row_of_slot.is_empty())
    }

    /// Once for each row of the batch.
    pub(super) fn evaluate_rows(
        &mut self,
        inputs: &Inputs<'_>,
        rows: usize,
        guests: &mut dyn Guests,
        trapped_max: usize,
    ) {
        let views: Vec<View<'_>> = self
            .inputs
            .iter()
            .map(|&link| view(inputs.calls, inputs.topics, inputs.columns, link))
            .collect();
        let gathered: Vec<Option<Column>> = views
            .iter()
            .map(|view| (!view.is_direct()).then(|| gather(view, rows)))
            .collect();
        let columns: Vec<&Column> = views
            .iter()
            .zip(&gathered)
            .map(|(view, gathered)| gathered.as_ref().unwrap_or(view.column))
            .collect();
        let rows = Rows {
            rows,
            columns: &columns,
        };
        let mut computed = isolate::evaluate(guests, self.site, self.returns, rows, trapped_max);
        self.errors = computed.errors;
        self.column = computed.columns.swap_remove(0);
    }

    /// Once for each topic of the batch that is not known yet.
    pub(super) fn evaluate_topics(
        &mut self,
        inputs: &Inputs<'_>,
        clock: Micros,
        guests: &mut dyn Guests,
        trapped_max: usize,
    ) {
        let slots = &inputs.topics.slots;
        if self.column.text_bytes() > MEMO_BYTES_MAX {
            self.forget();
        }
        let Some(memo) = &mut self.memo else { return };
        memo.drop_stale_faults(clock);
        if memo.known < inputs.topics.names.len() {
            for chunk in memo.unknown(&self.inputs, inputs).chunks(TOPICS_PER_CALL_MAX) {
                let columns: Vec<Column> = self.inputs.iter().map(|&link| by_slot(link, inputs, chunk)).collect();
                let columns: Vec<&Column> = columns.iter().collect();
                let rows = Rows {
                    rows: chunk.len(),
                    columns: &columns,
                };
                let mut computed = isolate::evaluate(guests, self.site, self.returns, rows, trapped_max);
                refuse_large(&mut computed);
                memo.learn(&mut self.column, chunk, computed, clock);
            }
        }
        self.errors.clear();
        if !memo.faults.is_empty() {
            for (row, slot) in slots.iter().enumerate() {
                if memo.row_of_slot.get(*slot as usize) == Some(&FAULT)
                    && let Some(fault) = memo.faults.get(slot)
                {
                    self.errors.push(FailedRow {
                        row: row_number(row),
                        message: fault.message.clone(),
                        blame: fault.blame,
                    });
                }
            }
        }
    }
}

/// What a function makes of a topic is kept, and copied for every message of the topic, so it must not be large.
fn refuse_large(computed: &mut isolate::Computed) {
    let column = &computed.columns[0];
    if column.text_bytes() <= RESULT_BYTES_MAX {
        return;
    }
    let failed: Vec<u32> = computed.errors.iter().map(|failed| failed.row).collect();
    let large = (0..row_number(column.len()))
        .filter(|row| column.text_bytes_of(*row as usize) > RESULT_BYTES_MAX && failed.binary_search(row).is_err());
    let large = large.map(|row| FailedRow {
        row,
        message: format!(
            "what a function makes of a topic may have {RESULT_BYTES_MAX} bytes, this has {}",
            column.text_bytes_of(row as usize)
        ),
        blame: Blame::Row,
    });
    let large: Vec<FailedRow> = large.collect();
    computed.errors.extend(large);
    computed.errors.sort_by_key(|failed| failed.row);
}

/// The most bytes of what a function makes of one topic.
const RESULT_BYTES_MAX: usize = 64 * 1024;
/// A call forgets what it remembers when that has so many bytes.
const MEMO_BYTES_MAX: usize = 16 << 20;

impl Memo {
    fn drop_stale_faults(&mut self, clock: Micros) {
        if self.retry_at.is_some_and(|retry_at| retry_at <= clock.0) {
            self.drop_faults(|retry_at| retry_at <= clock.0);
        }
    }

    /// Forgets faults that may be tried again at some time, if `due` says so of it.
    fn drop_faults(&mut self, due: impl Fn(i64) -> bool) {
        self.faults.retain(|&slot, fault| {
            let stale = fault.retry_at.is_some_and(&due);
            if stale {
                self.row_of_slot[slot as usize] = NONE;
                self.known -= 1;
            }
            !stale
        });
        self.retry_at = self.faults.values().filter_map(|fault| fault.retry_at).min();
    }

    /// The slots of the batch that have neither a row nor a fault, each once; without those that an input failed for.
    fn unknown(&mut self, links: &[Link], inputs: &Inputs<'_>) -> Vec<u32> {
        self.row_of_slot.resize(inputs.topics.names.len(), NONE);
        let mut unknown: Vec<u32> = inputs
            .topics
            .slots
            .iter()
            .copied()
            .filter(|&slot| self.row_of_slot[slot as usize] == NONE)
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown.retain(|&slot| {
            links.iter().all(|&link| match link {
                Link::Call(call) => inputs.calls[call].knows(slot),
                Link::Topic | Link::Field(_) => true,
            })
        });
        unknown
    }

    fn learn(&mut self, column: &mut Column, slots: &[u32], computed: isolate::Computed, clock: Micros) {
        self.known += slots.len();
        for failed in &computed.errors {
            self.row_of_slot[slots[failed.row as usize] as usize] = FAULT;
        }
        let learned: Vec<u32> = (0..row_number(slots.len()))
            .filter(|&row| self.row_of_slot[slots[row as usize] as usize] != FAULT)
            .collect();
        for (row, &position) in (row_number(column.len())..).zip(&learned) {
            self.row_of_slot[slots[position as usize] as usize] = row;
        }
        column.append(&computed.columns[0].gather(&learned));
        for failed in computed.errors {
            let retry_at = match failed.blame {
                Blame::Row => None,
                Blame::Trap => Some(clock.0.saturating_add(TRAP_MEMORY)),
                Blame::Call | Blame::Suspended => Some(i64::MIN),
            };
            self.retry_at = self.retry_at.into_iter().chain(retry_at).min();
            let fault = Fault {
                message: failed.message,
                blame: failed.blame,
                retry_at,
            };
            self.faults.insert(slots[failed.row as usize], fault);
        }
    }
}

impl CallState {
    fn knows(&self, slot: u32) -> bool {
        let row = self.memo.as_ref().and_then(|memo| memo.row_of_slot.get(slot as usize));
        row.is_some_and(|&row| (row as usize) < self.column.len())
    }
}

fn gather(view: &View<'_>, rows: usize) -> Column {
    let mut cells = Vec::with_capacity(rows);
    view.cells(0..row_number(rows), &mut cells);
    view.column.gather(&cells)
}

/// The input of a call of the topic alone, for topic slots instead of rows.
fn by_slot(link: Link, inputs: &Inputs<'_>, slots: &[u32]) -> Column {
    match link {
        Link::Topic => inputs.topics.names.gather(slots),
        // A call of the topic alone has no field among its inputs.
        Link::Field(field) => inputs.columns[field].gather(slots),
        Link::Call(call) => {
            let state = &inputs.calls[call];
            let row_of_slot = state.memo.as_ref().map_or(&[][..], |memo| &memo.row_of_slot);
            let known = row_number(state.column.len());
            let cells: Vec<u32> = slots.iter().map(|&slot| memo_row(row_of_slot, slot, known)).collect();
            state.column.gather(&cells)
        }
    }
}
