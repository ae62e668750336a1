//! What is counted about each source.
//!
//! | metric | kind | meaning |
//! |---|---|---|
//! | `rulemill_source_messages_total` | counter | messages handed to the mills; one that comes over several connections counts for each |
//! | `rulemill_source_bytes_total` | counter | their payload bytes |
//! | `rulemill_source_batches_total` | counter | the batches they left in |
//! | `rulemill_source_connected` | gauge | 1 while every connection that the source needs is up |
//! | `rulemill_source_lanes` | gauge | connections that the source needs: filters that overlap in part need several |
//! | `rulemill_source_lanes_connected` | gauge | how many of them are up |
//! | `rulemill_source_crowded_filters` | gauge | filters that overlap others on their connection, as there are too many |
//! | `rulemill_source_disconnects_total` | counter, by `reason` | connections that ended or were never made |
//! | `rulemill_source_subscribe_failures_total` | counter | filters that the broker refused or did not answer |
//! | `rulemill_source_acknowledged_total` | counter | QoS 1 messages acknowledged to the broker |
//! | `rulemill_source_qos0_dropped_total` | counter | QoS 0 messages dropped because the mills were behind |
//! | `rulemill_source_oversize_total` | counter | packets over the size limit, none of which was processed |
//!
//! All have the label `source`.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write as _};

/// The metrics of all sources. Registered once; [`SourcesMetrics::source`] gives one source its own.
#[derive(Clone, Debug, Default)]
pub struct SourcesMetrics {
    messages: Family<SourceLabel, Counter>,
    bytes: Family<SourceLabel, Counter>,
    batches: Family<SourceLabel, Counter>,
    connected: Family<SourceLabel, Gauge>,
    lanes: Family<SourceLabel, Gauge>,
    lanes_connected: Family<SourceLabel, Gauge>,
    crowded_filters: Family<SourceLabel, Gauge>,
    disconnects: Family<DisconnectLabels, Counter>,
    subscribe_failures: Family<SourceLabel, Counter>,
    acknowledged: Family<SourceLabel, Counter>,
    qos0_dropped: Family<SourceLabel, Counter>,
    oversize: Family<SourceLabel, Counter>,
}

/// The metrics of one source; clones share their values.
#[derive(Clone, Debug)]
pub struct SourceMetrics {
    source: String,
    disconnects: Family<DisconnectLabels, Counter>,
    /// Messages handed to the mills.
    pub messages: Counter,
    /// Their payload bytes.
    pub bytes: Counter,
    /// The batches they left in.
    pub batches: Counter,
    /// 1 while every connection that the source needs is up, otherwise 0.
    pub connected: Gauge,
    /// The connections that the source needs.
    pub lanes: Gauge,
    /// How many of them are up.
    pub lanes_connected: Gauge,
    /// Filters that overlap others of their connection in part, because there are too many to keep them apart.
    pub crowded_filters: Gauge,
    /// Filters that the broker refused or did not answer.
    pub subscribe_failures: Counter,
    /// QoS 1 messages acknowledged to the broker.
    pub acknowledged: Counter,
    /// QoS 0 messages dropped because the mills were behind.
    pub qos0_dropped: Counter,
    /// Packets over the size limit.
    pub oversize: Counter,
}

/// Why a connection to a broker ended, or was never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// The broker's CONNACK says no.
    Refused,
    /// The network or the operating system failed.
    Network,
    /// The TLS handshake failed.
    Tls,
    /// The broker did not answer in time.
    Timeout,
    /// The broker closed the connection.
    Closed,
    /// The broker sent what MQTT does not allow.
    Protocol,
    /// A packet was over the size limit.
    Oversize,
    /// More unacknowledged QoS 1 messages than may be held while the mills are behind.
    Overload,
    /// The broker did not answer a subscription.
    SubscribeTimeout,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DisconnectLabels {
    source: String,
    reason: DisconnectReason,
}

