//! Types of cells that Rust has no plain type for.

/// A point in time: microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// A JSON value, as its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Json<'a>(pub &'a str);

/// A JSON value that a function made, as its text. A function that hands on a part of an argument returns [`Json`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JsonString(pub String);

/// A row that could not be computed, and why. It costs that row only: the row goes to dead letter with this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError(String);

impl RowError {
    /// An error with this reason: lower case, naming the value and saying what would be right.
    pub fn new(message: impl Into<String>) -> Self {
        RowError(message.into())
    }

    /// The reason.
    pub fn message(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_message(self) -> String {
        self.0
    }
}
