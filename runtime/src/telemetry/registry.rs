//! The registry of all metrics, and its text.

use super::{clock, process};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// All metrics. It is filled while starting, by the `register` of each stage, and then only read.
#[derive(Debug)]
pub struct Telemetry {
    /// Where the stages register their metrics; names get the prefix `rulemill_`.
    pub registry: Registry,
}

impl Telemetry {
    /// The metrics of the process itself, ready for those of the stages.
    pub fn start() -> Self {
        let mut registry = Registry::with_prefix("rulemill");
        process::register(&mut registry);
        clock::register(&mut registry);
        Self { registry }
    }

    /// The metrics as OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut encoded = String::new();
        // Writing to a string cannot fail, and no metric of ours refuses to be written.
        let _ = text::encode(&mut encoded, &self.registry);
        encoded
    }
}
