//! Columns of a plan before it is known how many of each sort there are.

/// A column of the before file or the after file, by what it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Column {
    /// A field or another need of a message.
    Need(u32),
    /// An output of a step before the window, counted over all of them.
    Before(u32),
    /// A part of the key.
    Key(u32),
    WindowStart,
    WindowEnd,
    Aggregate(u32),
    /// An output of a step after the window, counted over all of them.
    After(u32),
}

/// A number of columns.
pub(crate) fn count(columns: usize) -> u32 {
    u32::try_from(columns).expect("the text of a query is shorter than 4 GiB, and every column takes some of it")
}
