//! The pure core of rulemill: it turns batches of columns into emissions.
//!
//! No async, no I/O, no clock, no randomness and no logging live here. The host hands in decoded batches and the time,
//! and takes out emissions, dead rows and the next deadline, so that a replay of the same inputs gives the same outputs.

mod bits;
mod columns;
mod guests;
mod time;

pub use bits::Bits;
pub use columns::{Blobs, Cells, Column, Texts};
pub use guests::{
    AccumulatorId, BindError, BoundAggregate, BoundScalar, CallError, Guests, KernelsId, RowError, Rows, SiteId,
};
pub use time::Micros;
