//! How texts begin and end.

use rulemill_guest::prelude::*;

/// Whether `text` begins with `prefix`. Gives false when either is null.
#[function(immutable)]
#[example("devices/001", "devices/" => true)]
#[example("devices/001", "Devices/" => false)]
#[example("devices/001", "" => true)]
#[example(null, "a" => false)]
#[example("a", null => false)]
pub fn startswith(text: Option<&str>, prefix: Option<&str>) -> bool {
    matches!((text, prefix), (Some(text), Some(prefix)) if text.starts_with(prefix))
}

/// Whether `text` ends with `suffix`. Gives false when either is null.
#[function(immutable)]
#[example("image.png", ".png" => true)]
#[example("image.png", "image" => false)]
#[example("image.png", "" => true)]
#[example(null, "a" => false)]
#[example("a", null => false)]
pub fn endswith(text: Option<&str>, suffix: Option<&str>) -> bool {
    matches!((text, suffix), (Some(text), Some(suffix)) if text.ends_with(suffix))
}
