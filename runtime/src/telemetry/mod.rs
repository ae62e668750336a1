//! What rulemill tells about itself: log lines and metrics. Nothing here changes what happens to a message.

pub mod dead_letter;
pub mod log;
//! telemetry

pub mod source;
pub mod sink;
