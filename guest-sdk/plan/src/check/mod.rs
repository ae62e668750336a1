//! What must hold in a description by itself, before any other guest is known. It finds all problems, not the first.

mod library;
mod names;
mod plan;
mod remember;
mod steps;
#[cfg(test)]
mod tests;
mod window;

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

/// The most columns that the before file or the after file of a plan may have.
pub const COLUMN_COUNT_MAX: usize = 1024;

/// The most functions and aggregates that a library may have.
pub const FUNCTION_COUNT_MAX: usize = 1024;

/// The most 64-bit words that the state of one group may have.
pub const STATE_WORDS_MAX: u32 = 64;

/// The longest name of a rule, library, function, setting or sink, in bytes.
pub const NAME_LEN_MAX: usize = 64;

/// The problems found so far.
#[derive(Debug, Default)]
struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    fn add(&mut self, at: impl Into<String>, message: impl Into<String>) {
        self.found.push(Problem {
            at: at.into(),
            message: message.into(),
        });
    }

    /// Refuses a version of the JSON that this crate does not know.
    fn check_format(&mut self, format: u32) {
        if format == 0 || format > crate::FORMAT {
            self.add("format", crate::json::unknown_format(format));
        }
    }
}
