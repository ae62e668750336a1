//! Core modules as text.

use crate::world::{VERSION, World, with_component_type};
use std::fmt::Write as _;

/// Fills the places of a template, such as `$RUN`, and makes a guest of it.
pub(crate) fn build(template: &str, places: &[(&str, &str)], world: World, contract: &str) -> Vec<u8> {
    let mut text = template.to_owned();
    for (place, content) in places {
        text = text.replace(place, content);
    }
    let filled = text.replace(&format!("@{VERSION}"), &format!("@{contract}"));
    with_component_type(self::text(&filled), world, contract)
}

/// A module or a component as text, in binary form.
pub fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes as they stand between the quotes of a `(data ...)`.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        write!(text, "\\{byte:02x}").expect("a string takes any text");
    }
    text
}
