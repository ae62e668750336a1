//! A segmented log: records are appended, committed, read in order, and trimmed from the beginning.
//!
//! A log is a directory of segments. Each is named after its first sequence number, and is
//!
//! ```text
//! header, 28 bytes   "RMILLLOG" | version u16 | reserved u16 | salt u32 | first sequence u64 | CRC32C u32
//! record             CRC32C u32 | payload length u32 | sequence u64 | kind u8 | payload
//! ...
//! ```
//!
//! in little-endian order. A record of kind 0 is a mark: it has no payload, and says that everything up to its sequence
//! was synced before it was written. The CRC of the header covers the bytes before it; that of a record begins from the salt, and covers
//! what follows it.
//!
//! | file | what it is |
//! |---|---|
//! | `00000000000000000001.log` | a segment |
//! | `00000000000000000001.log.new` | one that is being begun; it counts for nothing |
//! | `00000000000000000001.log.damaged` | one in which something could not be read; the rest of it counts |
//!
//! What holds, and recovery ([`Log::open`]) stands on:
//!
//! - A segment has its name only once its header, and what was in it at that time, are synced.
//! - All of a segment is synced before the next one begins, unless the next one holds a copy of the rest.
//! - A file is appended to by the process that made it, through one handle, until the first failure.
//!
//! So only the last segment may be torn. There, the first record that cannot be read is where it was torn; but if a later mark
//! says that it was synced, it is damage. Why it is so: `docs/decisions/0030-the-journal.md`.

mod appending;
mod error;
mod format;
mod names;
mod open;
mod reader;
mod report;
mod scan;
mod segment;
mod sequence;
mod sync;
#[cfg(test)]
mod tests;
mod walk;
mod window;

pub use appending::{Log, LogOptions};
pub use error::{LogError, OpenError, ReadError};
pub use format::{PAYLOAD_BYTES_MAX, VERSION};
pub use reader::{Reader, Record};
pub use report::{Missing, Quarantined, Recovered};
pub use sequence::{Durability, Encode, Kind, Sequence, Unencodable};
pub use sync::{SyncJob, Synced};
