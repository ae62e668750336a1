//! The steps of a plan: calls of library functions, runs of the rule's own kernels, and what is remembered of rows.

use crate::{ColumnIndex, Literal, Remember, Type};
use serde::{Deserialize, Serialize};

/// One step. It reads columns that exist already and appends its outputs to the file of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The host calls a function of a library; one output column.
    Call(Call),
    /// The host runs a kernel of the rule.
    Kernel(Kernel),
    /// The host looks back to earlier rows. Only in `before`.
    Remember(Remember),
}

/// A call of a library's scalar function over whole columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The name of the output column.
    pub name: String,
    /// The function's name.
    pub function: String,
    /// The library that has it; left out: the only loaded library that has a function of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// The arguments, in the order of the function's parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
    /// The type the rule relies on; a function that returns another is refused at load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Type>,
}

/// What a call is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// A column.
    Column(ColumnIndex),
    /// The same constant for every row.
    Literal(Literal),
    /// The value of one of the rule's settings, for every row.
    Setting(String),
}

/// What the contract's `bind` is told of an argument: `{"type": "text"}` or `{"literal": "/"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BoundArgument {
    /// A column of this type is handed over with every call.
    Type(Type),
    /// A constant, known now and not handed over again.
    Literal(Literal),
}

/// A run of one of the rule's kernels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// The number that the contract's `run` is given.
    pub kernel: u32,
    /// The columns handed over, in this order.
    pub inputs: Vec<ColumnIndex>,
    /// The columns the kernel returns, in this order.
    pub outputs: Vec<OutputColumn>,
}

/// A column that a kernel returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OutputColumn {
    /// The column's name, for messages and tables.
    pub name: String,
    /// The column's type.
    #[serde(rename = "type")]
    pub kind: Type,
}
