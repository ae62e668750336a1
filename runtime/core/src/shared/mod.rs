//! What the rules of a stream share: the decoded fields, and calls whose inputs all come from the stream.
//!
//! A call is made once a batch for all rules. An immutable call of the topic alone is made once a topic: its results
//! are kept by **topic slot**, the number of the topic in the order in which this stream saw it.

mod memo;

use crate::isolate::{FailedRow, row_number};
use crate::program::{SharedCall, Source};
use crate::{Column, Field, Guests, Micros, SiteId, StreamBatch, TopicTable};
use memo::{CallState, memo_row};
use rulemill_plan::Type;

/// No entry.
pub(crate) const NONE: u32 = u32::MAX;
/// Where a source is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Topic,
    Field(usize),
    Call(usize),
}

/// The shared columns of a stream.
#[derive(Debug)]
pub(crate) struct Shared {
    fields: Vec<Field>,
    field_uses: Vec<usize>,
    pub(crate) fields_version: u64,
    calls: Vec<CallState>,
    topics: Topics,
}

/// The topics this stream has seen, and those of the batch.
#[derive(Debug)]
struct Topics {
    generation: u64,
    slot_of_topic: Vec<u32>,
    /// The topic of each slot.
    names: Column,
    /// The slot of each row of the batch.
    slots: Vec<u32>,
}

/// A shared column of the batch: row r of the batch is in the cell that `View::cell` says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) column: &'a Column,
    map: Map<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Map<'a> {
    Same,
    Slots(&'a [u32]),
    Memo { slots: &'a [u32], row_of_slot: &'a [u32] },
}

impl View<'_> {
    /// Whether row r is cell r.
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self.map, Map::Same)
    }

    /// Appends the cells of rows.
    pub(crate) fn cells(&self, rows: impl Iterator<Item = u32>, cells: &mut Vec<u32>) {
        match self.map {
            Map::Same => cells.extend(rows),
            Map::Slots(slots) => cells.extend(rows.map(|row| slots[row as usize])),
            Map::Memo { slots, row_of_slot } => {
                let known = row_number(self.column.len());
                cells.extend(rows.map(|row| memo_row(row_of_slot, slots[row as usize], known)));
            }
        }
    }
}

