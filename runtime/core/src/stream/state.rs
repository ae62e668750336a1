//! What can be asked about a rule of a stream.

use crate::Micros;

/// What a rule holds at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleState {
    /// Windows with at least one row.
    pub open_windows: usize,
    /// The groups of these windows.
    pub groups: usize,
    /// Versions that only finish their windows.
    pub finishing: usize,
}

/// What a rule has begun and not yet given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// The windows with rows, closed ones included of which results are still to come out; each by start and end.
    pub windows: Vec<(Micros, Micros)>,
    /// Windows that start before this may have ended already. Only event time has it.
    pub watermark: Option<Micros>,
}
