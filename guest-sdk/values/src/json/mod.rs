//! Values of JSON, read in place.
//!
//! [`Value::of`] checks a text once, in full; after that the text is walked along without a tree and without errors.
//! Parts of a value are parts of its text, so handing one on copies nothing.

mod array;
mod check;
mod number;
mod object;
mod order;
mod skip;
mod text;
mod value;
mod write;

pub use array::Array;
pub use check::DEPTH_MAX;
pub use number::{Number, compare_numbers};
pub use object::{Object, sort_members};
pub use order::sort_values;
pub use text::Text;
pub use value::{Kind, Value};
pub use write::{ArrayWriter, ObjectWriter, json_of_float, json_of_text};
