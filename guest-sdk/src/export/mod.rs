//! The exports of a guest: the contract's functions on top of the SDK's types. The macros refer to it; authors do not.

mod library;
mod panic;
mod rule;

pub use library::{ExportedLibrary, LibraryGuest};
pub use rule::{ExportedRule, RuleGuest};
pub use wit_bindgen::rt as runtime;
