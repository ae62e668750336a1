//! Where emissions go: log, MQTT, file, HTTP. The last stage.
//!
//! Each sink has a queue that mill threads push to, and a task that delivers from it. A sink that fails, blocks or is
//! slow fills its own queue and disturbs nothing else, unless it is configured to block.

mod collector;
mod context;
mod http;
mod lines;
mod mqtt;
mod outbox;
mod running;

pub use collector::Collector;
pub use http::HttpSinkError;
pub use mqtt::topic_columns;
pub use outbox::{KeepError, Pushed};
pub use running::{Marks, SinkError, SinkHandle, Sinks, Undelivered};

#[cfg(test)]
mod test;
