//! What is known of a segment while the log is open.

use super::sequence::Sequence;

/// A segment that holds records.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Which file it is: one that takes the place of another has its name, and not its id.
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) salt: u32,
    /// The first record it was made for.
    pub(super) first: Sequence,
    /// The one after its last.
    pub(super) next: Sequence,
    /// Where its last record ends.
    pub(super) end: u64,
    /// The bytes of its file.
    pub(super) size: u64,
    pub(super) condition: Condition,
}

/// How a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Whole,
    /// It is damaged and has been renamed aside. It is not removed when it is trimmed, so that somebody can look at it.
    Aside,
}
