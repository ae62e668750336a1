//! A plan after its check: what the engine carries out, with every position resolved and every type known.

use crate::aggregate::{StateLayout, shape_beside};
use crate::aligned::Aligned;
use crate::memory::{Backup, Remembering, Task};
use crate::snapshot::{Writer, number_of};
use crate::{AccumulatorId, BoundAggregate, Bounds, Field, KernelsId, SiteId};
use rulemill_plan::{Fallback, LatePolicy, Type};
use std::sync::Arc;

/// A column that a stream provides to all its rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// The topic.
    Topic,
    /// A decoded field.
    Field(Field),
    /// A call on other sources, made once for all rules.
    Call(SharedCall),
}

/// A call whose inputs all come from the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SharedCall {
    pub(crate) site: SiteId,
    /// Positions of earlier sources of the same program. Not the sources themselves: a plan may use each call twice in
    /// the next one, and written out that is a tree too large to look at.
    pub(crate) inputs: Vec<usize>,
    pub(crate) returns: Type,
    /// Immutable, and of nothing but the topic: the result is remembered for each topic.
    pub(crate) by_topic: bool,
}

impl Source {
    /// Whether the topic alone decides the value.
    pub(crate) fn by_topic(&self) -> bool {
        match self {
            Source::Topic => true,
            Source::Field(_) => false,
            Source::Call(call) => call.by_topic,
        }
    }
}

/// A column of the before or the after file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    /// One of [`FoldProgram::sources`].
    Source(usize),
    /// A column of the rule's own frame.
    Local(usize),
}

/// One thing to do to a frame of rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Rows for which a shared call failed are dead from here on.
    Check { source: usize, label: String },
    /// A call of the rule's own; appends one local column.
    Call {
        site: SiteId,
        inputs: Vec<Slot>,
        returns: Type,
        label: String,
    },
    /// A kernel; appends its outputs as local columns.
    Kernel {
        kernel: u32,
        inputs: Vec<Slot>,
        outputs: Vec<Type>,
        label: String,
    },
    /// Rows where this is not true are left out from here on.
    Keep(Slot),
    /// A look back to earlier rows; appends local columns.
    Remember(Box<Remembering>),
}

/// A need of which some values make the message bad.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Requirement {
    /// The position in [`FoldProgram::sources`].
    pub(crate) source: usize,
    pub(crate) field: Field,
    pub(crate) missing: Fallback,
    pub(crate) mistyped: Fallback,
}

/// By which time rows find their window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Timing {
    /// No window.
    PerBatch,
    /// By the time of arrival.
    Arrival,
    /// By a column.
    Event(EventTiming),
}

/// How rows are cut into windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cut {
    /// By their time alone.
    Aligned(Aligned),
    /// Until no row came for `timeout`, but not longer than `max`; in microseconds.
    Session { timeout: i64, max: i64 },
    /// The last `rows`, with each row whose number is a multiple of `every`, which is at most `rows`.
    Count { rows: usize, every: usize },
    /// From `size` before a row to the row, or until `delay` after it; in microseconds.
    Sliding { size: i64, delay: i64 },
    /// From a row to a row.
    State,
}

impl Cut {
    /// The most windows that a row is in.
    pub(crate) fn overlap(self) -> usize {
        match self {
            Cut::Aligned(aligned) => aligned.overlap(),
            Cut::Session { .. } | Cut::Count { .. } | Cut::Sliding { .. } | Cut::State => 1,
        }
    }

    /// Whether rows of earlier windows are in later ones, so that two states do not become the same by themselves.
    pub(crate) fn has_history(self) -> bool {
        match self {
            Cut::Aligned(_) | Cut::Session { .. } | Cut::State => false,
            Cut::Count { .. } | Cut::Sliding { .. } => true,
        }
    }

    /// Whether windows end with a row, however late it comes.
    pub(crate) fn ends_by_rows(self) -> bool {
        match self {
            Cut::Aligned(_) | Cut::Session { .. } | Cut::Sliding { .. } => false,
            Cut::Count { .. } | Cut::State => true,
        }
    }
}

/// What is kept of rows that wait for windows to be made of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kept {
    /// The columns that windows need, and their types.
    pub(crate) slots: Vec<Slot>,
    pub(crate) kinds: Vec<Type>,
    /// Which of them are the conditions of the window.
    pub(crate) marks: Vec<usize>,
    /// Which of them says what rows are in groups; `None`: all.
    pub(crate) content: Option<usize>,
    /// The same program for rows that have these columns only.
    pub(crate) program: FoldProgram,
}

/// Windows by a time that the message carries, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EventTiming {
    pub(crate) column: Slot,
    pub(crate) lateness: i64,
    pub(crate) late: LatePolicy,
    pub(crate) idle: Option<i64>,
    pub(crate) future_max: i64,
}

/// An aggregate function with the type that it works on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Function {
    CountRows,
    CountValues,
    Sum(Type),
    Avg(Type),
    Extreme { kind: Type, largest: bool },
    Edge { kind: Type, last: bool },
    Spread { kind: Type, root: bool, sample: bool },
    Distinct(Type),
    Library(BoundAggregate),
}

