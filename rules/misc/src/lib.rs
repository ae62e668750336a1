//! The shipped library of conversions between types: what `CAST` means, a function for each type.
//!
//! `cast_...` takes a value whose type only the message knows; the others are for columns with types. Conversions of times
//! from and to numbers and texts are in the library `datetime`. A null gives null; a value that cannot be converted is an error
//! of its row.

mod bytes;
mod cast;
#[cfg(test)]
mod tests;
mod text;

pub use bytes::{bytes_to_text, text_to_bytes};
pub use cast::{cast_bigint, cast_boolean, cast_bytea, cast_datetime, cast_float, cast_string};
pub use text::{bool_to_text, float_to_int, float_to_text, int_to_text, text_to_bool, text_to_float, text_to_int};

rulemill_guest::library! {
    name: "misc",
    doc: "Conversions between types.",
    functions: [
        bool_to_text, bytes_to_text, cast_bigint, cast_boolean, cast_bytea, cast_datetime, cast_float, cast_string,
        float_to_int, float_to_text, int_to_text, text_to_bool, text_to_bytes, text_to_float, text_to_int,
    ],
}
