//! The plan of a rule.

use crate::{Aggregate, EventTime, Need, Setting, Step, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a rule asks the host to do: a list of steps over a growing file of columns.
///
/// There are two files of columns. The **before** file belongs to messages: the `needs`, then what each step of
/// `before` appends. The **after** file belongs to results. With a window it is the keys, the window's start and end
/// (times), the aggregates, and what each step of `after` appends. Without a window it is the before file, kept rows
/// only, and what `after` appends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this JSON; see [`crate::FORMAT`].
    #[serde(default = "crate::format_default")]
    pub format: u32,
    /// The rule's name: lower-case letters, digits, `_` and `-`.
    pub name: String,
    /// The rule's own version; any text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// The MQTT topic filters it listens to; the deployment may override them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// The source it listens to, by name; the deployment may override it. Left out: the configured default, or every source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The columns to take from each message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// The steps per message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Step>,
    /// The boolean column of the before file that filters rows; null is false. It takes effect as soon as its column
    /// is computed: later steps see kept rows only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<ColumnIndex>,
    /// The columns of the before file that form the group's key. Needs a window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ColumnIndex>,
    /// Every kept row is a group of its own, so that a window gives its rows, in order of arrival; `first` of a column is then
    /// the row's value. Needs a window, and goes without `keys`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each_row: bool,
    /// The window. Left out: the rule emits once a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The boolean column of the before file that says which rows of a window are in its groups; null is false. The others
    /// decide all the same when windows begin and end. For windows that depend on rows, which are those of a session, of the
    /// last rows, around a row, and from a row to a row; for others `keep` does that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ColumnIndex>,
    /// Windows by a time in the message. Left out: by the time of arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<EventTime>,
    /// The aggregates per group. Need a window; their arguments are columns of the before file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aggregates: Vec<Aggregate>,
    /// The steps per result row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Step>,
    /// The boolean column of the after file that filters result rows; null is false. It takes effect as soon as its
    /// column is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub having: Option<ColumnIndex>,
    /// The order of result rows; left out: groups by first arrival, messages by arrival.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Order>,
    /// The largest number of rows in an emission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// What a result row consists of: at least one column of the after file, names distinct.
    pub emits: Vec<Emit>,
    /// What the deployment may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
    /// The sinks it asks for by name; the deployment may override them. Empty: the configured default sinks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<String>,
    /// For other tools; the host does not interpret it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The position of a column in the before file or the after file, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ColumnIndex(pub u32);

impl ColumnIndex {
    /// The position as an index into a slice.
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// One criterion of the order of result rows. Nulls come last, whichever the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A column of the after file.
    pub column: ColumnIndex,
    /// Largest first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// One member of the emitted objects. A null cell is left out of its object.
///
/// An emit with an empty name is of a JSON column: the members of the object in it come out, but for those that another
/// emit has the name of. A value that is no object has no members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Emit {
    /// The member's name; empty: the members of the object in the column.
    pub name: String,
    /// A column of the after file.
    pub column: ColumnIndex,
    /// Further columns, for values whose type differs from row to row: where those before are null, the next one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub otherwise: Vec<ColumnIndex>,
}
