//! Rules and functions under `cargo test`, without a host: the same vectorised code, called natively.
//!
//! ```
//! use rulemill_guest::prelude::*;
//! use rulemill_guest::testing::{RuleTest, call};
//!
//! /// Twice as much.
//! #[function(immutable)]
//! fn double(value: f64) -> f64 {
//!     2.0 * value
//! }
//!
//! rulemill_guest::library! {
//!     name: "numbers",
//!     functions: [double],
//! }
//!
//! fn doubled() -> Rule {
//!     let messages = Messages::new("doubled");
//!     let value = messages.field::<f64>("value");
//!     messages.emit("twice", messages.call::<f64>("double", value));
//!     messages.done()
//! }
//!
//! # fn main() {
//! assert_eq!(call(&LIBRARY, "double", &[[2.5.into()]]), [Ok(5.0.into())]);
//!
//! let rows = RuleTest::new(doubled())
//!     .library(&LIBRARY)
//!     .message("any/topic", r#"{"value": 21}"#)
//!     .rows();
//! assert_eq!(rows, [r#"{"twice":42.0}"#]);
//! # }
//! ```

mod built_in;
mod cells;
mod decode;
mod examples;
mod remember;
mod rule;
mod table;

pub use examples::{Outcome, aggregate, call, check_aggregate_examples, check_examples};
pub use rule::RuleTest;
