//! What rulemill keeps on disk, so that nothing accepted is lost.
//!
//! Bytes come in and bytes go out. There is no async, no thread, no clock and no randomness here, and nothing is known of
//! rules, windows or MQTT; the only I/O goes through the [`Storage`] trait, so that all of it also runs on a simulated
//! disk that loses, tears and refuses ([`sim`]).

mod entry;
mod fields;
mod storage;
#[cfg(test)]
mod tests;

pub mod checkpoint;
pub mod log;
pub mod outbox;
pub mod sim;

pub use entry::{Audience, Entry, EntryError, Message, Qos, Switch};
pub use storage::{
    Directory, DirectoryError, DiskError, Lock, LockError, Storage, StorageFile, append_all, is_full, read_full,
};
