//! Settings: what the deployment may set on a rule without a rebuild.

use crate::{Literal, Type};
use serde::{Deserialize, Serialize};

/// One setting of a rule, set in the `[settings]` of the file beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The setting's name.
    pub name: String,
    /// Its type: bool, int, float or text.
    #[serde(rename = "type")]
    pub kind: Type,
    /// The value when the deployment sets none. Left out: the deployment must set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Literal>,
    /// What it means, with its unit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
}
