//! The steps of one side of the window while a query is bound: calls, and kernels that grow until something needs what they
//! compute.

use crate::column::Column;
use crate::kernel::{Kernel, Node, Output, Value};
use rulemill_plan::{Argument, Literal, Type};

/// Steps, and the columns that they append.
pub(super) struct Steps {
    pub(super) list: Vec<Step>,
    /// The kernel that grows.
    pending: PendingKernel,
    /// How many columns there are so far.
    columns: u32,
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
    pub(super) fn lower(&self, position: impl Fn(Column) -> rulemill_plan::ColumnIndex) -> Argument {
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

    /// Has a kernel compute a value: the columns with it, one for each of the types.
    pub(super) fn compute(&mut self, value: Value, kinds: &[Type]) -> Vec<Column> {
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

    /// The columns of the same value, when it is computed already.
    fn computed(&self, value: &Value, kinds: &[Type]) -> Option<Vec<Column>> {
        let done = self.list.iter().filter_map(|step| match step {
            Step::Kernel { kernel, columns } => Some((&kernel.outputs, columns)),
            Step::Call(_) => None,
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
