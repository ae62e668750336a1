//! Which rows a version of a rule takes.

use crate::snapshot::{SnapshotError, Source, Writer};

/// Which rows a version takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// All that the versions before it leave.
    Open,
    /// Those that arrive before this time; a newer version takes the others.
    Arrival(i64),
    /// Those with an event time before this one.
    Event(i64),
    /// Those that arrive before its open window closes: when that is depends on them.
    Closed,
    /// None; its windows wait for their end, by the time of arrival.
    Retired,
}

impl Until {
    pub(crate) fn write(self, to: &mut Writer) {
        let (kind, time) = match self {
            Until::Open => (0, 0),
            Until::Arrival(time) => (1, time),
            Until::Event(time) => (2, time),
            Until::Retired => (3, 0),
            Until::Closed => (4, 0),
        };
        to.u8(kind);
        to.i64(time);
    }

    pub(crate) fn read(from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        let (kind, time) = (from.u8()?, from.i64()?);
        Ok(match kind {
            0 => Until::Open,
            1 => Until::Arrival(time),
            2 => Until::Event(time),
            3 => Until::Retired,
            4 => Until::Closed,
            _ => return Err(SnapshotError::Damaged("a version that takes no known rows")),
        })
    }
}
