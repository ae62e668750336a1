//! The shipped library of functions of dates and times, with eKuiper's names.
//!
//! Times are in UTC, always. What needs a clock (`now`) is not here: a function computes from its arguments alone. A null
//! argument gives null.

mod arithmetic;
mod clock;
mod convert;
mod date;
#[cfg(test)]
mod tests;
mod text;

pub use arithmetic::{date_calc, date_diff};
pub use clock::{hour, microsecond, minute, second};
pub use convert::{float_to_time, from_days, from_unix_time, int_to_time, time_to_int, to_days, to_seconds};
pub use date::{day, day_name, day_of_month, day_of_week, day_of_year, last_day, month, month_name, year};
pub use text::{format_time, text_to_time, time_to_text};

rulemill_guest::library! {
    name: "datetime",
    doc: "Functions of dates and times, in UTC.",
    functions: [
        date_calc, date_diff, day, day_name, day_of_month, day_of_week, day_of_year, float_to_time, format_time,
        from_days, from_unix_time, hour, int_to_time, last_day, microsecond, minute, month, month_name, second,
        text_to_time, time_to_int, time_to_text, to_days, to_seconds, year,
    ],
}