/// One aggregate of a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AggregateUse {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Slot>,
    pub(crate) label: String,
}

/// What decides whether the state of one version can be carried on by another: the shape of the state, and what is in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) keys: Vec<Type>,
    pub(crate) each_row: bool,
    /// Which rows count.
    pub(crate) keep: Lineage,
    /// Of the keys.
    pub(crate) groups: Lineage,
    /// Of the aggregates' arguments, one aggregate after the other.
    pub(crate) arguments: Lineage,
    pub(crate) cut: Option<Cut>,
    /// Of the conditions of the window.
    pub(crate) marks: Lineage,
    /// Which rows are in groups.
    pub(crate) content: Lineage,
    /// The types of what is kept of rows.
    pub(crate) kept: Vec<Type>,
    /// Of the steps that remember.
    pub(crate) memories: Lineage,
    pub(crate) time: TimeLayout,
    pub(crate) aggregates: Vec<AggregateLayout>,
}

/// The clock of the windows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TimeLayout {
    Arrival,
    /// By a column.
    Event(Lineage),
}

/// What columns are computed from. Two lineages are equal when the columns mean the same.
///
/// What a column's values are when they are missing or mistyped is not part of it, nor is the code behind a call or a
/// kernel: to replace code within the same layout means that it goes on with the state. Settings are part of it, for who
/// changes a threshold or a factor wants other results, and a window of both would be right for neither: those that are
/// arguments of a call are in the call's site, and a kernel may read all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// Inputs before what is computed from them, each once.
    pub(crate) nodes: Vec<Node>,
    /// Positions in the nodes.
    pub(crate) columns: Vec<usize>,
    /// The values of all settings, as text, if there is a kernel among the nodes.
    pub(crate) settings: Option<Arc<str>>,
}

impl Lineage {
    pub(crate) fn has_kernel(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Kernel { .. }))
    }
}

/// One origin of a column; inputs are positions of other nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Topic,
    Field(Field),
    /// The site stands for the function, its literals and its settings.
    Call {
        site: SiteId,
        inputs: Vec<usize>,
    },
    /// A run of a kernel, known by its number only.
    Kernel {
        kernel: u32,
        inputs: Vec<usize>,
    },
    /// A step that remembers, with the columns that feed it one after the other: value, partition, conditions, defaults,
    /// and what it is that filters rows before it.
    Memory {
        task: Task,
        parts: [usize; 3],
        conditions: [bool; 3],
        defaults: Vec<Backup>,
        inputs: Vec<usize>,
    },
    /// A column that a kernel or a step that remembers returns.
    Output {
        kernel: [usize; 1],
        position: usize,
        kind: Type,
    },
}

impl Node {
    pub(crate) fn inputs(&self) -> &[usize] {
        match self {
            Node::Topic | Node::Field(_) => &[],
            Node::Call { inputs, .. } | Node::Kernel { inputs, .. } | Node::Memory { inputs, .. } => inputs,
            Node::Output { kernel, .. } => kernel,
        }
    }

    /// The same node over renumbered inputs, as many as it has.
    pub(crate) fn with_inputs(&self, renumbered: Vec<usize>) -> Node {
        let mut node = self.clone();
        match &mut node {
            Node::Topic | Node::Field(_) => {}
            Node::Call { inputs, .. } | Node::Kernel { inputs, .. } | Node::Memory { inputs, .. } => {
                *inputs = renumbered;
            }
            Node::Output { kernel, .. } => kernel.copy_from_slice(&renumbered),
        }
        node
    }
}

/// The shape of one aggregate's state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AggregateLayout {
    BuiltIn(Function),
    Library {
        /// Stands for the function, the types of its arguments, its literals and its settings.
        accumulator: AccumulatorId,
        state_words: u32,
        fingerprint: u64,
    },
}

/// An executable rule.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) id: Arc<str>,
    /// The host's number of this version.
    pub(crate) tag: u64,
    /// What it does up to its closed windows.
    pub(crate) fold: Arc<FoldProgram>,
    pub(crate) kernels: Option<KernelsId>,
    pub(crate) after: Vec<Action>,
    /// Columns to order by, and whether descending.
    pub(crate) order: Vec<(Slot, bool)>,
    pub(crate) limit: Option<usize>,
    pub(crate) emit_names: Arc<[Arc<str>]>,
    pub(crate) emits: Vec<Slot>,
    /// The names of a closed group's columns: keys, window start and end, aggregates.
    pub(crate) group_names: Arc<[Arc<str>]>,
    pub(crate) layout: Layout,
}

