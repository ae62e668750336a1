//! Dates and times of day in UTC, by the Gregorian calendar in both directions without an end.

mod civil;
mod duration;
mod pattern;
mod read;

pub use civil::{Civil, DAY, HOUR, MINUTE, SECOND, days_in_month};
pub use duration::duration;
pub use pattern::format;
pub use read::time_of_text;
