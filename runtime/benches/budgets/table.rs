//! The table that a run prints.

use std::fmt;

/// A line of the table.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) budget: String,
    /// `None`: for information.
    pub(crate) met: Option<bool>,
}

/// The table's first two lines.
pub(crate) const HEAD: &str = "| what | measured | budget | met? |\n|---|---|---|---|";

impl Row {
    /// A line without a budget.
    pub(crate) fn information(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Row {
            what: what.into(),
            measured: measured.into(),
            budget: String::new(),
            met: None,
        }
    }

    /// A line with a budget.
    pub(crate) fn judged(
        what: impl Into<String>,
        measured: impl Into<String>,
        budget: impl Into<String>,
        met: bool,
    ) -> Self {
        Row {
            what: what.into(),
            measured: measured.into(),
            budget: budget.into(),
            met: Some(met),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = match self.met {
            None => "",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        write!(f, "| {} | {} | {} | {met} |", self.what, self.measured, self.budget)
    }
}
