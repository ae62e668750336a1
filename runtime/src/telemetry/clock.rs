//! What the wall clock does to the time of arrival. It is read when it is asked for.

use crate::clock::{self, Steps};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// Registers the metrics of the clock under `rulemill_clock_...`.
pub(super) fn register(registry: &mut Registry) {
    let clock = Clock {
        read: clock::arrival_steps,
    };
    registry
        .sub_registry_with_prefix("clock")
        .register_collector(Box::new(clock));
}

#[derive(Debug)]
struct Clock {
    read: fn() -> Steps,
}

impl Collector for Clock {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let steps = (self.read)();
        let help = "Steps of the wall clock of a second or more, by what they did to the time of arrival: forward (it \
                    followed), slowed (it runs slower until both agree), set_back (it went back too).";
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut family = encoder.encode_descriptor("steps", help, None, kind)?;
        for (effect, count) in [
            ("forward", steps.forward),
            ("slowed", steps.slowed),
            ("set_back", steps.set_back),
        ] {
            let labels = [("effect", effect)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        let ahead = ConstGauge::new(steps.ahead.as_secs_f64());
        let help = "How far the time of arrival is ahead of the wall clock.";
        let metric = encoder.encode_descriptor("ahead", help, Some(&Unit::Seconds), ahead.metric_type())?;
        ahead.encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text;
    use std::time::Duration;

    #[test]
    fn each_effect_of_a_step_is_counted() {
        let mut registry = Registry::default();
        let read = || Steps {
            forward: 3,
            slowed: 2,
            set_back: 1,
            ahead: Duration::from_millis(1500),
        };
        registry.register_collector(Box::new(Clock { read }));
        let mut encoded = String::new();
        text::encode(&mut encoded, &registry).unwrap();
        for line in [
            "steps_total{effect=\"forward\"} 3",
            "steps_total{effect=\"slowed\"} 2",
            "steps_total{effect=\"set_back\"} 1",
            "ahead_seconds 1.5",
        ] {
            assert!(
                encoded.lines().any(|other| other == line),
                "{line} is not in\n{encoded}"
            );
        }
    }
}