/// What a rule does with rows: checks, steps, filter, keys, windows and aggregates. Rules whose fold programs are equal
/// make the same of the same rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FoldProgram {
    /// The kernels of the steps before the window, if there are any.
    pub(crate) kernels: Option<KernelsId>,
    /// The columns it takes from the stream, each once, inputs before the calls on them.
    pub(crate) sources: Vec<Source>,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) before: Vec<Action>,
    pub(crate) keys: Vec<Slot>,
    pub(crate) key_kinds: Vec<Type>,
    /// Every row is a group of its own.
    pub(crate) each_row: bool,
    /// The topic alone decides the group.
    pub(crate) keys_by_topic: bool,
    pub(crate) timing: Timing,
    /// `None` without a window.
    pub(crate) cut: Option<Cut>,
    /// For windows that depend on the order of rows.
    pub(crate) kept: Option<Box<Kept>>,
    pub(crate) aggregates: Vec<AggregateUse>,
    /// Where their states stand.
    pub(crate) states: StateLayout,
    /// The most groups in one window: the bound, less for groups that take much memory.
    pub(crate) groups_max: usize,
    /// The bounds of one window, less than the rule's if a row is in several.
    pub(crate) bounds: Bounds,
}

impl Program {
    /// The call sites that it has, some more than once.
    pub(crate) fn sites(&self) -> Vec<SiteId> {
        let mut sites = Vec::new();
        for source in &self.fold.sources {
            match source {
                Source::Call(call) => sites.push(call.site),
                Source::Topic | Source::Field(_) => {}
            }
        }
        for action in self.fold.before.iter().chain(&self.after) {
            match action {
                Action::Call { site, .. } => sites.push(*site),
                Action::Check { .. } | Action::Kernel { .. } | Action::Keep(_) | Action::Remember(_) => {}
            }
        }
        sites
    }

    /// The accumulators that it has.
    pub(crate) fn accumulators(&self) -> impl Iterator<Item = AccumulatorId> {
        let functions = self.fold.aggregates.iter().map(|aggregate| &aggregate.function);
        functions.filter_map(|function| match function {
            Function::Library(bound) => Some(bound.accumulator),
            Function::CountRows
            | Function::CountValues
            | Function::Sum(_)
            | Function::Avg(_)
            | Function::Extreme { .. }
            | Function::Edge { .. }
            | Function::Spread { .. }
            | Function::Distinct(_) => None,
        })
    }
}

/// Stands in the shape of a state whose groups are rows. No type has this number.
const EACH_ROW: u8 = u8::MAX;

impl FoldProgram {
    /// What its state looks like, as bytes to be compared.
    pub(crate) fn shape(&self) -> Vec<u8> {
        let mut shape = Writer::default();
        shape.count(self.key_kinds.len());
        for &kind in &self.key_kinds {
            shape.u8(number_of(kind));
        }
        if self.each_row {
            shape.u8(EACH_ROW);
        }
        shape.count(self.states.width());
        let beside: Vec<u8> = shape_beside(&self.states).collect();
        shape.bytes(&beside);
        match self.cut {
            // These were the only windows once, so nothing says that they are.
            None => {}
            Some(Cut::Aligned(Aligned { size, hop })) if size == hop => {}
            Some(Cut::Aligned(Aligned { size, hop })) => {
                shape.u8(1);
                shape.i64(size);
                shape.i64(hop);
            }
            Some(Cut::Session { timeout, max }) => {
                shape.u8(2);
                shape.i64(timeout);
                shape.i64(max);
            }
            Some(Cut::Count { rows, every }) => {
                shape.u8(3);
                shape.u64(rows as u64);
                shape.u64(every as u64);
            }
            Some(Cut::Sliding { size, delay }) => {
                shape.u8(4);
                shape.i64(size);
                shape.i64(delay);
            }
            Some(Cut::State) => shape.u8(5),
        }
        if let Some(kept) = &self.kept {
            let kinds: Vec<u8> = kept.kinds.iter().map(|&kind| number_of(kind)).collect();
            shape.bytes(&kinds);
        }
        for memory in self.memories() {
            memory.write_shape(&mut shape);
        }
        shape.finish()
    }

    /// The steps that remember, in the order of their places.
    pub(crate) fn memories(&self) -> impl Iterator<Item = &Remembering> {
        self.before.iter().filter_map(|action| match action {
            Action::Remember(step) => Some(&**step),
            Action::Check { .. } | Action::Call { .. } | Action::Kernel { .. } | Action::Keep(_) => None,
        })
    }

    /// Whether a window with so many groups, whose keys have so many bytes of texts, may begin another one.
    #[inline]
    pub(crate) fn admits(&self, groups: usize, bytes: usize) -> bool {
        groups < self.groups_max && bytes < self.bounds.window_bytes_max
    }

    /// Whether its rows are those of the batch, as long as no check finds anything.
    pub(crate) fn takes_whole_batches(&self) -> bool {
        self.before.iter().all(|action| match action {
            Action::Check { .. } => true,
            Action::Call { .. } | Action::Kernel { .. } | Action::Keep(_) | Action::Remember(_) => false,
        })
    }

    /// Whether the same rows always make the same state. A guest is pure, but may be out of time.
    pub(crate) fn is_exact(&self) -> bool {
        let steps = self.before.iter().all(|action| match action {
            Action::Check { .. } | Action::Keep(_) => true,
            Action::Call { .. } | Action::Kernel { .. } => false,
            // It depends on rows that came before.
            Action::Remember(_) => false,
        });
        let library = |aggregate: &AggregateUse| matches!(aggregate.function, Function::Library(_));
        steps && !self.aggregates.iter().any(library)
    }
}
