//! Checkpoints: files of sections, of which the newest two are kept.
//!
//! ```text
//! header, 24 bytes   "RMILLCKP" | version u16 | reserved u16 | number u64 | CRC32C u32
//! section            CRC32C u32 | kind u32 | payload length u32 | payload
//! ...
//! end                a section of kind 0 without a payload; nothing follows
//! ```
//!
//! All numbers are little endian. The CRC of a section begins from that of the checkpoint's number and the section's place, so that a section
//! of another checkpoint, or one in another place, is not taken for it. What sections mean is up to whoever writes them.
//!
//! | file | what it is |
//! |---|---|
//! | `00000000000000000007.checkpoint` | a checkpoint |
//! | `00000000000000000007.checkpoint.new` | one that is being written; it counts for nothing |
//! | `00000000000000000007.checkpoint.damaged` | one that is not what was written |
//! | `reserve` | space to give up when the disk is full, see [`Checkpoints::restore_reserve`] |
//!
//! A checkpoint has its name only once all of it is synced, and counts as written once its name is too. The older ones are
//! removed after that.

mod error;
mod format;
mod names;
mod read;
mod reserve;
mod stock;
#[cfg(test)]
mod tests;
mod write;

pub use error::CheckpointError;
pub use format::{SECTION_BYTES_MAX, SectionKind, VERSION};
pub use read::CheckpointReader;
pub use stock::{Checkpoints, Found, Rejected};
pub use write::CheckpointWriter;
