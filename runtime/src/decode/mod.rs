//! Decode: JSON payloads become typed columns, once for all rules of a stream, and only the fields that some rule needs.
//!
//! It sits between ingest and the rules. A message that cannot be decoded is data, not a failure: it is left out of the
//! columns, reported with its reason, and its neighbours do not notice. Nothing here blocks, logs or reads a clock.

mod bad;
mod decoder;
mod slot;
mod trie;
mod visit;

#[cfg(test)]
mod tests;

pub use bad::{BadMessage, BadReason};
pub use decoder::{Decoded, Decoder};
