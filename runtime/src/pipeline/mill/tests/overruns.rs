//! Guests that overrun cost their batch little more than one call, and other rules nothing but that time.

use super::Bench;
use crate::config::LimitsConfig;
use rulemill_test_guests::{ENDLESS_LOOP, LibraryGuest, RuleGuest, on_int, plan_guest};
use serde_json::{Value, json};
use std::time::Duration;

/// Counts the rows that its kernel gave back, in windows of ten seconds.
pub(super) fn counting_plan() -> Value {
    json!({
        "name": "looping",
        "topics": ["a"],
        "needs": [{"name": "value", "type": "int", "origin": {"field": ["value"]}}],
        "before": [{"kernel": {"kernel": 0, "inputs": [0], "outputs": [{"name": "result", "type": "int"}]}}],
        "window": {"kind": "tumbling", "size_ms": 10_000},
        "aggregates": [{"name": "n", "function": "count"}],
        "emits": [{"name": "n", "column": 2}],
    })
}

/// The same with a function of `value` (column 0) or `other` (column 1) in place of the kernel.
pub(super) fn calling_plan(function: &str, arguments: &Value) -> Value {
    let mut plan = counting_plan();
    let other = json!({"name": "other", "type": "int", "origin": {"field": ["other"]}});
    plan["needs"].as_array_mut().unwrap().push(other);
    plan["before"] = json!([{"call": {"name": "result", "function": function, "arguments": arguments}}]);
    plan
}

fn bench(call_timeout: u64) -> Bench {
    let mut bench = Bench::new();
    bench.limits = LimitsConfig {
        call_timeout: Duration::from_millis(call_timeout),
        ..LimitsConfig::default()
    };
    bench.put("counts", "a");
    bench
}

pub(super) fn values(values: impl IntoIterator<Item = i64>) -> Vec<String> {
    let payload = |value| json!({"other": 1, "value": value}).to_string();
    values.into_iter().map(payload).collect()
}

/// What all kernels of the bench have cost.
fn spent(bench: &Bench) -> Duration {
    bench.mill.guests.kernel_stats().map(|(_, _, stats)| stats.time).sum()
}

#[test]
fn one_row_that_loops_is_found_alone_among_a_thousand() {
    let mut bench = bench(500);
    let guest = RuleGuest::new(&counting_plan()).attack(&on_int(7, ENDLESS_LOOP));
    bench.put_guest("looping", &guest.build());
    bench.send_all(values((0..1024).map(|row| if row == 700 { 7 } else { 1 })), 1, 1);
    bench.tick(10);
    assert_eq!(
        bench.emitted(),
        [r#"counts 0 [{"n":1024}]"#, r#"looping 0 [{"n":1023}]"#]
    );
    let dead = bench.dead();
    assert_eq!(
        (dead.len(), &dead[0]["payload"]),
        (1, &json!(r#"{"other":1,"value":7}"#))
    );
    let reason = dead[0]["reason"].as_str().unwrap();
    assert!(reason.contains("(limits.call_timeout)"), "{reason}");
    let spent = spent(&bench);
    assert!(spent < Duration::from_secs(1), "{spent:?} are two calls");
}

#[test]
fn rows_that_all_loop_are_given_up_when_their_time_is_spent() {
    let mut bench = bench(50);
    let guest = RuleGuest::new(&counting_plan()).attack(&on_int(7, ENDLESS_LOOP));
    bench.put_guest("looping", &guest.build());
    bench.send_all(values([7; 1024]), 1, 1);
    bench.send_all(values([1; 10]), 2, 2);
    bench.tick(10);
    assert_eq!(
        bench.emitted(),
        [r#"counts 0 [{"n":1034}]"#, r#"looping 0 [{"n":10}]"#],
        "the next batch has all of its time"
    );
    let dead = bench.dead();
    assert_eq!(dead.len(), 1024);
    let last = dead[1023]["reason"].as_str().unwrap();
    assert!(
        last.contains("not tried: ") && last.contains("(limits.call_timeout)"),
        "{last}"
    );
    assert_eq!(dead[1023]["kind"], "guest");
    // Looking for each row would take a hundred calls. The machine may be busy.
    let spent = spent(&bench);
    assert!(spent < Duration::from_secs(1), "{spent:?}");
}

#[test]
fn a_function_is_served_though_another_of_its_library_has_spent_the_time() {
    let description = json!({
        "name": "calc",
        "scalars": [
            {"name": "loops", "parameters": [{"name": "value", "type": "int"}], "returns": "int", "volatility": "volatile"},
            {"name": "same", "parameters": [{"name": "value", "type": "int"}, {"name": "other", "type": "int"}],
             "returns": "int", "volatility": "volatile"},
        ],
    });
    let mut bench = bench(50);
    // The number of columns tells the functions apart.
    let attack = format!("(if (i32.eq (local.get $count) (i32.const 1)) (then {ENDLESS_LOOP}))");
    bench.put_guest("calc", &LibraryGuest::new(&description).attack(&attack).build());
    let plan = calling_plan("loops", &json!([{"column": 0}]));
    bench.put_guest("loops", &plan_guest(&plan));
    let plan = calling_plan("same", &json!([{"column": 0}, {"column": 1}]));
    bench.put_guest("same", &plan_guest(&plan));
    bench.send_all(values(0..100), 1, 1);
    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"counts 0 [{"n":100}]"#, r#"same 0 [{"n":100}]"#]);
    assert_eq!(bench.dead().len(), 100);
}
