//! The process: version, start, memory, threads. Memory and threads are read when they are asked for.

use crate::clock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

/// Registers the metrics of this process.
pub(super) fn register(registry: &mut Registry) {
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "The version that runs", Info::new(version));
    let started = Gauge::<f64, AtomicU64>::default();
    started.set(clock::wall().0 as f64 / 1e6);
    let help = "When the process started, since the Unix epoch";
    registry.register_with_unit("start_time", help, Unit::Seconds, started);
    registry.register_collector(Box::new(Status));
}

/// What Linux tells about the process. Where it cannot be read, its metrics are not there.
#[derive(Debug)]
struct Status;

impl Collector for Status {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
            return Ok(());
        };
        if let Some(kibibytes) = field(&status, "VmRSS:") {
            let gauge = ConstGauge::new(kibibytes.saturating_mul(1024));
            let help = "Physical memory in use.";
            let unit = Unit::Bytes;
            let metric = encoder.encode_descriptor("resident_memory", help, Some(&unit), gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        if let Some(threads) = field(&status, "Threads:") {
            let gauge = ConstGauge::new(threads);
            let metric = encoder.encode_descriptor("threads", "Threads of the process.", None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

/// The number after `name` in a text such as `VmRSS:     1234 kB`.
fn field(status: &str, name: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::field;
    use crate::telemetry::Telemetry;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS:"), Some(1234));
        assert_eq!(field(status, "Threads:"), Some(7));
        assert_eq!(field(status, "VmSwap:"), None);
        assert_eq!(field("Threads:\tmany\n", "Threads:"), None);
    }

    #[test]
    fn the_process_tells_its_version_start_and_memory() {
        let text = Telemetry::start().encode();
        for name in [
            "rulemill_build_info{version=",
            "rulemill_start_time_seconds ",
            "rulemill_resident_memory_bytes ",
            "rulemill_threads ",
        ] {
            assert!(
                text.lines().any(|line| line.starts_with(name)),
                "{name} is not in\n{text}"
            );
        }
    }
}
