//! What the builder has recorded so far, and how it becomes a plan.

use super::column::ColumnId;
use super::prepared::KernelDraft;
use rulemill_plan::{
    Aggregate, Argument, Call, ColumnIndex, Emit, EventTime, FORMAT, Kernel, LatePolicy, Literal, Need, Order,
    OutputColumn, Plan, Recall, Remember, Setting, Step, Type, Window,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// A rule that is being built.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) doc: String,
    pub(crate) topics: Vec<String>,
    pub(crate) sinks: Vec<String>,
    pub(crate) needs: Vec<Need>,
    pub(crate) settings: Vec<Setting>,
    pub(crate) before: Vec<StepDraft>,
    pub(crate) keep: Option<ColumnId>,
    pub(crate) content: Option<ColumnId>,
    pub(crate) keys: Vec<ColumnId>,
    pub(crate) each_row: bool,
    pub(crate) window: Option<Window>,
    pub(crate) event_time: Option<EventTimeDraft>,
    pub(crate) aggregates: Vec<AggregateDraft>,
    pub(crate) after: Vec<StepDraft>,
    pub(crate) having: Option<ColumnId>,
    pub(crate) order: Vec<(ColumnId, bool)>,
    pub(crate) limit: Option<u32>,
    pub(crate) emits: Vec<(String, ColumnId)>,
    pub(crate) kernels: Vec<KernelDraft>,
}

/// A step; it has exactly one output.
pub(crate) enum StepDraft {
    Call {
        function: FunctionName,
        arguments: Vec<ArgumentDraft>,
        returns: Type,
    },
    /// The kernel of this number.
    Kernel {
        name: String,
        kernel: usize,
    },
    LookBack(LookBackDraft),
}

/// A look back to earlier values of a column.
pub(crate) struct LookBackDraft {
    /// Without its columns, which are the last two of the conditions.
    pub(crate) recall: Recall,
    pub(crate) column: ColumnId,
    pub(crate) default: Option<ArgumentDraft>,
    pub(crate) partition: Vec<ColumnId>,
    /// When, begin, reset.
    pub(crate) conditions: [Option<ColumnId>; 3],
}

pub(crate) struct AggregateDraft {
    pub(crate) function: FunctionName,
    pub(crate) arguments: Vec<ArgumentDraft>,
}

