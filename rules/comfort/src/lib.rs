//! The shipped rule with computed columns before and after the window.

mod air;

use air::{Feeling, dew_point, rounded};
use rulemill_guest::prelude::*;
use std::time::Duration;

/// Per device, every ten seconds: the average temperature and dew point, the spread of the temperature, and in a word
/// how it feels. A device with fewer messages than the setting `messages_min` is left out.
pub fn comfort() -> Rule {
    let messages = Messages::new("comfort");
    messages.doc("Per device, every ten seconds: temperature, dew point and how they feel");
    messages.topics(["devices/+/messages"]);
    let messages_min = messages.setting("messages_min", 2, "the fewest messages of a device that make a result");
    let temperature = messages.required_field::<f64>("temperature");
    let humidity = messages.required_field::<f64>("humidity");
    let device = messages.call::<str>("split_value", (messages.topic(), "/", 1));
    let dew = messages.compute("dew_point", (temperature, humidity), |(temperature, humidity)| {
        dew_point(temperature, humidity)
    });

    let (groups, device) = messages.group_by(device).tumbling(Duration::from_secs(10));
    let inputs = (groups.count(), messages_min);
    groups.having(groups.compute("enough", inputs, |(count, messages_min)| count >= messages_min));
    let temperature_mean = groups.avg(temperature);
    let dew_mean = groups.avg(dew);
    let extremes = (groups.min(temperature), groups.max(temperature));

    groups.emit("device_id", device);
    groups.emit("temperature", groups.compute("temperature", temperature_mean, rounded));
    groups.emit("dew_point", groups.compute("dew_point", dew_mean, rounded));
    groups.emit(
        "spread",
        groups.compute("spread", extremes, |(least, most)| rounded(most - least)),
    );
    groups.emit(
        "feels",
        groups.compute("feels", (temperature_mean, dew_mean), |(temperature, dew_point)| {
            Feeling::of(temperature, dew_point).name()
        }),
    );
    groups.done()
}

rulemill_guest::rule!(comfort);

#[cfg(test)]
mod tests {
    use super::comfort;
    use rulemill_guest::testing::RuleTest;

    fn test() -> RuleTest {
        RuleTest::new(comfort()).library(&text::LIBRARY)
    }

    #[test]
    fn a_device_is_summed_up() {
        let rows = test()
            .message("devices/attic/messages", r#"{"temperature": 30, "humidity": 70}"#)
            .message("devices/attic/messages", r#"{"temperature": 32.5, "humidity": 70}"#)
            .rows();
        let expected = r#"{"device_id":"attic","dew_point":25.12,"feels":"muggy","spread":2.5,"temperature":31.25}"#;
        assert_eq!(rows, [expected]);
    }

    #[test]
    fn devices_with_too_few_messages_are_left_out() {
        let message = |test: RuleTest| test.message("devices/a/messages", r#"{"temperature": 20, "humidity": 50}"#);
        assert_eq!(message(test()).rows().len(), 0);
        assert_eq!(message(test()).setting("messages_min", 1).rows().len(), 1);
        assert_eq!(message(message(test())).rows().len(), 1);
    }

    #[test]
    fn an_impossible_humidity_costs_its_row_only() {
        let rows = test()
            .setting("messages_min", 1)
            .message("devices/a/messages", r#"{"temperature": 20, "humidity": 0}"#)
            .message("devices/a/messages", r#"{"temperature": 20, "humidity": 130}"#)
            .message("devices/a/messages", r#"{"temperature": 10, "humidity": 100}"#)
            .rows();
        let expected = r#"{"device_id":"a","dew_point":10.0,"feels":"cold","spread":0.0,"temperature":10.0}"#;
        assert_eq!(rows, [expected]);
    }
}
