//! The messages that are measured with: a thousand devices in no particular order.

use bytes::Bytes;
use rulemill::message::{Audience, Delivery, Message};
use rulemill_core::Micros;
use std::sync::Arc;

/// Devices that send.
pub(crate) const DEVICES: usize = 1000;

/// Messages of a round; their arrival fills exactly one window of [`WINDOW_MS`].
pub(crate) const ROUND: usize = 16_384;

/// The window of the rule, in milliseconds.
pub(crate) const WINDOW_MS: u64 = 10_000;

/// The name of the source.
pub(crate) const SOURCE: &str = "bench";

/// Topics and payloads that rounds are made of.
pub(crate) struct Messages {
    devices: Vec<(Arc<str>, Bytes)>,
    source: Arc<str>,
}

impl Messages {
    pub(crate) fn new() -> Self {
        let device = |number: usize| {
            let topic = topic(number).into();
            (topic, payload(number).into())
        };
        Messages {
            devices: (0..DEVICES).map(device).collect(),
            source: SOURCE.into(),
        }
    }

    /// The deliveries of a round: as many of `batch` messages as the round has. Rounds follow each other in time, so that
    /// each begins with the close of the window before it.
    pub(crate) fn round(&self, round: usize, batch: usize) -> Vec<Delivery> {
        let start = (round as u64 + 1) * WINDOW_MS * 1000;
        let message = |number: usize| {
            let (topic, payload) = &self.devices[number * 617 % DEVICES];
            let arrival = start + number as u64 * WINDOW_MS * 1000 / ROUND as u64;
            Message {
                topic: Arc::clone(topic),
                payload: payload.clone(),
                qos: 1,
                retain: false,
                arrival: Micros(arrival.cast_signed()),
            }
        };
        let batches = (0..ROUND).step_by(batch);
        batches
            .map(|first| Delivery {
                source: Arc::clone(&self.source),
                messages: (first..first + batch).map(message).collect(),
                audience: Audience::All,
            })
            .collect()
    }
}

/// The topic of a device.
pub(crate) fn topic(device: usize) -> String {
    format!("devices/dev-{device:05}/messages")
}

/// The payload of a device, like `{"temperature": 20.5, "humidity" : 12}`.
pub(crate) fn payload(device: usize) -> String {
    format!(
        r#"{{"temperature": {}.{}, "humidity" : {}}}"#,
        20 + device % 20,
        device % 10,
        12 + device % 60
    )
}
