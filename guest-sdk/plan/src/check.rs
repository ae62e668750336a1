//! What must hold in a plan or a library description by itself, before any type or library is known.

use std::fmt;

/// One thing that is wrong with a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: a path into the JSON, such as `before[1].call.arguments[0]`.
    pub at: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.at)
    }
}
