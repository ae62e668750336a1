//! Messages and deliveries: what flows from sources to mill threads.

use bytes::Bytes;
use rulemill_core::Micros;
use std::sync::Arc;

/// One MQTT PUBLISH as it arrived.
#[derive(Clone, Debug)]
pub struct Message {
    /// The topic it was published to; not empty.
    pub topic: Arc<str>,
    /// The payload, undecoded.
    pub payload: Bytes,
    /// The QoS it was delivered with: 0 or 1.
    pub qos: u8,
    /// Whether it was a retained message.
    pub retain: bool,
    /// When the source took it in: see [`crate::clock::arrival`].
    pub arrival: Micros,
}

/// Messages of one source, in order of arrival, at most [`crate::limits::BATCH_ROWS_MAX`]; not empty.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The source's name: `default`, or `listener` for the built-in listener.
    pub source: Arc<str>,
    /// The messages.
    pub messages: Arc<[Message]>,
}
