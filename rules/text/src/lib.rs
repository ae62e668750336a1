//! The shipped library of text functions.

mod split;

pub use split::split_value;

rulemill_guest::library! {
    name: "text",
    functions: [split_value],
}
