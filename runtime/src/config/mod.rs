//! The configuration: raw as in the file, then checked into what the code uses.

mod types;

pub use types::*;
