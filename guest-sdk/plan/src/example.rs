//! Examples of functions: documentation, unit tests and the self-test at load, in one.

use crate::Literal;
use serde::{Deserialize, Serialize};

/// One call of a scalar function with constants, or one aggregation of a few rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The rows, each with one value a parameter. A scalar function's example has exactly one row.
    pub rows: Vec<Vec<Literal>>,
    /// What comes out.
    pub expected: Expected,
}

/// The outcome of an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// This value. Floats are compared exactly.
    Value(Literal),
    /// A row error, whatever its text.
    Error,
}