pub(crate) struct EventTimeDraft {
    pub(crate) column: ColumnId,
    pub(crate) lateness_ms: u64,
    pub(crate) late: LatePolicy,
    pub(crate) idle_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ArgumentDraft {
    Column(ColumnId),
    Literal(Literal),
    Setting(String),
}

/// A function's name, and the library's when the author named one as in `text.upper`.
pub(crate) struct FunctionName {
    library: Option<String>,
    function: String,
}

impl From<&str> for FunctionName {
    fn from(name: &str) -> Self {
        let (library, function) = match name.split_once('.') {
            Some((library, function)) => (Some(library.to_owned()), function),
            None => (None, name),
        };
        FunctionName {
            library,
            function: function.to_owned(),
        }
    }
}

impl Draft {
    /// The plan: every handle becomes a position.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            format: FORMAT,
            name: self.name.clone(),
            version: self.version.clone(),
            doc: self.doc.clone(),
            topics: self.topics.clone(),
            source: None,
            needs: self.needs.clone(),
            before: self.steps(&self.before),
            keep: self.keep.map(|id| self.index(id)),
            content: self.content.map(|id| self.index(id)),
            each_row: self.each_row,
            keys: self.keys.iter().map(|&id| self.index(id)).collect(),
            window: self.window,
            event_time: self.event_time.as_ref().map(|draft| EventTime {
                column: self.index(draft.column),
                lateness_ms: draft.lateness_ms,
                late: draft.late,
                idle_ms: draft.idle_ms,
            }),
            aggregates: self.aggregates.iter().map(|draft| self.aggregate(draft)).collect(),
            after: self.steps(&self.after),
            having: self.having.map(|id| self.index(id)),
            order: self.order(),
            limit: self.limit,
            emits: self.emits(),
            settings: self.settings.clone(),
            sinks: self.sinks.clone(),
            annotations: BTreeMap::new(),
        }
    }

    /// The position of a column. Those of messages are known when a window follows.
    pub(super) fn index(&self, id: ColumnId) -> ColumnIndex {
        let aggregates = self.keys.len() + 2;
        let position = match id {
            ColumnId::Need(position) | ColumnId::Key(position) => position,
            ColumnId::BeforeStep(step) => self.needs.len() + step,
            ColumnId::WindowStart => self.keys.len(),
            ColumnId::WindowEnd => self.keys.len() + 1,
            ColumnId::Aggregate(position) => aggregates + position,
            ColumnId::AfterStep(step) => aggregates + self.aggregates.len() + step,
        };
        ColumnIndex(number(position))
    }

    fn steps(&self, steps: &[StepDraft]) -> Vec<Step> {
        steps.iter().map(|step| self.step(step)).collect()
    }

    fn step(&self, step: &StepDraft) -> Step {
        match step {
            StepDraft::Call {
                function,
                arguments,
                returns,
            } => Step::Call(Call {
                name: function.function.clone(),
                function: function.function.clone(),
                library: function.library.clone(),
                arguments: self.arguments(arguments),
                returns: Some(*returns),
            }),
            StepDraft::LookBack(draft) => Step::Remember(self.look_back(draft)),
            StepDraft::Kernel { name, kernel } => {
                let draft = &self.kernels[*kernel];
                Step::Kernel(Kernel {
                    kernel: number(*kernel),
                    inputs: draft.columns().map(|id| self.index(id)).collect(),
                    outputs: vec![OutputColumn {
                        name: name.clone(),
                        kind: draft.returns,
                    }],
                })
            }
        }
    }

    fn look_back(&self, draft: &LookBackDraft) -> Remember {
        let [when, begin, reset] = draft.conditions.map(|id| id.map(|id| self.index(id)));
        let recall = match draft.recall {
            Recall::Accumulate { function, .. } => Recall::Accumulate { function, begin, reset },
            other @ (Recall::Lag { .. } | Recall::Latest | Recall::Changed { .. }) => other,
        };
        Remember {
            name: recall.name().to_owned(),
            recall,
            columns: vec![self.index(draft.column)],
            defaults: draft
                .default
                .iter()
                .flat_map(|default| self.arguments(std::slice::from_ref(default)))
                .collect(),
            partition: draft.partition.iter().map(|&id| self.index(id)).collect(),
            when,
        }
    }

    fn aggregate(&self, draft: &AggregateDraft) -> Aggregate {
        Aggregate {
            name: draft.function.function.clone(),
            function: draft.function.function.clone(),
            library: draft.function.library.clone(),
            arguments: self.arguments(&draft.arguments),
        }
    }

    fn arguments(&self, arguments: &[ArgumentDraft]) -> Vec<Argument> {
        let lower = |argument: &ArgumentDraft| match argument {
            ArgumentDraft::Column(id) => Argument::Column(self.index(*id)),
            ArgumentDraft::Literal(literal) => Argument::Literal(literal.clone()),
            ArgumentDraft::Setting(name) => Argument::Setting(name.clone()),
        };
        arguments.iter().map(lower).collect()
    }

    fn order(&self) -> Vec<Order> {
        let lower = |&(id, descending): &(ColumnId, bool)| Order {
            column: self.index(id),
            descending,
        };
        self.order.iter().map(lower).collect()
    }

    fn emits(&self) -> Vec<Emit> {
        let lower = |(name, id): &(String, ColumnId)| Emit {
            name: name.clone(),
            column: self.index(*id),
            otherwise: Vec::new(),
        };
        self.emits.iter().map(lower).collect()
    }
}

fn number(position: usize) -> u32 {
    u32::try_from(position).expect("a rule has fewer than 2^32 columns, each of which its author named")
}

/// Whole milliseconds, rounded down.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
