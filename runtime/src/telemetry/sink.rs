//! What is counted about each sink.
//!
//! | metric | kind | meaning |
//! |---|---|---|
//! | `rulemill_sink_emissions_total` | counter | emissions delivered |
//! | `rulemill_sink_rows_total`, `rulemill_sink_bytes_total` | counter | their rows and bytes of JSON |
//! | `rulemill_sink_in_flight` | gauge | publishes or requests that wait for their answer |
//! | `rulemill_sink_connected` | gauge | 1 while the sink can deliver |
//! | `rulemill_sink_retries_total` | counter | attempts beyond the first |
//! | `rulemill_sink_reconnects_total` | counter, by `reason` | connections or requests that failed |
//! | `rulemill_sink_dropped_total` | counter, by `reason` | emissions (queue) or rows (topic, size, refusal) given up |
//! | `rulemill_sink_cloud_metered_units_total` | counter | publishes in AWS IoT Core's 5 KB units |
//! | `rulemill_sink_queue_emissions`, `_bytes`, `_oldest_age_seconds` | gauge | what waits |
//!
//! All have the label `sink`.

use crate::clock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The metrics of all sinks.
#[derive(Clone, Debug, Default)]
pub struct SinkMetrics {
    emissions: Family<SinkLabel, Counter>,
    rows: Family<SinkLabel, Counter>,
    bytes: Family<SinkLabel, Counter>,
    in_flight: Family<SinkLabel, Gauge>,
    connected: Family<SinkLabel, Gauge>,
    retries: Family<SinkLabel, Counter>,
    reconnects: Family<SinkReasonLabel, Counter>,
    dropped: Family<SinkReasonLabel, Counter>,
    metered: Family<SinkLabel, Counter>,
    queues: Arc<Queues>,
}

/// The metrics of one sink.
#[derive(Clone, Debug)]
pub(crate) struct SinkCounters {
    /// The sink's name.
    pub(crate) sink: Arc<str>,
    /// Emissions delivered.
    pub(crate) emissions: Counter,
    /// Rows delivered.
    pub(crate) rows: Counter,
    /// Bytes of JSON delivered.
    pub(crate) bytes: Counter,
    /// Publishes or requests that wait for their answer.
    pub(crate) in_flight: Gauge,
    /// Whether there is a connection: 0 or 1.
    pub(crate) connected: Gauge,
    /// Attempts beyond the first.
    pub(crate) retries: Counter,
    /// Units a cloud would bill.
    pub(crate) metered: Counter,
    /// The queue's depth.
    pub(crate) queue: Arc<QueueDepth>,
    reconnects: Family<SinkReasonLabel, Counter>,
    dropped: Family<SinkReasonLabel, Counter>,
}

/// How much waits in a sink's queue.
#[derive(Debug, Default)]
pub(crate) struct QueueDepth(Mutex<Depth>);

/// How much waits in a sink's queue, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    /// How many emissions wait, those in flight included.
    pub(crate) emissions: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// When the oldest of them was pushed.
    pub(crate) oldest: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkLabel {
    sink: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkReasonLabel {
    sink: String,
    reason: &'static str,
}

#[derive(Debug, Default)]
struct Queues(Mutex<BTreeMap<Arc<str>, Arc<QueueDepth>>>);

impl SinkMetrics {
    /// Adds the metrics of all sinks, now and later, to `registry`; its prefix is `rulemill`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("sink");
        registry.register("emissions", "Emissions delivered", self.emissions.clone());
        registry.register("rows", "Rows delivered", self.rows.clone());
        registry.register("bytes", "Bytes of JSON delivered", self.bytes.clone());
        registry.register(
            "in_flight",
            "Publishes or requests that wait for their answer",
            self.in_flight.clone(),
        );
        registry.register("connected", "Whether the sink can deliver", self.connected.clone());
        registry.register("retries", "Attempts to deliver beyond the first", self.retries.clone());
        registry.register(
            "reconnects",
            "Connections or requests that failed or were lost",
            self.reconnects.clone(),
        );
        registry.register(
            "dropped",
            "What was given up: emissions by the bound of the queue, rows by the sink",
            self.dropped.clone(),
        );
        registry.register(
            "cloud_metered_units",
            "Publishes in the unit AWS IoT Core bills: 5 KB of topic and payload, begun units counted whole",
            self.metered.clone(),
        );
        registry.register_collector(Box::new(self.queues.clone()));
    }

    /// The metrics of the sink `name`.
    pub(crate) fn of(&self, name: &Arc<str>) -> SinkCounters {
        let label = SinkLabel { sink: name.to_string() };
        let queue = self.queues.lock().entry(name.clone()).or_default().clone();
        let counters = SinkCounters {
            sink: name.clone(),
            emissions: self.emissions.get_or_create(&label).clone(),
            rows: self.rows.get_or_create(&label).clone(),
            bytes: self.bytes.get_or_create(&label).clone(),
            in_flight: self.in_flight.get_or_create(&label).clone(),
            connected: self.connected.get_or_create(&label).clone(),
            retries: self.retries.get_or_create(&label).clone(),
            metered: self.metered.get_or_create(&label).clone(),
            queue,
            reconnects: self.reconnects.clone(),
            dropped: self.dropped.clone(),
        };
        counters.begin(&[], &["queue_full", "larger_than_queue", "sink_closed", "stopped"]);
        counters
    }
}

