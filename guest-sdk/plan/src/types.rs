//! The types of columns.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The type of a column; one for each variant of the contract's `cells`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// True or false.
    Bool,
    /// A signed 64-bit integer.
    Int,
    /// An IEEE 754 double.
    Float,
    /// Microseconds since the Unix epoch, UTC, as a signed 64-bit integer.
    Time,
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Bytes,
    /// Any JSON value, as its text.
    Json,
}

impl Type {
    /// Every type, in the order of the contract's `cells`.
    pub const ALL: [Type; 7] = [
        Type::Bool,
        Type::Int,
        Type::Float,
        Type::Time,
        Type::Text,
        Type::Bytes,
        Type::Json,
    ];

    /// The name as it stands in JSON and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Float => "float",
            Type::Time => "time",
            Type::Text => "text",
            Type::Bytes => "bytes",
            Type::Json => "json",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
