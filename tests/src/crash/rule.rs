//! The rule of a crash run, and the event time that it works by.
//!
//! Event time runs faster than the wall clock and began a day ago: so windows of a second close ten times a second, a
//! lateness of half a minute passes within three seconds, and at the end the idle timeout, after which the watermark
//! follows the time of arrival, closes everything that is left.

use serde_json::{Value, json};

/// How many milliseconds of event time go by in one of the wall clock.
pub(super) const SPEED: u64 = 10;

/// How far event time is behind the wall clock at first. A run is over long before event time has caught up.
pub(super) const BEHIND_MS: u64 = 24 * 60 * 60 * 1000;

/// The size of a window.
pub(super) const WINDOW_MS: u64 = 1000;

/// How long a window waits for a message that comes again, or in another order.
pub(super) const LATENESS_MS: u64 = 30_000;

/// How long nothing may arrive. Whatever happens to rulemill and to its source must be over within this, so
/// [`super::schedule`] sees to it that rulemill's delays before it connects again stay short.
pub(super) const IDLE_MS: u64 = 20_000;

/// What the rule listens to.
pub(super) const FILTER: &str = "crash/+";

/// Who sends.
pub(super) fn topic(device: u64) -> String {
    format!("crash/{device}")
}

/// For each device and each second: how many different numbers, the smallest, the largest, and how many messages.
pub(super) fn plan() -> Value {
    let of_number = |name, function| json!({"name": name, "function": function, "arguments": [{"column": 1}]});
    json!({
        "name": "crash",
        "topics": [FILTER],
        "needs": [
            {"name": "topic", "type": "text", "origin": "topic"},
            {"name": "seq", "type": "int", "origin": {"field": ["seq"]}, "missing": "reject", "mistyped": "reject"},
            {"name": "time", "type": "time", "origin": {"field": ["time"]}, "missing": "reject", "mistyped": "reject"},
        ],
        "keys": [0],
        "window": {"kind": "tumbling", "size_ms": WINDOW_MS},
        "event_time": {"column": 2, "lateness_ms": LATENESS_MS, "late": "dead_letter", "idle_ms": IDLE_MS},
        "aggregates": [
            of_number("distinct", "count_distinct"),
            of_number("min", "min"),
            of_number("max", "max"),
            {"name": "count", "function": "count"},
        ],
        "emits": [
            {"name": "device", "column": 0},
            {"name": "from", "column": 1},
            {"name": "distinct", "column": 3},
            {"name": "min", "column": 4},
            {"name": "max", "column": 5},
            {"name": "count", "column": 6},
        ],
    })
}
