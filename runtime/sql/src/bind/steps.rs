//! The steps of one side of the window while a query is bound: calls, and kernels that grow until something needs what they
//! compute.

use crate::column::Column;
use crate::kernel::{Case, Kernel, Node, Output, Value};
use rulemill_plan::{Accumulation, Argument, ColumnIndex, Literal, Recall, Type};

/// Steps, and the columns that they append.
pub(super) struct Steps {
    pub(super) list: Vec<Step>,
    /// The kernel that grows.
    pending: PendingKernel,
    /// How many columns there are so far.
    columns: u32,
    /// The condition that kernels from now on compute for.
    guard: Option<Column>,
    /// Which side of the window it is.
    name: fn(u32) -> Column,
}

/// One step.
pub(super) enum Step {
    Call(Call),
    Kernel {
        kernel: Kernel,
        /// One for each output and each of its types.
        columns: Vec<(Column, Type)>,
    },
    Remember(Remember),
}

/// A look back to earlier messages.
#[derive(Clone, PartialEq)]
pub(super) struct Remember {
    /// What it appends.
    pub(super) columns: Vec<Column>,
    pub(super) task: Task,
    /// The columns of the value.
    pub(super) values: Vec<Column>,
    pub(super) defaults: Vec<Given>,
    pub(super) partition: Vec<Column>,
    pub(super) when: Option<Column>,
    pub(super) begin: Option<Column>,
    pub(super) reset: Option<Column>,
}

/// What is remembered.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Task {
    Lag { rows: u32, ignore_null: bool },
    Latest,
    Changed { ignore_null: bool },
    Accumulate(Accumulation),
}

impl Remember {
    /// The columns that it reads.
    pub(super) fn inputs(&self) -> impl Iterator<Item = Column> {
        let defaults = self.defaults.iter().filter_map(|given| match given {
            Given::Column(column) => Some(column),
            Given::Literal(_) => None,
        });
        let columns = self.values.iter().chain(&self.partition).chain(defaults);
        columns.chain(&self.when).chain(&self.begin).chain(&self.reset).copied()
    }

    /// As a plan has it, with the position of each column.
    pub(super) fn lower(&self, place: impl Fn(Column) -> ColumnIndex) -> rulemill_plan::Remember {
        let recall = match self.task {
            Task::Lag { rows, ignore_null } => Recall::Lag { rows, ignore_null },
            Task::Latest => Recall::Latest,
            Task::Changed { ignore_null } => Recall::Changed { ignore_null },
            Task::Accumulate(function) => Recall::Accumulate {
                function,
                begin: self.begin.map(&place),
                reset: self.reset.map(&place),
            },
        };
        rulemill_plan::Remember {
            name: recall.name().to_owned(),
            recall,
            columns: self.values.iter().map(|column| place(*column)).collect(),
            defaults: self.defaults.iter().map(|given| given.lower(&place)).collect(),
            partition: self.partition.iter().map(|column| place(*column)).collect(),
            when: self.when.map(&place),
        }
    }
}

/// A call of a library's function.
#[derive(PartialEq)]
pub(super) struct Call {
    pub(super) column: Column,
    pub(super) library: String,
    pub(super) function: String,
    pub(super) arguments: Vec<Given>,
    pub(super) returns: Type,
}

/// An argument of a call.
#[derive(Clone, PartialEq)]
pub(super) enum Given {
    Column(Column),
    Literal(Literal),
}

impl Given {
    /// As a plan has it, with the position of each column.
    pub(super) fn lower(&self, position: impl Fn(Column) -> ColumnIndex) -> Argument {
        match self {
            Given::Column(column) => Argument::Column(position(*column)),
            Given::Literal(literal) => Argument::Literal(literal.clone()),
        }
    }
}

#[derive(Default)]
struct PendingKernel {
    outputs: Vec<Output>,
    columns: Vec<(Column, Type)>,
}

impl Steps {
    pub(super) fn new(name: fn(u32) -> Column) -> Self {
        Steps {
            list: Vec::new(),
            pending: PendingKernel::default(),
            columns: 0,
            guard: None,
            name,
        }
    }

    /// The column of a call; the same call is made once.
    pub(super) fn call(&mut self, library: &str, function: &str, arguments: Vec<Given>, returns: Type) -> Column {
        let mut call = Call {
            column: Column::Need(0),
            library: library.to_owned(),
            function: function.to_owned(),
            arguments,
            returns,
        };
        for step in &self.list {
            if let Step::Call(other) = step {
                call.column = other.column;
                if *other == call {
                    return other.column;
                }
            }
        }
        let computed = |given: &Given| matches!(given, Given::Column(column) if self.is_pending(*column));
        if call.arguments.iter().any(computed) {
            self.flush();
        }
        call.column = self.next_column();
        let column = call.column;
        self.list.push(Step::Call(call));
        column
    }

