//! The shipped rule of the tutorial: per device, every ten seconds, the temperature's average, extremes and count.

use rulemill_guest::prelude::*;
use std::time::Duration;

/// Builds the rule.
pub fn device_temperature() -> Rule {
    let messages = Messages::new("device_temperature");
    messages.topics(["devices/+/messages"]);
    let temperature = messages.required_field::<f64>("temperature");
    let device = messages.call::<str>("split_value", (messages.topic(), "/", 1));
    let (groups, device) = messages.group_by(device).tumbling(Duration::from_secs(10));
    groups.emit("device_id", device);
    groups.emit("t_av", groups.avg(temperature));
    groups.emit("t_max", groups.max(temperature));
    groups.emit("t_min", groups.min(temperature));
    groups.emit("t_count", groups.count());
    groups.done()
}

rulemill_guest::rule!(device_temperature);
