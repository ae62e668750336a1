//! What a rule needs from a message.

use crate::Type;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One column that the host fills in for every message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The column's name, for messages and tables.
    pub name: String,
    /// The column's type.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Where the value comes from.
    pub origin: Origin,
    /// What a missing field, or one that is JSON `null`, means.
    #[serde(default, skip_serializing_if = "is_null")]
    pub missing: Fallback,
    /// What a value of another type means.
    #[serde(default, skip_serializing_if = "is_null")]
    pub mistyped: Fallback,
}

/// What happens to a message whose field cannot be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// The cell is null and the message counts.
    #[default]
    Null,
    /// The message is bad for this rule: counted, and sent to the dead-letter output with its reason.
    Reject,
}

/// Where a column's values come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A field of the JSON payload, by its path from the top. An empty path is the whole payload.
    Field(Vec<PathSegment>),
    /// The topic the message was published to (text).
    Topic,
    /// The payload, undecoded (bytes, or text when it is valid UTF-8).
    Payload,
    /// When the message arrived (time).
    ArrivalTime,
    /// The QoS it was delivered with: 0, 1 or 2 (int).
    Qos,
    /// Whether it was a retained message (bool).
    Retain,
    /// The name of the source that delivered it (text).
    Source,
}

impl Origin {
    /// The types that this origin can be read as.
    pub fn types(&self) -> &'static [Type] {
        match self {
            Origin::Field(_) => &[Type::Bool, Type::Int, Type::Float, Type::Time, Type::Text, Type::Json],
            Origin::Topic | Origin::Source => &[Type::Text],
            Origin::Payload => &[Type::Text, Type::Bytes],
            Origin::ArrivalTime => &[Type::Time],
            Origin::Qos => &[Type::Int],
            Origin::Retain => &[Type::Bool],
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Field(path) if path.is_empty() => f.write_str("the whole payload"),
            Origin::Field(path) => {
                f.write_str("field ")?;
                for (position, segment) in path.iter().enumerate() {
                    match segment {
                        PathSegment::Name(name) if position == 0 => f.write_str(name)?,
                        PathSegment::Name(name) => write!(f, ".{name}")?,
                        PathSegment::Index(index) => write!(f, "[{index}]")?,
                    }
                }
                Ok(())
            }
            Origin::Topic => f.write_str("topic"),
            Origin::Payload => f.write_str("payload"),
            Origin::ArrivalTime => f.write_str("arrival time"),
            Origin::Qos => f.write_str("QoS"),
            Origin::Retain => f.write_str("retain flag"),
            Origin::Source => f.write_str("source"),
        }
    }
}

/// One step of a path into JSON: `"name"` of an object's member, or the zero-based position in an array.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum PathSegment {
    /// A member of an object.
    Name(String),
    /// An element of an array.
    Index(u32),
}

impl From<&str> for PathSegment {
    fn from(name: &str) -> Self {
        PathSegment::Name(name.to_owned())
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to skip_serializing_if"
)]
fn is_null(fallback: &Fallback) -> bool {
    *fallback == Fallback::Null
}
