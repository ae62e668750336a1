//! What the shipped libraries share: values of JSON, and the calendar.
//!
//! Both read texts from strangers. They never panic, never go deeper than a bound, and allocate only for what they make.

pub mod calendar;
pub mod json;
