//! Aggregates of a window.

use crate::Argument;
use serde::{Deserialize, Serialize};

/// One aggregate over the rows of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// The name of the resulting column.
    pub name: String,
    /// One of [`BUILT_IN_AGGREGATES`], or an aggregate function of a library.
    pub function: String,
    /// The library that has it. Left out: the built-in, else the only loaded library that has one of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// The arguments. `count` without one counts rows, with one the rows where it is not null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
}

/// The aggregates that the host computes itself. All but `count` without an argument skip nulls, and give null for a
/// group without a value (`count` and `count_distinct` give 0).
///
/// | name | of | gives |
/// |---|---|---|
/// | `count` | nothing, or any column | int |
/// | `sum` | int, float | the same type; an int sum beyond 64 bits is a row error |
/// | `avg` | int, float | float |
/// | `min`, `max` | bool, int, float, time, text | the same type |
/// | `first`, `last` | any column | the same type, in order of arrival |
/// | `stddev`, `var` | int, float | float, of the population |
/// | `stddevs`, `vars` | int, float | float, of a sample; null for one value |
/// | `count_distinct` | any column | int, exact |
pub const BUILT_IN_AGGREGATES: &[&str] = &[
    "avg",
    "count",
    "count_distinct",
    "first",
    "last",
    "max",
    "min",
    "stddev",
    "stddevs",
    "sum",
    "var",
    "vars",
];
