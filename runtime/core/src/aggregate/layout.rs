//! Where the states of a window's aggregates stand: each group has a row of words, the states of all its aggregates side
//! by side, so that a message touches one place in memory instead of one for each aggregate.
//!
//! ```text
//! avg(t), max(t), count()     | values of t | sum | what it lost | largest | rows |
//! ```
//!
//! What does not fit words of a fixed number, such as texts, stands beside the rows, one array for each aggregate.
//!
//! The layout depends on nothing but the aggregates and on which of them have the same argument: programs that agree on
//! these can carry on each other's states.

use crate::program::{Function, Slot};
use rulemill_plan::Type;
use std::ops::Range;

/// Where the states of some aggregates stand, how rows change them, and how they become results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct StateLayout {
    /// The row of a group without rows.
    pub(super) initial: Vec<u64>,
    /// Where the rows of a group are counted, if anybody wants to know.
    pub(super) rows_at: Option<usize>,
    inputs: Vec<Input>,
    updates: Vec<Update>,
    /// One for each aggregate.
    pub(super) places: Vec<Place>,
    /// The functions whose states stand beside the rows.
    pub(super) beside: Vec<Function>,
}

/// A column whose values change states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Input {
    slot: Slot,
    /// Positions in the updates.
    updates: Range<usize>,
}

/// What the values of an input do to states, nulls aside; `at` is the first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Update {
    Count { at: usize },
    SumInts { at: usize },
    SumFloats { at: usize },
    Moments { at: usize },
    Smallest { at: usize },
    Largest { at: usize },
    First { at: usize },
    Last { at: usize },
    Beside { at: usize },
}

/// Where the state of an aggregate stands; `at` is the first word, `count` that of the number of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Count { at: usize },
    SumInts { at: usize, count: usize },
    SumFloats { at: usize, count: usize },
    Moments { at: usize },
    Value { at: usize, count: usize },
    Beside { at: usize },
}

/// The argument of an aggregate: equal origins mean equal values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand {
    pub(crate) origin: usize,
    pub(crate) slot: Slot,
}

/// An input while the layout is made.
struct Draft {
    operand: Operand,
    updates: Vec<Update>,
    /// The word that counts its values, once somebody needs it.
    count: Option<usize>,
}

impl StateLayout {
    /// The layout for aggregates, each with its argument if it has one. A library's aggregate is given none: the guest
    /// reads its arguments.
    pub(crate) fn new(aggregates: &[(Function, Option<Operand>)]) -> Self {
        let mut layout = StateLayout::default();
        let mut drafts: Vec<Draft> = Vec::new();
        for (function, operand) in aggregates {
            let place = match operand {
                None => layout.without_input(function),
                Some(operand) => {
                    let known = drafts.iter().position(|draft| draft.operand.origin == operand.origin);
                    let position = known.unwrap_or(drafts.len());
                    if known.is_none() {
                        drafts.push(Draft::new(*operand));
                    }
                    layout.place(function, &mut drafts[position])
                }
            };
            layout.places.push(place);
        }
        for draft in drafts {
            let start = layout.updates.len();
            layout.updates.extend(draft.updates);
            layout.inputs.push(Input {
                slot: draft.operand.slot,
                updates: start..layout.updates.len(),
            });
        }
        layout
    }

