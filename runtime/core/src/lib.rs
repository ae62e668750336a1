//! The pure core of rulemill: it turns batches of columns into emissions.
//!
//! No async, no I/O, no clock, no randomness and no logging live here. The host hands in decoded batches and the time,
//! and takes out emissions, dead rows and the next deadline, so that a replay of the same inputs gives the same outputs.
//!
//! The flow of a batch through a [`Stream`]: shared calls (`shared`) -> for each fold (`fold`), which is a version of a
//! rule (`rule`) or what several of them share (`folds`), a frame of rows goes through the before-steps (`frame`, and `memory` for those that look back) -> its
//! rows find windows of a fixed size (`arrival`, `event`), or come in order of time to those that depend on that
//! (`sequence`) -> into windows (`window`, with `groups` and `aggregate`) -> when they close, through the after-steps and
//! out, in pieces (`closing`).

mod bits;
mod columns;
mod hashing;
mod time;
mod topics;

mod guests;
mod isolate;

mod compile;
mod program;

mod batch;
mod stream;

mod shared;

mod aligned;
mod arrival;
mod at;
mod event;
mod fold;
mod folds;
mod frame;
mod memory;
mod requirement;
mod rule;
mod sequence;
mod until;
mod watermark;

mod aggregate;
mod groups;
mod window;

mod closing;
mod emit;
mod order;
mod report;

mod bounds;
mod output;
mod snapshot;

#[cfg(test)]
mod tests;

pub use batch::{Field, Found, Mistyped, StreamBatch};
pub use bits::Bits;
pub use bounds::Bounds;
pub use columns::{Blobs, Cells, Column, Texts};
pub use compile::{CompileError, OnChange, RuleVersion, built_in_aggregate_type};
pub use guests::{
    AccumulatorId, BindError, BoundAggregate, BoundScalar, CallError, Guests, KernelsId, RowError, Rows, SiteId,
};
pub use hashing::HashSeed;
pub use output::{Counts, DeadRow, Emission, Fault, Output, RuleCounts};
pub use snapshot::{LostVersion, SnapshotError};
pub use stream::{Removal, RuleState, Stream, Swap, Unfinished};
pub use time::Micros;
pub use topics::{TOPIC_BYTES_MAX, TOPICS_MAX, TopicId, TopicTable};
