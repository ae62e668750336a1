//! What rulemill tells about itself: log lines and metrics. Nothing here changes what happens to a message, and
//! nothing here reads a message's contents.
//!
//! Each stage has a file here with a struct of its metrics and a `register`. Labels take their values from the
//! configuration, from file names in the rules directory, or from the code; never from messages.

mod clock;
pub mod code_cache;
pub mod dead_letter;
pub mod guest;
pub mod journal;
pub mod listener;
pub mod mill;
pub mod process;
pub mod rule;
pub mod shadow;
pub mod sink;
pub mod source;

pub mod log;
pub mod rate_limit;
mod reference;
mod registry;

pub use reference::reference;
pub use registry::Telemetry;
