//! What an earlier rulemill has written must be understood for ever: the files in `change/kept` are never changed, only added to.

use super::super::state::{MillState, Position};
use super::*;
use std::collections::BTreeSet;
use std::time::Duration;

const PUT_RULE: &str = include_str!("kept/put_rule.1.json");
const PUT_LIBRARY: &str = include_str!("kept/put_library.1.json");
const MILL: &str = include_str!("kept/mill.1.json");
const POSITION: &str = include_str!("kept/position.1.json");

#[test]
fn a_rule_that_the_first_version_put_down_is_understood() {
    let Change::PutRule { rule, on_change } = serde_json::from_str(PUT_RULE).unwrap() else {
        panic!("it is another change");
    };
    assert_eq!((rule.id.as_str(), on_change), ("mean", OnChange::Boundary));
    assert_eq!(rule.limits.call_timeout, Duration::from_millis(20));
    assert_eq!(rule.reload.probation, Duration::from_secs(60));
    assert_eq!(rule.settings["threshold"], Literal::Float(2.5));
    assert_eq!(
        (rule.stream.source.as_deref(), rule.window_override_ms),
        (Some("default"), Some(5000))
    );
    // What it did not know has its default.
    let mut json: serde_json::Value = serde_json::from_str(PUT_RULE).unwrap();
    for section in ["limits", "reload"] {
        json["put_rule"]["rule"][section] = serde_json::json!({});
    }
    let Change::PutRule { rule, .. } = serde_json::from_value(json).unwrap() else {
        panic!("it is another change");
    };
    assert_eq!(
        (rule.limits, rule.reload),
        (LimitsConfig::default(), ReloadConfig::default())
    );
}

#[test]
fn the_other_changes_and_the_state_of_the_first_version_are_understood() {
    let library = serde_json::from_str(PUT_LIBRARY).unwrap();
    assert!(matches!(library, Change::PutLibrary(LibraryRecord { name, .. }) if name == "text"));
    for (json, change) in [
        (r#"{"remove_library":"text"}"#, Change::RemoveLibrary("text".to_owned())),
        (
            r#"{"remove_rule":{"id":"mean","how":"drain"}}"#,
            Change::RemoveRule {
                id: "mean".to_owned(),
                how: Removed::Drain,
            },
        ),
        (
            r#"{"process_again":{"rule":"mean","messages":[0,3]}}"#,
            Change::ProcessAgain {
                rule: "mean".to_owned(),
                messages: vec![0, 3],
            },
        ),
    ] {
        assert_eq!(serde_json::from_str::<Change>(json).unwrap(), change);
        assert_eq!(serde_json::to_string(&change).unwrap(), json);
    }
    let mill: MillState = serde_json::from_str(MILL).unwrap();
    assert_eq!(
        (mill.mill, mill.last_switch, mill.now_us),
        (1, 12, 1_795_000_000_000_000)
    );
    assert_eq!((mill.versions[&257].id.as_str(), mill.running["mean"]), ("mean", 257));
    assert_eq!(mill.last_good, BTreeSet::new());
    let position: Position = serde_json::from_str(POSITION).unwrap();
    assert_eq!(
        (position.format, position.done, position.next_message, position.mills),
        (1, 40, 41, 2)
    );
    assert_eq!(position.audiences[0].here, ["devices/+/messages"]);
}
