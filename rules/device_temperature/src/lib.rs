//! The shipped rule of the tutorial.
use rulemill_guest::prelude::*;
use std::time::Duration;

/// Per device, every ten seconds: the average, largest and smallest temperature, and how many messages had one. A
/// message without a temperature, or with one that is not a number, is not counted and goes to dead letter.
pub fn device_temperature() -> Rule {
    let messages = Messages::new("device_temperature");
    messages.doc("Per device, every ten seconds: average, largest and smallest temperature, and the count");
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

#[cfg(test)]
mod tests {
    use super::device_temperature;
    use rulemill_guest::testing::RuleTest;

    fn rows(messages: &[(u32, &str)]) -> Vec<String> {
        let test = RuleTest::new(device_temperature()).library(&text::LIBRARY);
        let test = messages.iter().fold(test, |test, (device, payload)| {
            test.message(&format!("devices/{device}/messages"), payload)
        });
        test.rows()
    }

    #[test]
    fn the_tutorials_first_window() {
        let rows = rows(&[
            (1, r#"{"temperature": 20, "humidity": 30}"#),
            (2, r#"{"temperature": 31, "humidity": 40}"#),
            (1, r#"{"temperature": 35, "humidity": 50}"#),
            (2, r#"{"temperature": 20, "humidity": 30}"#),
            (1, r#"{"temperature": 80, "humidity": 90}"#),
        ]);
        assert_eq!(
            rows,
            [
                r#"{"device_id":"1","t_av":45.0,"t_count":3,"t_max":80.0,"t_min":20.0}"#,
                r#"{"device_id":"2","t_av":25.5,"t_count":2,"t_max":31.0,"t_min":20.0}"#,
            ]
        );
    }

    #[test]
    fn messages_without_a_temperature_are_not_counted() {
        let bad = [
            r#"{"humidity": 30}"#,
            r#"{"temperature": null}"#,
            r#"{"temperature": "hot"}"#,
        ];
        let mut messages = bad.map(|payload| (1, payload)).to_vec();
        assert_eq!(rows(&messages), [""; 0]);
        messages.push((1, r#"{"temperature": 7}"#));
        assert_eq!(
            rows(&messages),
            [r#"{"device_id":"1","t_av":7.0,"t_count":1,"t_max":7.0,"t_min":7.0}"#]
        );
    }

    #[test]
    fn the_rule_needs_no_kernel() {
        let rule = device_temperature();
        assert!(
            rule.prepare(&Default::default())
                .is_ok_and(|prepared| prepared.kernel_count() == 0)
        );
    }
}