    /// The columns of a look back; the same one is there once.
    pub(super) fn remember(&mut self, mut remember: Remember) -> Vec<Column> {
        for step in &self.list {
            if let Step::Remember(other) = step {
                remember.columns.clone_from(&other.columns);
                if *other == remember {
                    return remember.columns;
                }
            }
        }
        if remember.inputs().any(|column| self.is_pending(column)) {
            self.flush();
        }
        let outputs = match remember.task {
            Task::Lag { .. } | Task::Latest => remember.values.len(),
            Task::Changed { .. } | Task::Accumulate(_) => 1,
        };
        let columns: Vec<Column> = (0..outputs).map(|_| self.next_column()).collect();
        remember.columns.clone_from(&columns);
        self.list.push(Step::Remember(remember));
        columns
    }

    /// The types of the columns of kernels.
    pub(super) fn types(&self) -> Vec<(Column, Type)> {
        let done = self.list.iter().filter_map(|step| match step {
            Step::Kernel { columns, .. } => Some(columns),
            Step::Call(_) | Step::Remember(_) => None,
        });
        done.chain([&self.pending.columns]).flatten().copied().collect()
    }

    /// Has a kernel compute a value: the columns with it, one for each of the types.
    pub(super) fn compute(&mut self, value: Value, kinds: &[Type]) -> Vec<Column> {
        if let Some(columns) = self.computed(&value, kinds) {
            return columns;
        }
        let value = self.guarded(value);
        if let Some(columns) = self.computed(&value, kinds) {
            return columns;
        }
        let mut inputs = Vec::new();
        value.columns(&mut inputs);
        if inputs.iter().any(|(column, _)| self.is_pending(*column)) {
            self.flush();
        }
        let columns: Vec<Column> = kinds.iter().map(|_| self.next_column()).collect();
        self.pending
            .columns
            .extend(columns.iter().copied().zip(kinds.iter().copied()));
        self.pending.outputs.push(Output {
            value,
            kinds: kinds.to_vec(),
        });
        columns
    }

    /// From now on kernels compute only where a condition holds; elsewhere their values are null.
    pub(super) fn guard(&mut self, condition: Option<Column>) {
        self.guard = condition;
    }

    fn guarded(&self, value: Value) -> Value {
        let mut inputs = Vec::new();
        value.columns(&mut inputs);
        let Some(condition) = self.guard.filter(|_| !inputs.is_empty()) else {
            return value;
        };
        let (kinds, source) = (value.kinds, value.source.clone());
        let condition = Value::column(condition, Type::Bool, source.clone());
        let case = Case {
            operand: None,
            branches: vec![(condition, value)],
            otherwise: None,
        };
        Value {
            node: Node::Case(Box::new(case)),
            kinds,
            source,
        }
    }

    /// The columns of the same value, when it is computed already.
    fn computed(&self, value: &Value, kinds: &[Type]) -> Option<Vec<Column>> {
        let done = self.list.iter().filter_map(|step| match step {
            Step::Kernel { kernel, columns } => Some((&kernel.outputs, columns)),
            Step::Call(_) | Step::Remember(_) => None,
        });
        for (outputs, columns) in done.chain([(&self.pending.outputs, &self.pending.columns)]) {
            let mut at = 0;
            for output in outputs {
                if output.value == *value && output.kinds == kinds {
                    return Some(
                        columns[at..at + kinds.len()]
                            .iter()
                            .map(|(column, _)| *column)
                            .collect(),
                    );
                }
                at += output.kinds.len();
            }
        }
        None
    }

    /// Ends the kernel that grows, so that what comes next can use what it computes.
    pub(super) fn flush(&mut self) {
        let PendingKernel { outputs, columns } = std::mem::take(&mut self.pending);
        if outputs.is_empty() {
            return;
        }
        let mut kernel = Kernel {
            inputs: Vec::new(),
            outputs,
        };
        kernel.collect_inputs();
        self.list.push(Step::Kernel { kernel, columns });
    }

    /// All columns, in the order in which the steps append them.
    pub(super) fn columns(&self) -> Vec<Column> {
        let mut all = Vec::new();
        for step in &self.list {
            match step {
                Step::Call(call) => all.push(call.column),
                Step::Remember(remember) => all.extend(&remember.columns),
                Step::Kernel { columns, .. } => all.extend(columns.iter().map(|(column, _)| *column)),
            }
        }
        all
    }

    fn is_pending(&self, column: Column) -> bool {
        self.pending.columns.iter().any(|(pending, _)| *pending == column)
    }

    fn next_column(&mut self) -> Column {
        self.columns += 1;
        (self.name)(self.columns - 1)
    }
}

/// A value as columns that are there already, without a kernel.
pub(super) fn as_columns(value: &Value) -> Option<Vec<(Type, Column)>> {
    match &value.node {
        Node::Column(column, kind) => Some(vec![(*kind, *column)]),
        _ => None,
    }
}
