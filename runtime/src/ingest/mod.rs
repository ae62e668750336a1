//! Everything that brings messages in: MQTT brokers and the built-in listener.
//!
//! A source takes messages, hands them to its [`Inlet`], and acknowledges them when the inlet has accepted them, never
//! before. The first stage of the flow; it knows nothing of streams and rules.

mod inlet;
pub mod listener;
pub mod mqtt;
mod rejects;
mod topic_names;

pub use inlet::Inlet;
pub use rejects::Rejects;
