//! The rule device_temperature as somebody would write it by hand in Rust: the reference.

use rulemill::message::Message;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The rule with its open window.
pub(crate) struct Native {
    window_us: i64,
    end: i64,
    devices: HashMap<String, Aggregate>,
}

#[derive(Deserialize)]
struct Reading {
    temperature: f64,
}

struct Aggregate {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

#[derive(Serialize)]
struct Emitted<'a> {
    device_id: &'a str,
    t_av: f64,
    t_count: u64,
    t_max: f64,
    t_min: f64,
}

impl Native {
    pub(crate) fn new(window_ms: u64) -> Self {
        Native {
            window_us: window_ms.cast_signed() * 1000,
            end: i64::MIN,
            devices: HashMap::new(),
        }
    }

    /// Takes a message; gives the emission of the window that it closed.
    pub(crate) fn process(&mut self, message: &Message) -> Option<Vec<u8>> {
        let emission = if message.arrival.0 >= self.end {
            self.close(message.arrival.0)
        } else {
            None
        };
        let Ok(reading) = serde_json::from_slice::<Reading>(&message.payload) else {
            return emission;
        };
        let Some(device) = message.topic.split('/').nth(1) else {
            return emission;
        };
        if let Some(aggregate) = self.devices.get_mut(device) {
            aggregate.add(reading.temperature);
        } else {
            let mut aggregate = Aggregate {
                count: 0,
                sum: 0.0,
                min: f64::INFINITY,
                max: f64::NEG_INFINITY,
            };
            aggregate.add(reading.temperature);
            self.devices.insert(device.to_owned(), aggregate);
        }
        emission
    }

    fn close(&mut self, now: i64) -> Option<Vec<u8>> {
        self.end = now - now.rem_euclid(self.window_us) + self.window_us;
        let rows: Vec<Emitted<'_>> = self
            .devices
            .iter()
            .map(|(device_id, aggregate)| Emitted {
                device_id,
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
                t_av: aggregate.sum / aggregate.count as f64,
                t_count: aggregate.count,
                t_max: aggregate.max,
                t_min: aggregate.min,
            })
            .collect();
        let emission = serde_json::to_vec(&rows).ok().filter(|_| !rows.is_empty());
        self.devices.clear();
        emission
    }
}

impl Aggregate {
    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}
