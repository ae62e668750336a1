//! Time as data: microseconds since the Unix epoch, UTC, in types that cannot be mixed up.

/// Microseconds since the Unix epoch, UTC; before it, negative. The clock it belongs to is said where it is used:
/// arrival time for what the host recorded, event time for what a message carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Micros(pub i64);

impl Micros {
    /// So many milliseconds after the epoch; saturates.
    pub fn from_millis(millis: i64) -> Self {
        Micros(millis.saturating_mul(1000))
    }
}
