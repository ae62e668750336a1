//! The shipped library of functions of arrays and objects, with eKuiper's names.
//!
//! Arrays and objects are JSON. Two elements are the same when they are the same value: `1` is `1.0`, and the order of
//! members does not matter. A null argument gives null, except where a function says otherwise; an array or object that
//! is none is an error of its row. Objects that are made have their members in the order of their names.

mod build;
mod extreme;
mod limits;
mod members;
mod parse;
mod path;
mod pick;
mod search;
mod series;
mod sets;
mod shape;
#[cfg(test)]
mod tests;

pub use build::{kvpair_array_to_obj, object, object_concat, object_construct, zip};
pub use extreme::{array_avg, array_max, array_min, array_sort};
pub use members::{items, keys, object_size, values};
pub use parse::{from_json, parse_json, to_json};
pub use path::{json_path_exists, json_path_query, json_path_query_first};
pub use pick::{erase, object_pick};
pub use search::{array_contains, array_contains_any, array_last_position, array_position, element_at};
pub use series::{array_create, repeat, sequence};
pub use sets::{array_distinct, array_except, array_intersect, array_remove, array_union};
pub use shape::{array_cardinality, array_concat, array_flatten, array_join, cardinality, length_any};

rulemill_guest::library! {
    name: "json",
    doc: "Functions of arrays and objects, and of JSON as text.",
    functions: [
        array_avg, array_cardinality, array_concat, array_contains, array_contains_any, array_create, array_distinct,
        array_except, array_flatten, array_intersect, array_join, array_last_position, array_max, array_min,
        array_position, array_remove, array_sort, array_union, cardinality, element_at, erase, from_json, items,
        json_path_exists, json_path_query, json_path_query_first, keys, kvpair_array_to_obj, length_any, object,
        object_concat, object_construct, object_pick, object_size, parse_json, repeat, sequence, to_json, values, zip,
    ],
}
