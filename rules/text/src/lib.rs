//! The shipped library of text functions.
//!
//! Positions count characters from zero. A null argument gives null, except where a function says otherwise.

mod affix;
mod case;
mod join;
mod part;
mod space;
mod split;
#[cfg(test)]
mod tests;

pub use affix::{endswith, startswith};
pub use case::{lower, upper};
pub use join::{concat, replace};
pub use part::{length, substring};
pub use space::{ltrim, rtrim, trim};
pub use split::split_value;

rulemill_guest::library! {
    name: "text",
    doc: "Functions of text: parts, case, white space, search and replace.",
    functions: [
        concat, endswith, length, lower, ltrim, replace, rtrim, split_value, startswith, substring, trim, upper,
    ],
}