impl SourcesMetrics {
    /// Adds the metrics of all sources, now and later, to `registry`; its prefix is `rulemill`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("source");
        registry.register(
            "messages",
            "Messages handed to the mills; one that comes over several connections counts for each",
            self.messages.clone(),
        );
        registry.register("bytes", "Payload bytes handed to the mills", self.bytes.clone());
        registry.register("batches", "Batches handed to the mills", self.batches.clone());
        registry.register(
            "connected",
            "Whether every connection to the broker that the source needs is up",
            self.connected.clone(),
        );
        registry.register(
            "lanes",
            "Connections to the broker that the source needs, more than one when filters overlap in part",
            self.lanes.clone(),
        );
        registry.register(
            "lanes_connected",
            "Connections that the source needs and that are up",
            self.lanes_connected.clone(),
        );
        registry.register(
            "crowded_filters",
            "Topic filters that overlap others of their connection in part, as there are too many to keep them apart",
            self.crowded_filters.clone(),
        );
        registry.register(
            "disconnects",
            "Connections to the broker that ended or were never made",
            self.disconnects.clone(),
        );
        registry.register(
            "subscribe_failures",
            "Topic filters that the broker refused or did not answer",
            self.subscribe_failures.clone(),
        );
        registry.register(
            "acknowledged",
            "QoS 1 messages acknowledged to the broker",
            self.acknowledged.clone(),
        );
        registry.register(
            "qos0_dropped",
            "QoS 0 messages dropped because the mills were behind",
            self.qos0_dropped.clone(),
        );
        registry.register("oversize", "Packets over the size limit", self.oversize.clone());
    }

    /// The metrics of the source named `source`; the same ones each time.
    pub fn source(&self, source: &str) -> SourceMetrics {
        let label = SourceLabel { source: source.into() };
        let metrics = SourceMetrics {
            source: source.into(),
            disconnects: self.disconnects.clone(),
            messages: self.messages.get_or_create_owned(&label),
            bytes: self.bytes.get_or_create_owned(&label),
            batches: self.batches.get_or_create_owned(&label),
            connected: self.connected.get_or_create_owned(&label),
            lanes: self.lanes.get_or_create_owned(&label),
            lanes_connected: self.lanes_connected.get_or_create_owned(&label),
            crowded_filters: self.crowded_filters.get_or_create_owned(&label),
            subscribe_failures: self.subscribe_failures.get_or_create_owned(&label),
            acknowledged: self.acknowledged.get_or_create_owned(&label),
            qos0_dropped: self.qos0_dropped.get_or_create_owned(&label),
            oversize: self.oversize.get_or_create_owned(&label),
        };
        // An alert on an increase needs a value from before it.
        for reason in DisconnectReason::ALL {
            metrics.disconnects(reason);
        }
        metrics
    }
}

impl SourceMetrics {
    /// How many connections ended for `reason`.
    pub fn disconnects(&self, reason: DisconnectReason) -> Counter {
        self.disconnects.get_or_create_owned(&DisconnectLabels {
            source: self.source.clone(),
            reason,
        })
    }
}

impl DisconnectReason {
    const ALL: [DisconnectReason; 9] = [
        DisconnectReason::Refused,
        DisconnectReason::Network,
        DisconnectReason::Tls,
        DisconnectReason::Timeout,
        DisconnectReason::Closed,
        DisconnectReason::Protocol,
        DisconnectReason::Oversize,
        DisconnectReason::Overload,
        DisconnectReason::SubscribeTimeout,
    ];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            DisconnectReason::Refused => "refused",
            DisconnectReason::Network => "network",
            DisconnectReason::Tls => "tls",
            DisconnectReason::Timeout => "timeout",
            DisconnectReason::Closed => "closed",
            DisconnectReason::Protocol => "protocol",
            DisconnectReason::Oversize => "oversize",
            DisconnectReason::Overload => "overload",
            DisconnectReason::SubscribeTimeout => "subscribe-timeout",
        }
    }
}

impl EncodeLabelValue for DisconnectReason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_own_values_under_one_description() {
        let mut registry = Registry::with_prefix("rulemill");
        let metrics = SourcesMetrics::default();
        metrics.register(&mut registry);
        metrics.source("a").messages.inc_by(3);
        metrics.source("a").messages.inc();
        metrics.source("b").disconnects(DisconnectReason::Tls).inc();

        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();

        assert!(
            text.contains("rulemill_source_messages_total{source=\"a\"} 4\n"),
            "{text}"
        );
        assert!(
            text.contains("rulemill_source_disconnects_total{source=\"b\",reason=\"tls\"} 1\n"),
            "{text}"
        );
        for reason in DisconnectReason::ALL {
            let line = format!(
                "rulemill_source_disconnects_total{{source=\"a\",reason=\"{}\"}} 0\n",
                reason.as_str()
            );
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        assert_eq!(text.matches("# TYPE rulemill_source_messages counter").count(), 1);
    }
}
