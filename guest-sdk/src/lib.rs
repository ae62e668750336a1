//! Write rulemill rules and functions in Rust, and build them to WebAssembly.
extern crate self as rulemill_guest;

mod aggregate;
mod arguments;
mod bits;
mod columns;
#[doc(hidden)]
pub mod describe;
mod function;
mod kind;
mod library;
mod output;
mod parameter;
pub mod rule;
mod state;
mod types;

pub mod testing;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod export;

pub use aggregate::{Accumulated, Accumulator, Aggregate, AggregateEntry, GroupStates, Older};
pub use arguments::{Arguments, Reader, Skipped};
pub use columns::{Batch, Blobs, Cells, Column, Failure, RowErrorAt, Texts};
pub use function::{CallSite, Function, FunctionEntry};
pub use kind::Kind;
pub use library::LibraryDefinition;
pub use output::{Evaluated, KindOf, Return, Value, column_of};
pub use parameter::Parameter;
pub use rulemill_guest_macros::{State, aggregate, function};
pub use rulemill_plan as plan;
pub use state::{State, StateField};
pub use types::{Json, RowError, Time};

mod macros;

/// What a guest needs, in one `use`.
pub mod prelude {
    pub use crate::rule::{After, Before, Col, Groups, Messages, Rule};
    pub use crate::{Json, RowError, State, Time, aggregate, function};
}
