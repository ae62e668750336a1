//! Guests made for tests, as the bytes of a `.wasm` file: what no shipped guest does, and what no guest should.
//!
//! A guest is a core module in text form whose functions a test replaces one by one, with the component type that a
//! compiler would leave in it. Everything here panics over what a test got wrong.

mod attack;
mod library;
mod module;
mod rule;
mod world;

pub use attack::{
    BadBatch, BadColumn, ENDLESS_LOOP, MEMORY_BOMB, REFUSE_ALL, TABLE_BOMB, describe_repeating, on_int, on_rows,
    row_errors,
};
pub use library::LibraryGuest;
pub use module::{escaped, text};
pub use rule::{GIVE_BACK, RuleGuest, plan_guest};
pub use world::{World, with_component_type};
