//! What a library says about itself.

use crate::{Example, Type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The description of a library: its functions and aggregates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Library {
    /// The version of this JSON; see [`crate::FORMAT`].
    #[serde(default = "crate::format_default")]
    pub format: u32,
    /// The library's name, by which rules may ask for it: lower-case letters, digits, `_` and `-`.
    pub name: String,
    /// The library's own version; any text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// The scalar functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scalars: Vec<ScalarFunction>,
    /// The aggregate functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aggregates: Vec<AggregateFunction>,
    /// For other tools; the host does not interpret it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A scalar function: one value a row from the values of that row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScalarFunction {
    /// The name by which rules call it.
    pub name: String,
    /// What it computes; the first sentence stands alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// The parameters, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// The type of the result.
    pub returns: Type,
    /// What the host may assume when it saves calls.
    #[serde(default)]
    pub volatility: Volatility,
    /// Examples; the host runs them when it loads the library.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// Whether the same arguments always give the same result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Volatility {
    /// The same arguments give the same result for ever: the host may remember results between batches.
    Immutable,
    /// The host calls the function anew for every batch.
    #[default]
    Volatile,
}

/// One parameter of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The parameter's name, for messages and documentation.
    pub name: String,
    /// Its type. A float parameter also takes ints.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Whether the function itself handles null. Otherwise a null argument gives a null result without a call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// Whether this, the last parameter, may be given any number of times, also none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub variadic: bool,
}

/// An aggregate function whose state the host keeps, as a fixed number of 64-bit words a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AggregateFunction {
    /// The name by which rules call it.
    pub name: String,
    /// What it computes; the first sentence stands alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// The parameters, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// The type of the result.
    pub returns: Type,
    /// How many 64-bit words the state of one group has; 1 to 64.
    pub state_words: u32,
    /// The identity of the state's layout, as 16 hexadecimal digits: states are kept over a reload when it is the same.
    pub fingerprint: String,
    /// Examples; the host runs them when it loads the library.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

impl AggregateFunction {
    /// The fingerprint as a number; `None` unless it is 16 lower-case hexadecimal digits.
    pub fn fingerprint_bits(&self) -> Option<u64> {
        let legal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if self.fingerprint.len() != 16 || !self.fingerprint.bytes().all(legal) {
            return None;
        }
        u64::from_str_radix(&self.fingerprint, 16).ok()
    }
}
