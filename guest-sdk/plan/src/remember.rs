//! Steps that remember earlier rows: what the host keeps between rows, so that guests stay pure.

use crate::{Argument, ColumnIndex};
use serde::{Deserialize, Serialize};

/// A step of `before` that looks back: what it appends depends on the rows that came to it before, in order of arrival.
///
/// Its place decides which rows these are: before the column of `keep` is there all rows, after it the kept ones. What it
/// remembers is part of the rule's state, like the open windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remember {
    /// The name of the output columns.
    pub name: String,
    /// What is remembered, and what comes out of it.
    pub recall: Recall,
    /// The value: one column, or for all but the sums and the like several that are one value together. It is null where
    /// all of them are.
    pub columns: Vec<ColumnIndex>,
    /// For `lag` and `latest`: what comes out when there is nothing to look back to, one for each of `columns`. Left out:
    /// null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defaults: Vec<Argument>,
    /// Rows that agree in these columns have a memory of their own. Null is a value like any other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition: Vec<ColumnIndex>,
    /// A boolean column: only rows where it is true are remembered; null is false. The others look back all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ColumnIndex>,
}

/// What a step remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Recall {
    /// The value so many remembered rows ago; as many columns as the value has.
    Lag {
        /// How many rows ago; at least 1, at most [`LAG_ROWS_MAX`].
        rows: u32,
        /// Rows where the value is null are not remembered.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ignore_null: bool,
    },
    /// The value of the row, or where it is null, or the row is not remembered, the last one that was remembered and not
    /// null; as many columns as the value has.
    Latest,
    /// Whether the value is another one than that of the remembered row before; a bool. For the first row it is true
    /// unless the value is null. A row that is not remembered has not changed.
    Changed {
        /// Rows where the value is null are not remembered, and have not changed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ignore_null: bool,
    },
    /// What an aggregate has come to with the row, nulls passed over; one column.
    Accumulate {
        /// Which aggregate.
        function: Accumulation,
        /// A boolean column: nothing is added before it is true. Left out: it begins with the first row.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begin: Option<ColumnIndex>,
        /// A boolean column: after a row where it is true, it begins anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reset: Option<ColumnIndex>,
    },
}

/// What [`Recall::Accumulate`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Accumulation {
    /// How many values; an int.
    Count,
    /// The sum of ints or floats, of their type; 0 as long as there is none. An int sum beyond 64 bits is a row error.
    Sum,
    /// The average of ints or floats, a float; 0 as long as there is none.
    Avg,
    /// The smallest value; null as long as there is none.
    Min,
    /// The largest value; null as long as there is none.
    Max,
}

impl Recall {
    /// What the step is called in messages.
    pub fn name(self) -> &'static str {
        match self {
            Recall::Lag { .. } => "lag",
            Recall::Latest => "latest",
            Recall::Changed { .. } => "changed",
            Recall::Accumulate { function, .. } => match function {
                Accumulation::Count => "acc_count",
                Accumulation::Sum => "acc_sum",
                Accumulation::Avg => "acc_avg",
                Accumulation::Min => "acc_min",
                Accumulation::Max => "acc_max",
            },
        }
    }

    /// The boolean columns besides the value.
    pub fn conditions(self) -> impl Iterator<Item = ColumnIndex> {
        let (begin, reset) = match self {
            Recall::Lag { .. } | Recall::Latest | Recall::Changed { .. } => (None, None),
            Recall::Accumulate { begin, reset, .. } => (begin, reset),
        };
        begin.into_iter().chain(reset)
    }
}

impl Remember {
    /// The types of the columns that it appends, of those of its value; `None` for one that is not known.
    pub fn returns(&self, kind: impl Fn(ColumnIndex) -> Option<crate::Type>) -> Vec<Option<crate::Type>> {
        use crate::Type;
        let first = || self.columns.first().and_then(|&column| kind(column));
        match self.recall {
            Recall::Lag { .. } | Recall::Latest => self.columns.iter().map(|&column| kind(column)).collect(),
            Recall::Changed { .. } => vec![Some(Type::Bool)],
            Recall::Accumulate { function, .. } => vec![match function {
                Accumulation::Count => Some(Type::Int),
                Accumulation::Avg => Some(Type::Float),
                Accumulation::Sum | Accumulation::Min | Accumulation::Max => first(),
            }],
        }
    }
}

/// The most rows that [`Recall::Lag`] looks back.
pub const LAG_ROWS_MAX: u32 = 1024;
