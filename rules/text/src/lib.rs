//! The shipped library of text functions.
//!
//! Positions count characters from zero. A null argument gives null, except where a function says otherwise.

mod affix;
mod case;
mod code;
mod join;
mod number;
mod pad;
mod part;
mod space;
mod split;
#[cfg(test)]
mod tests;

pub use affix::{endswith, startswith};
pub use case::{lower, upper};
pub use code::{ascii, chr, indexof, numbytes};
pub use join::{concat, replace};
pub use number::format;
pub use pad::{lpad, repeat_text, rpad};
pub use part::{length, reverse, substring};
pub use space::{ltrim, rtrim, trim};
pub use split::{split_value, str_after, str_before};

rulemill_guest::library! {
    name: "text",
    doc: "Functions of text: parts, case, white space, search and replace.",
    functions: [
        ascii, chr, concat, endswith, format, indexof, length, lower, lpad, ltrim, numbytes, repeat_text, replace,
        reverse, rpad, rtrim, split_value, startswith, str_after, str_before, substring, trim, upper,
    ],
}
