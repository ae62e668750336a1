//! Write rulemill rules and functions in Rust, and build them to WebAssembly.
//!
//! The guide is `docs/guest-sdk.md`. [`macro@function`] and [`macro@aggregate`] make functions of a library, [`library!`] exports
//! them; [`rule::Messages`] builds a rule, [`rule!`] exports it; [`testing`] runs both natively.
//!
//! Underneath stands the contract of `docs/contract.md`: columns in, columns out. A guest keeps nothing between calls
//! and has no clock, files or network; its only import takes the text of a panic.

// The macros write paths that begin with the name of this crate; it uses them itself in tests.
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
mod macros;
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

/// Makes the methods of a state an aggregate function of a library.
///
/// It stands on a plain `impl` block with the methods `accumulate(&mut self, ..)`, `merge(&mut self, other: &Self)` and
/// `finish(&self)`, and optionally `older(fingerprint: u64) -> Option<Older<Self>>`. The state must implement [`State`].
/// `#[aggregate(name = "...")]` names the function; otherwise it is the state's name in snake case. Parameters and
/// results are as with [`macro@function`]; `accumulate` returns nothing or `Result<(), RowError>`. In `#[example(..)]` each
/// row is an array, or a single value.
pub use rulemill_guest_macros::aggregate;

/// Makes a plain Rust function of one row a scalar function of a library, computed over whole columns.
///
/// `#[function(immutable)]` promises that the same arguments always give the same result. Parameters are
/// [`Parameter`]s; a last one that is a slice takes any number of arguments. The result is a [`Return`]. Beside it may
/// stand any number of `#[example(arguments => result)]`, made of literals, `null` and `error`: they are documentation,
/// and a unit test.
pub use rulemill_guest_macros::function;

/// Lays a struct with named fields out as 64-bit words. See [`trait@State`].
pub use rulemill_guest_macros::State;

pub use rulemill_plan as plan;
pub use state::{State, StateField};
pub use types::{Json, JsonString, RowError, Time};

/// What a guest needs, in one `use`.
pub mod prelude {
    pub use crate::rule::{After, Before, Col, Groups, Messages, Rule, Sliding};
    pub use crate::{Json, JsonString, RowError, State, Time, aggregate, function};
}

/// The guide: its examples are compiled and run as tests of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guest-sdk.md")]
pub struct Guide;
