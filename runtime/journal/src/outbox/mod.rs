//! The queue of a sink on disk: emissions in order, until each of them is acknowledged.
//!
//! It is a log ([`crate::log`]) with records of two kinds:
//!
//! | kind | record | payload |
//! |---|---|---|
//! | 1 | emission | its id, 16 bytes; the rest: its bytes, as whoever pushed it wrote them |
//! | 2 | cursor | u64, little endian: everything up to this number is done |
//!
//! Done is what was acknowledged or dropped. What is done out of order is remembered in memory until what is before it is done too; so
//! after a crash some emissions come once more, but none is passed over. The cursor goes to disk with whatever is committed next, and
//! costs no sync of its own. A segment is removed once a synced cursor says that all of it is done.

mod done;
mod emission;
mod error;
mod open;
mod queue;
#[cfg(test)]
mod tests;

pub use emission::{Emission, EmissionId};
pub use error::{OutboxError, OutboxOpenError};
pub use open::OutboxRecovered;
pub use queue::{OnFull, Outbox, OutboxOptions, Pushed};
