//! What a rulemill guest says about itself.
//!
//! A rule describes itself with a [`Plan`], a library with a [`Library`]; both travel as JSON text through the
//! contract's `describe`. The types live here, once, for the guest SDK, the core, the SQL compiler and the host.
//! This crate is pure: no I/O, no clock, no wasm.
//!
//! # How the format grows
//!
//! - [`FORMAT`] is the version of the JSON. A host reads every format up to its own.
//! - A new field always has a default that means "as before", and is left out of the JSON while it has that default,
//!   so a guest that does not use it still loads on an older host.
//! - An unknown field is refused, never ignored: ignoring a `having` would give wrong results silently. Free text for
//!   other tools belongs into `annotations`, which no host interprets.

mod aggregate;
mod check;
mod example;
mod json;
mod library;
mod literal;
mod need;
mod plan;
mod remember;
mod setting;
mod step;
mod types;
mod window;

#[cfg(feature = "schema")]
pub mod schema;

pub use aggregate::{Aggregate, BUILT_IN_AGGREGATES};
pub use check::{COLUMN_COUNT_MAX, FUNCTION_COUNT_MAX, NAME_LEN_MAX, Problem, STATE_WORDS_MAX};
pub use example::{Example, Expected};
pub use json::JsonError;
pub use library::{AggregateFunction, Library, Parameter, ScalarFunction, Volatility};
pub use literal::Literal;
pub use need::{Fallback, Need, Origin, PathSegment};
pub use plan::{ColumnIndex, Emit, Order, Plan};
pub use remember::{Accumulation, LAG_ROWS_MAX, Recall, Remember};
pub use setting::Setting;
pub use step::{Argument, BoundArgument, Call, Kernel, OutputColumn, Step};
pub use types::Type;
pub use window::{EventTime, LatePolicy, OVERLAP_MAX, Window};

/// The version of the JSON that this crate writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

pub(crate) fn format_default() -> u32 {
    FORMAT
}
