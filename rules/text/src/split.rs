//! Parts of texts.

use rulemill_guest::prelude::*;

/// The part of `text` at `index` after splitting it by `separator`; a negative index counts from the end.
#[function(immutable)]
#[example("devices/001/messages", "/", 1 => "001")]
#[example("a/b/c", "/", -1 => "c")]
#[example("a/b", "/", 5 => error)]
pub fn split_value<'a>(text: &'a str, separator: &str, index: i64) -> Result<&'a str, RowError> {
    let part = if index >= 0 {
        usize::try_from(index)
            .ok()
            .and_then(|index| text.split(separator).nth(index))
    } else {
        usize::try_from(-(index + 1))
            .ok()
            .and_then(|index| text.rsplit(separator).nth(index))
    };
    part.ok_or_else(|| {
        let parts = text.split(separator).count();
        RowError::new(format!("index {index} is out of range: the text has {parts} parts"))
    })
}
