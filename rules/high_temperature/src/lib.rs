//! The shipped rule without a window: an alert for each message that is too warm.

use rulemill_guest::prelude::*;

/// For each message with a temperature above the setting `threshold`: the device, the temperature, the threshold and
/// when the message arrived. A message without a temperature is ignored: it is not too warm.
pub fn high_temperature() -> Rule {
    let messages = Messages::new("high_temperature");
    messages.doc("An alert for each temperature above the setting `threshold`");
    messages.topics(["devices/+/messages"]);
    let temperature = messages.field::<f64>("temperature");
    let threshold = messages.setting(
        "threshold",
        80.0,
        "the highest temperature without an alert, in degrees Celsius",
    );

    // The filter comes first: later steps see only the few messages that pass it.
    let inputs = (temperature, threshold.clone());
    messages.keep(messages.compute("too_warm", inputs, |(temperature, threshold)| temperature > threshold));
    let device = messages.call::<str>("split_value", (messages.topic(), "/", 1));

    messages.emit("device_id", device);
    messages.emit("temperature", temperature);
    messages.emit(
        "threshold",
        messages.compute("threshold", threshold, |threshold| threshold),
    );
    messages.emit("time", messages.arrival_time());
    messages.done()
}

rulemill_guest::rule!(high_temperature);

#[cfg(test)]
mod tests {
    use super::high_temperature;
    use rulemill_guest::testing::RuleTest;

    fn test() -> RuleTest {
        RuleTest::new(high_temperature())
            .library(&text::LIBRARY)
            .message("devices/a/messages", r#"{"temperature": 80}"#)
            .message("devices/b/messages", r#"{"temperature": 80.5}"#)
            .message("devices/c/messages", r#"{"temperature": "95"}"#)
            .message("devices/d/messages", r#"{"humidity": 95}"#)
    }

    #[test]
    fn only_temperatures_above_the_threshold_pass() {
        let expected = r#"{"device_id":"b","temperature":80.5,"threshold":80.0,"time":1000000}"#;
        assert_eq!(test().rows(), [expected]);
    }

    #[test]
    fn the_threshold_is_a_setting() {
        assert_eq!(test().setting("threshold", 70).rows().len(), 2);
        assert_eq!(test().setting("threshold", 99.9).rows().len(), 0);
    }

    #[test]
    fn a_setting_of_another_type_is_refused() {
        let settings = [("threshold".to_owned(), "high".into())].into();
        let failure = high_temperature().prepare(&settings).err().unwrap();
        assert_eq!(failure.message, "the setting threshold must be float, got \"high\"");
    }
}