impl SinkCounters {
    /// Lets the counters of these reasons begin at 0: an alert on an increase needs a value from before it.
    pub(crate) fn begin(&self, reconnects: &[&'static str], dropped: &[&'static str]) {
        for reason in reconnects {
            self.reconnects(reason);
        }
        for reason in dropped {
            self.dropped(reason);
        }
    }

    /// Counts emissions or rows that were given up.
    pub(crate) fn dropped(&self, reason: &'static str) -> Counter {
        self.dropped.get_or_create(&self.because(reason)).clone()
    }

    /// Counts connections that failed or were lost.
    pub(crate) fn reconnects(&self, reason: &'static str) -> Counter {
        self.reconnects.get_or_create(&self.because(reason)).clone()
    }

    fn because(&self, reason: &'static str) -> SinkReasonLabel {
        SinkReasonLabel {
            sink: self.sink.to_string(),
            reason,
        }
    }
}

impl QueueDepth {
    /// Takes over the depth after a change.
    pub(crate) fn set(&self, depth: Depth) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = depth;
    }

    /// The depth now.
    pub(crate) fn read(&self) -> Depth {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Arc<QueueDepth>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let now = clock::monotonic();
        let depths: Vec<_> = self
            .lock()
            .iter()
            .map(|(name, queue)| (name.clone(), queue.read()))
            .collect();
        for (metric, help, value) in QUEUE_METRICS {
            let gauge = ConstGauge::new(0.0);
            let mut family = encoder.encode_descriptor(metric, help, None, gauge.metric_type())?;
            for (name, depth) in &depths {
                let gauge = ConstGauge::new(value(depth, now));
                gauge.encode(family.encode_family(&[("sink", name.as_ref())])?)?;
            }
        }
        Ok(())
    }
}

type QueueMetric = (&'static str, &'static str, fn(&Depth, Instant) -> f64);

const QUEUE_METRICS: [QueueMetric; 3] = [
    (
        "queue_emissions",
        "Emissions that wait for the sink, those in flight included",
        |depth, _| exact(depth.emissions),
    ),
    (
        "queue_bytes",
        "Bytes of the emissions that wait for the sink",
        |depth, _| exact(depth.bytes),
    ),
    (
        "queue_oldest_age_seconds",
        "How long the oldest waiting emission has waited; 0 when none waits",
        |depth, now| {
            depth
                .oldest
                .map_or(0.0, |oldest| now.saturating_duration_since(oldest).as_secs_f64())
        },
    ),
];

/// Beyond 2^32 the gauge shows that bound; queues are far smaller.
fn exact(value: u64) -> f64 {
    u32::try_from(value).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_metric_with_its_sink() {
        let mut registry = Registry::with_prefix("rulemill");
        let metrics = SinkMetrics::default();
        metrics.register(&mut registry);
        let counters = metrics.of(&Arc::from("aws"));
        counters.emissions.inc();
        counters.dropped("queue_full").inc_by(3);
        counters.reconnects("io").inc();
        counters.begin(&["tls"], &["refused"]);
        counters.queue.set(Depth {
            emissions: 2,
            bytes: 100,
            oldest: Some(clock::monotonic()),
        });

        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();

        for line in [
            "rulemill_sink_emissions_total{sink=\"aws\"} 1",
            "rulemill_sink_dropped_total{sink=\"aws\",reason=\"queue_full\"} 3",
            "rulemill_sink_reconnects_total{sink=\"aws\",reason=\"io\"} 1",
            "rulemill_sink_reconnects_total{sink=\"aws\",reason=\"tls\"} 0",
            "rulemill_sink_dropped_total{sink=\"aws\",reason=\"refused\"} 0",
            "rulemill_sink_dropped_total{sink=\"aws\",reason=\"stopped\"} 0",
            "rulemill_sink_cloud_metered_units_total{sink=\"aws\"} 0",
            "rulemill_sink_queue_emissions{sink=\"aws\"} 2",
            "rulemill_sink_queue_bytes{sink=\"aws\"} 100",
            "rulemill_sink_queue_oldest_age_seconds{sink=\"aws\"}",
        ] {
            assert!(
                text.lines().any(|found| found.starts_with(line)),
                "{line} is missing in\n{text}"
            );
        }
    }
}