impl Shared {
    pub(crate) fn new() -> Self {
        Shared {
            fields: Vec::new(),
            field_uses: Vec::new(),
            fields_version: 0,
            calls: Vec::new(),
            topics: Topics {
                generation: 0,
                slot_of_topic: Vec::new(),
                names: Column::empty(Type::Text),
                slots: Vec::new(),
            },
        }
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Finds or adds the sources of a program, inputs before the calls on them, and counts a use of each.
    pub(crate) fn link(&mut self, sources: &[Source]) -> Vec<Link> {
        let mut links = Vec::with_capacity(sources.len());
        for source in sources {
            let link = match source {
                Source::Topic => Link::Topic,
                Source::Field(field) => self.link_field(field),
                Source::Call(call) => {
                    let inputs = call.inputs.iter().map(|&input| links[input]).collect();
                    self.link_call(call, inputs)
                }
            };
            links.push(link);
        }
        links
    }

    /// Takes one use back. True: something is used no more, and [`Shared::compact`] would remove it.
    pub(crate) fn unlink(&mut self, link: Link) -> bool {
        match link {
            Link::Topic => false,
            Link::Field(field) => {
                self.field_uses[field] -= 1;
                self.field_uses[field] == 0
            }
            Link::Call(call) => {
                self.calls[call].uses -= 1;
                self.calls[call].uses == 0
            }
        }
    }

    /// Removes what nobody uses; positions change as the result says.
    pub(crate) fn compact(&mut self) -> Moves {
        // A call's inputs come before it, so going backwards finds the inputs that only unused calls had.
        for position in (0..self.calls.len()).rev() {
            if self.calls[position].uses == 0 {
                for link in self.calls[position].inputs.clone() {
                    self.unlink(link);
                }
            }
        }
        let moves = Moves {
            fields: new_positions(self.field_uses.iter().copied()),
            calls: new_positions(self.calls.iter().map(|call| call.uses)),
        };
        if self.field_uses.contains(&0) {
            self.fields_version += 1;
        }
        let mut uses = self.field_uses.iter();
        self.fields.retain(|_| uses.next().is_some_and(|&uses| uses > 0));
        self.field_uses.retain(|&uses| uses > 0);
        self.calls.retain(|call| call.uses > 0);
        for call in &mut self.calls {
            for input in &mut call.inputs {
                *input = moves.apply(*input);
            }
        }
        moves
    }

    /// Drops the remembered results of these call sites.
    pub(crate) fn forget(&mut self, sites: &[SiteId]) {
        for position in 0..self.calls.len() {
            let state = &self.calls[position];
            let stale_input = state.inputs.iter().any(|&input| match input {
                Link::Call(input) => input < position && self.calls[input].forgotten(),
                Link::Topic | Link::Field(_) => false,
            });
            if stale_input || sites.contains(&state.site) {
                self.calls[position].forget();
            }
        }
    }

    /// Calls that trapped for a topic are tried again at its next row: the time to wait for is no longer known.
    pub(crate) fn try_again(&mut self) {
        self.calls.iter_mut().for_each(CallState::try_again);
    }

    /// The bit that stands for a column in [`Shared::holes`]. Several columns may have the same.
    pub(crate) fn bit(link: Link) -> u64 {
        match link {
            Link::Topic => 0,
            Link::Field(field) => 1 << (field % 32),
            Link::Call(call) => 1 << (32 + call % 32),
        }
    }

    /// The bits of the columns in which something is missing: fields with nulls, calls that failed for a row.
    pub(crate) fn holes(&self, columns: &[Column]) -> u64 {
        let fields = columns.iter().enumerate().filter(|(_, column)| column.valid.is_some());
        let calls = self
            .calls
            .iter()
            .enumerate()
            .filter(|(_, call)| !call.errors.is_empty());
        let fields = fields.map(|(field, _)| Shared::bit(Link::Field(field)));
        let calls = calls.map(|(call, _)| Shared::bit(Link::Call(call)));
        fields.chain(calls).fold(0, |holes, bit| holes | bit)
    }

    /// The slot of each row's topic.
    pub(crate) fn slots(&self) -> &[u32] {
        &self.topics.slots
    }

    /// The rows of the batch that a source could not be computed for.
    pub(crate) fn errors(&self, link: Link) -> &[FailedRow] {
        match link {
            Link::Topic | Link::Field(_) => &[],
            Link::Call(call) => &self.calls[call].errors,
        }
    }

    /// A source's column for the batch whose fields are `columns`.
    pub(crate) fn view<'a>(&'a self, link: Link, columns: &'a [Column]) -> View<'a> {
        view(&self.calls, &self.topics, columns, link)
    }

    /// Finds the topics' slots. True: the topics began a new generation, so anything kept by slot is void.
    pub(crate) fn start_batch(&mut self, batch: &StreamBatch<'_>) -> bool {
        let topics = &mut self.topics;
        let new_generation = topics.generation != batch.topic_names.generation();
        if new_generation {
            topics.generation = batch.topic_names.generation();
            topics.slot_of_topic.clear();
            topics.names = Column::empty(Type::Text);
            self.calls.iter_mut().for_each(CallState::forget);
        }
        topics.find_slots(batch, batch.topic_names);
        new_generation
    }

    /// Makes the calls for the batch.
    pub(crate) fn evaluate(
        &mut self,
        batch: &StreamBatch<'_>,
        clock: Micros,
        guests: &mut dyn Guests,
        trapped_max: usize,
    ) {
        for position in 0..self.calls.len() {
            let (earlier, rest) = self.calls.split_at_mut(position);
            let inputs = Inputs {
                calls: earlier,
                topics: &self.topics,
                columns: batch.columns,
            };
            if rest[0].memo.is_some() {
                rest[0].evaluate_topics(&inputs, clock, guests, trapped_max);
            } else {
                rest[0].evaluate_rows(&inputs, batch.rows, guests, trapped_max);
            }
        }
    }

    fn link_field(&mut self, field: &Field) -> Link {
        let position = self.fields.iter().position(|known| known == field).unwrap_or_else(|| {
            self.fields.push(field.clone());
            self.field_uses.push(0);
            self.fields_version += 1;
            self.fields.len() - 1
        });
        self.field_uses[position] += 1;
        Link::Field(position)
    }

    fn link_call(&mut self, call: &SharedCall, inputs: Vec<Link>) -> Link {
        if let Some(position) = self.calls.iter().position(|known| known.is(call, &inputs)) {
            self.calls[position].uses += 1;
            return Link::Call(position);
        }
        for &input in &inputs {
            self.count_use(input);
        }
        self.calls.push(CallState::new(call, inputs));
        Link::Call(self.calls.len() - 1)
    }

    fn count_use(&mut self, link: Link) {
        match link {
            Link::Topic => {}
            Link::Field(field) => self.field_uses[field] += 1,
            Link::Call(call) => self.calls[call].uses += 1,
        }
    }
}

/// Where fields and calls went when unused ones were removed.
#[derive(Debug)]
pub(crate) struct Moves {
    fields: Vec<usize>,
    calls: Vec<usize>,
}

impl Moves {
    /// The new place of what is still used.
    pub(crate) fn apply(&self, link: Link) -> Link {
        match link {
            Link::Topic => Link::Topic,
            Link::Field(field) => Link::Field(self.fields[field]),
            Link::Call(call) => Link::Call(self.calls[call]),
        }
    }
}

fn new_positions(uses: impl Iterator<Item = usize>) -> Vec<usize> {
    uses.scan(0, |next, uses| {
        let position = *next;
        *next += usize::from(uses > 0);
        Some(position)
    })
    .collect()
}

impl Topics {
    fn find_slots(&mut self, batch: &StreamBatch<'_>, table: &TopicTable) {
        if self.slot_of_topic.len() < table.len() {
            self.slot_of_topic.resize(table.len(), NONE);
        }
        self.slots.clear();
        for &topic in batch.topics {
            let mut slot = self.slot_of_topic[topic.position()];
            if slot == NONE {
                slot = row_number(self.names.len());
                self.slot_of_topic[topic.position()] = slot;
                self.names.push_text(table.name(topic));
            }
            self.slots.push(slot);
        }
    }
}

/// What a call may read: calls before it, topics, fields.
struct Inputs<'a> {
    calls: &'a [CallState],
    topics: &'a Topics,
    columns: &'a [Column],
}

fn view<'a>(calls: &'a [CallState], topics: &'a Topics, columns: &'a [Column], link: Link) -> View<'a> {
    match link {
        Link::Topic => View {
            column: &topics.names,
            map: Map::Slots(&topics.slots),
        },
        Link::Field(field) => View {
            column: &columns[field],
            map: Map::Same,
        },
        Link::Call(call) => View {
            column: &calls[call].column,
            map: match &calls[call].memo {
                None => Map::Same,
                Some(memo) => Map::Memo {
                    slots: &topics.slots,
                    row_of_slot: &memo.row_of_slot,
                },
            },
        },
    }
}