    /// The columns that change states, each with what its values do.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (Slot, &[Update])> {
        let inputs = self.inputs.iter();
        inputs.map(|input| (input.slot, &self.updates[input.updates.clone()]))
    }

    /// The same layout over other columns.
    pub(crate) fn with_slots(&self, slot: impl Fn(Slot) -> Slot) -> Self {
        let mut layout = self.clone();
        for input in &mut layout.inputs {
            input.slot = slot(input.slot);
        }
        layout
    }

    /// Whether any state stands beside the rows.
    #[inline]
    pub(crate) fn has_beside(&self) -> bool {
        !self.beside.is_empty()
    }

    /// How many words the row of a group has.
    pub(crate) fn width(&self) -> usize {
        self.initial.len()
    }

    /// The position beside the rows of the states of the aggregate of that number, if they stand there.
    pub(super) fn beside_of(&self, number: usize) -> Option<usize> {
        match self.places[number] {
            Place::Beside { at } => Some(at),
            Place::Count { .. }
            | Place::SumInts { .. }
            | Place::SumFloats { .. }
            | Place::Moments { .. }
            | Place::Value { .. } => None,
        }
    }

    fn without_input(&mut self, function: &Function) -> Place {
        match function {
            Function::CountRows => {
                let at = self.rows_at.unwrap_or_else(|| self.words(&[0]));
                self.rows_at = Some(at);
                Place::Count { at }
            }
            function => Place::Beside {
                at: self.stand_beside(function),
            },
        }
    }

    /// Finds room for a state of an input. Equal states are one.
    fn place(&mut self, function: &Function, draft: &mut Draft) -> Place {
        match *function {
            Function::CountValues => Place::Count { at: draft.count(self) },
            Function::Sum(Type::Int) | Function::Avg(Type::Int) => Place::SumInts {
                count: draft.count(self),
                at: draft.update(self, &[0, 0], |at| Update::SumInts { at }),
            },
            Function::Sum(_) | Function::Avg(_) => Place::SumFloats {
                count: draft.count(self),
                at: draft.update(self, &[ZERO, ZERO], |at| Update::SumFloats { at }),
            },
            Function::Spread { .. } => Place::Moments {
                at: draft.update(self, &[0, ZERO, ZERO], |at| Update::Moments { at }),
            },
            Function::Extreme { kind, largest: true } if is_fixed(kind) => Place::Value {
                count: draft.count(self),
                at: draft.update(self, &[least(kind)], |at| Update::Largest { at }),
            },
            Function::Extreme { kind, largest: false } if is_fixed(kind) => Place::Value {
                count: draft.count(self),
                at: draft.update(self, &[greatest(kind)], |at| Update::Smallest { at }),
            },
            Function::Edge { kind, last: true } if is_fixed(kind) => Place::Value {
                count: draft.count(self),
                at: draft.update(self, &[0], |at| Update::Last { at }),
            },
            Function::Edge { kind, last: false } if is_fixed(kind) => {
                // The second word says whether there is a value: the count may be ahead of it within a batch.
                let at = draft.update(self, &[0, 0], |at| Update::First { at });
                Place::Value { at, count: at + 1 }
            }
            Function::CountRows
            | Function::Extreme { .. }
            | Function::Edge { .. }
            | Function::Distinct(_)
            | Function::Library(_) => {
                let at = self.stand_beside(function);
                draft.updates.push(Update::Beside { at });
                Place::Beside { at }
            }
        }
    }

    fn words(&mut self, initial: &[u64]) -> usize {
        let at = self.initial.len();
        self.initial.extend_from_slice(initial);
        at
    }

    fn stand_beside(&mut self, function: &Function) -> usize {
        self.beside.push(function.clone());
        self.beside.len() - 1
    }
}

impl Draft {
    fn new(operand: Operand) -> Self {
        Draft {
            operand,
            updates: Vec::new(),
            count: None,
        }
    }

    fn count(&mut self, layout: &mut StateLayout) -> usize {
        if let Some(at) = self.count {
            return at;
        }
        let at = self.update(layout, &[0], |at| Update::Count { at });
        self.count = Some(at);
        at
    }

    /// The words of an update, new or known.
    fn update(&mut self, layout: &mut StateLayout, initial: &[u64], update: impl Fn(usize) -> Update) -> usize {
        if let Some(known) = self.updates.iter().find(|known| **known == update(known.at())) {
            return known.at();
        }
        let at = layout.words(initial);
        self.updates.push(update(at));
        at
    }
}

impl Update {
    /// The first word, or the position beside the rows.
    fn at(self) -> usize {
        match self {
            Update::Count { at }
            | Update::SumInts { at }
            | Update::SumFloats { at }
            | Update::Moments { at }
            | Update::Smallest { at }
            | Update::Largest { at }
            | Update::First { at }
            | Update::Last { at }
            | Update::Beside { at } => at,
        }
    }
}

/// Whether a value of this type is one word.
fn is_fixed(kind: Type) -> bool {
    match kind {
        Type::Bool | Type::Int | Type::Float | Type::Time => true,
        Type::Text | Type::Bytes | Type::Json => false,
    }
}

/// What every value is at least as large as; for floats NaN, which every number replaces.
fn least(kind: Type) -> u64 {
    match kind {
        Type::Float => f64::NAN.to_bits(),
        Type::Int | Type::Time => i64::MIN.cast_unsigned(),
        Type::Bool | Type::Text | Type::Bytes | Type::Json => 0,
    }
}

fn greatest(kind: Type) -> u64 {
    match kind {
        Type::Float => f64::NAN.to_bits(),
        Type::Int | Type::Time => i64::MAX.cast_unsigned(),
        Type::Bool | Type::Text | Type::Bytes | Type::Json => 1,
    }
}

/// The bits of the float zero.
const ZERO: u64 = 0.0_f64.to_bits();
