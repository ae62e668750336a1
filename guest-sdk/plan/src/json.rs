//! Descriptions to and from JSON text.

mod path;
#[cfg(test)]
mod tests;

use crate::{FORMAT, Library, Plan};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why a text is not a description.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It has a version that this crate does not know: the guest was built with a newer SDK, or the version is wrong.
    #[error("{}", unknown_format(*found))]
    UnknownFormat {
        /// The version it has.
        found: u32,
    },
    /// It is not JSON, lacks a field, has an unknown field or a value of another type.
    #[error("{message} (at {at}, line {line} column {column})")]
    Malformed {
        /// Where: a path into the JSON, such as `needs[0].origin`; `the top` for the description itself.
        at: String,
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1; 0 when the text ends too early.
        column: usize,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl Plan {
    /// Reads a plan. It says what a plan may look like, not whether the plan makes sense: that is [`Plan::check`].
    pub fn from_json(json: &str) -> Result<Self, JsonError> {
        from_json(json)
    }

    /// The JSON text, on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a plan has string keys only, so it always serializes")
    }
}

impl Library {
    /// Reads a description of a library. It says what a description may look like, not whether it makes sense: that is
    /// [`Library::check`].
    pub fn from_json(json: &str) -> Result<Self, JsonError> {
        from_json(json)
    }

    /// The JSON text, on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a library has string keys only, so it always serializes")
    }
}

pub(crate) fn unknown_format(found: u32) -> String {
    if found > FORMAT {
        format!(
            "the description has format {found}, this rulemill reads up to format {FORMAT}: update rulemill, or build \
             the guest with an older SDK"
        )
    } else {
        format!("the format must be 1 to {FORMAT}, got {found}")
    }
}

/// Only the version: it is looked at before anything else, because a newer format may have fields unknown here.
#[derive(Deserialize)]
struct Version {
    #[serde(default = "crate::format_default")]
    format: u32,
}

fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, JsonError> {
    let version: Version = serde_json::from_str(json).map_err(|error| malformed(json, &error))?;
    if version.format == 0 || version.format > FORMAT {
        return Err(JsonError::UnknownFormat { found: version.format });
    }
    serde_json::from_str(json).map_err(|error| malformed(json, &error))
}

fn malformed(json: &str, error: &serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let message = text
        .strip_suffix(&format!(" at line {line} column {column}"))
        .unwrap_or(&text)
        .to_owned();
    JsonError::Malformed {
        at: path::at(json, line, column),
        line,
        column,
        message,
    }
}
