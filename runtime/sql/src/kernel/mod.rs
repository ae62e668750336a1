//! Kernels: what a query computes itself, as wasm code.
//!
//! A kernel is a loop over rows. Each expression leaves a *slot*, local variables with the kind of its value and the value
//! itself; so code knows what to do with values whose type only the row tells, and branches of `CASE`, `AND` and `OR` are
//! computed only where they count. A row that cannot be computed costs itself.
#![expect(
    clippy::cast_possible_truncation,
    reason = "the sizes are those of one query, which has at most 256 KiB"
)]

mod assembler;
mod code;
mod helpers;
mod like;
mod memory;
mod module;
mod operators;
mod slot;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use module::module;
pub(crate) use value::{Case, Kinds, Node, Value, word};

use crate::column::Column;
use rulemill_plan::Type;

/// A kernel: the columns it is handed, and what it makes of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kernel {
    /// The columns, in the order in which they are handed over.
    pub(crate) inputs: Vec<(Column, Type)>,
    /// What it computes.
    pub(crate) outputs: Vec<Output>,
}

/// One expression of a kernel, and the columns made of it: one for each type that is wanted of its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub(crate) value: Value,
    pub(crate) kinds: Vec<Type>,
}

impl Kernel {
    /// Makes the inputs those columns that the outputs name.
    pub(crate) fn collect_inputs(&mut self) {
        let mut inputs = Vec::new();
        for output in &self.outputs {
            output.value.columns(&mut inputs);
        }
        self.inputs = inputs;
    }
}
