//! The bytes of a stream's state: what [`Stream::snapshot`](crate::Stream::snapshot) writes and
//! [`Stream::restore`](crate::Stream::restore) reads.
//!
//! All numbers are little endian; a list is its length (u32) and its items, words are their number (u64) and each of them.
//!
//! ```text
//! version u16 | clock i64 | rules: list | folds: list
//! rule     id: text | versions: list
//! version  tag u64 | until: u8, i64 | number of its fold u32
//! fold     shape: bytes | windows with rows u32 | state: its length u64, and
//!          idle time, as event time has it now: option i64 | watermark: i64, i64, option i64 | windows: list
//!          and for windows that depend on the order of rows: sequence
//! sequence time of the last row that was taken i64 | rows since the last window of a number u64
//!          | times of rows whose window waits for its delay: words | rows u32 | how many of them were taken u32
//!          | times: i64 each | what is kept of them: a column each
//! and for steps that remember: their number u32, 0 before the first row | a memory each
//! memory   partitions u32 | columns of these: a column each | how many values each has taken: words
//!          | whether each has begun: words | sums, two for each or none: words | values: a column each
//! window   start i64 | end i64 | room: bytes u64, values u64 | groups u32 | keys: a column each | words
//!          | beside: texts, values or words
//! shape    key types: list of u8 | words of a group u32 | what stands beside them: list of u8
//!          and unless windows are tumbling: their kind u8 | its numbers: i64 each, and for windows that depend on the
//!          order of rows: types of what is kept: list of u8
//!          and for each step that remembers: 254 u8 | what u8 | values of a partition u32 | types of the value: list of u8
//!          | types of the partition's columns: list of u8
//! ```
//!
//! Hashes are not part of it, and neither is what is remembered of topics: both are made anew. What is read may be of another
//! version of this program, so everything is checked, and nothing is allocated that the bytes do not fill.

mod bytes;
mod columns;

pub(crate) use bytes::{Source, Writer};
pub(crate) use columns::{number_of, read_column, write_column};

use std::sync::Arc;

/// The version that is written, and the only one that is read so far.
pub(crate) const VERSION: u16 = 1;

/// Why a snapshot cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It is of another version of the format.
    #[error("the snapshot is of version {got}, and this program reads version {expected}")]
    Version {
        /// Its version.
        got: u16,
        /// What can be read.
        expected: u16,
    },
    /// The bytes are not what was written.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
}

/// A version of a rule whose windows could not be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostVersion {
    /// The rule's id.
    pub rule: Arc<str>,
    /// Its version's tag.
    pub tag: u64,
    /// How many windows with rows it had open.
    pub windows: usize,
    /// Why.
    pub reason: String,
}
