//! What is counted about the built-in listener.
//!
//! | metric | kind | meaning |
//! |---|---|---|
//! | `rulemill_listener_clients` | gauge | devices connected now |
//! | `rulemill_listener_connections_total` | counter | connections whose CONNECT was accepted |
//! | `rulemill_listener_closed_total` | counter, by `reason` | connections that ended or were refused |
//! | `rulemill_listener_messages_total` | counter | messages handed to the mills |
//! | `rulemill_listener_bytes_total` | counter | their payload bytes |
//! | `rulemill_listener_batches_total` | counter | the batches they left in |
//! | `rulemill_listener_acknowledged_total` | counter | QoS 1 messages acknowledged to devices |

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write as _};

/// The metrics of the built-in listener; clones share their values.
#[derive(Clone, Debug, Default)]
pub struct ListenerMetrics {
    /// Devices connected now.
    pub clients: Gauge,
    /// Connections whose CONNECT was accepted.
    pub connections: Counter,
    /// Messages handed to the mills.
    pub messages: Counter,
    /// Their payload bytes.
    pub bytes: Counter,
    /// The batches they left in.
    pub batches: Counter,
    /// QoS 1 messages acknowledged to devices.
    pub acknowledged: Counter,
    closed: Family<CloseLabel, Counter>,
}

/// Why a device's connection ended, or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The device sent DISCONNECT.
    Disconnected,
    /// The device closed the connection without DISCONNECT.
    Closed,
    /// The network failed, or the device did not read its answers.
    Network,
    /// Nothing came for one and a half keep-alives.
    KeepAlive,
    /// No CONNECT came in time.
    ConnectTimeout,
    /// There are as many clients as configured.
    Full,
    /// Another protocol than MQTT 3.1.1.
    ProtocolVersion,
    /// An empty client id without a clean session.
    ClientId,
    /// A packet that MQTT does not allow, or not there.
    Malformed,
    /// A packet over the size limit.
    Oversize,
    /// A message with QoS 2.
    Qos2,
    /// A message to an impossible topic.
    TopicName,
    /// Another connection came with the same client id.
    Takeover,
    /// rulemill stops.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloseLabel {
    reason: CloseReason,
}

impl ListenerMetrics {
    /// Adds the metrics to `registry`; its prefix is `rulemill`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("listener");
        registry.register("clients", "Devices connected to the listener", self.clients.clone());
        registry.register("connections", "Connections accepted", self.connections.clone());
        registry.register("closed", "Connections that ended or were refused", self.closed.clone());
        registry.register("messages", "Messages handed to the mills", self.messages.clone());
        registry.register("bytes", "Payload bytes handed to the mills", self.bytes.clone());
        registry.register("batches", "Batches handed to the mills", self.batches.clone());
        registry.register(
            "acknowledged",
            "QoS 1 messages acknowledged to devices",
            self.acknowledged.clone(),
        );
    }

    /// How many connections ended for `reason`.
    pub fn closed(&self, reason: CloseReason) -> Counter {
        self.closed.get_or_create_owned(&CloseLabel { reason })
    }
}

impl CloseReason {
    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::Disconnected => "disconnected",
            CloseReason::Closed => "closed",
            CloseReason::Network => "network",
            CloseReason::KeepAlive => "keep-alive",
            CloseReason::ConnectTimeout => "connect-timeout",
            CloseReason::Full => "full",
            CloseReason::ProtocolVersion => "protocol-version",
            CloseReason::ClientId => "client-id",
            CloseReason::Malformed => "malformed",
            CloseReason::Oversize => "oversize",
            CloseReason::Qos2 => "qos2",
            CloseReason::TopicName => "topic-name",
            CloseReason::Takeover => "takeover",
            CloseReason::Stopped => "stopped",
        }
    }

    /// Whether the device did something that its owner should know about.
    pub fn is_fault(self) -> bool {
        match self {
            CloseReason::Disconnected
            | CloseReason::Closed
            | CloseReason::Network
            | CloseReason::KeepAlive
            | CloseReason::Takeover
            | CloseReason::Stopped => false,
            CloseReason::ConnectTimeout
            | CloseReason::Full
            | CloseReason::ProtocolVersion
            | CloseReason::ClientId
            | CloseReason::Malformed
            | CloseReason::Oversize
            | CloseReason::Qos2
            | CloseReason::TopicName => true,
        }
    }
}

impl EncodeLabelValue for CloseReason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_connections_are_counted_by_reason() {
        let mut registry = Registry::with_prefix("rulemill");
        let metrics = ListenerMetrics::default();
        metrics.register(&mut registry);
        metrics.closed(CloseReason::Qos2).inc();

        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();

        assert!(
            text.contains("rulemill_listener_closed_total{reason=\"qos2\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("rulemill_listener_clients 0\n"), "{text}");
    }
}
