//! The shipped library of operators on values whose types only the messages know.
//!
//! A query on a stream without declared fields computes with JSON: what `a + b` means, each message says. The operators
//! mean what they mean for columns with types. A null, of a column or of JSON, makes the result of arithmetic null and a
//! comparison false; a value of a type for which the operator has no meaning is an error of its row.

mod arithmetic;
mod comparison;
mod list;
mod part;
mod pattern;
mod strict;
#[cfg(test)]
mod tests;
mod typed;

pub use arithmetic::{any_add, any_div, any_mod, any_mul, any_neg, any_sub};
pub use comparison::{any_between, any_eq, any_ge, any_gt, any_le, any_lt, any_ne};
pub use list::any_in;
pub use part::{any_get, any_index, any_slice};
pub use pattern::any_like;
pub use strict::{any_bool, any_float, any_int, any_text, any_time};
pub use typed::{bool_any, float_any, int_any, text_any, time_any};

rulemill_guest::library! {
    name: "dynamic",
    doc: "Operators on JSON values whose types only the messages know.",
    functions: [
        any_add, any_between, any_bool, any_div, any_eq, any_float, any_ge, any_get, any_gt, any_in, any_index, any_int,
        any_le, any_like, any_lt, any_mod, any_mul, any_ne, any_neg, any_slice, any_sub, any_text, any_time, bool_any,
        float_any, int_any, text_any, time_any,
    ],
}
