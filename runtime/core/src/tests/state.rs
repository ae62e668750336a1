//! Windows from a row to a row.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, version,
};
use crate::{Micros, Removal, RuleVersion, Swap};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};

/// From a value above `begin` to one above `emit`.
fn state(begin: f64, emit: f64) -> Plan {
    Plan {
        needs: vec![field("v", Type::Float), field("time", Type::Time)],
        before: vec![
            call("above", vec![column(0), literal(begin)]),
            call("above", vec![column(0), literal(emit)]),
        ],
        window: Some(Window::State {
            begin: ColumnIndex(2),
            emit: ColumnIndex(3),
        }),
        aggregates: vec![aggregate("c", "count", vec![]), aggregate("s", "sum", vec![column(0)])],
        emits: emits(&[("c", 2), ("s", 3)]),
        ..empty_plan()
    }
}

fn value(at: i64, value: f64) -> Message {
    message(at, "t", &[("v", Value::Float(value))])
}

#[test]
fn a_window_has_its_first_row_its_last_one_and_all_between_them() {
    let mut driver = Driver::with(state(1.0, 5.0));
    driver.send(&[value(0, 0.0), value(100, 2.0), value(200, 0.0), message(300, "t", &[])]);
    assert_eq!(
        driver.stream.next_deadline(),
        None,
        "it waits for a row, not for the time"
    );
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 1);
    driver.tick(1_000_000);
    driver.send(&[value(1_000_400, 6.0), value(1_000_500, 0.0)]);
    assert_eq!(driver.taken("rule"), ["[100, 1000400) c=4 s=8"]);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_in, counts.rows_windowed, counts.rows_filtered), (6, 4, 2));
}

#[test]
fn a_row_may_begin_a_window_and_end_it() {
    let mut driver = Driver::with(state(1.0, 5.0));
    driver.send(&[value(0, 6.0), value(100, 7.0)]);
    assert_eq!(driver.taken("rule"), ["[0, 0) c=1 s=6", "[100, 100) c=1 s=7"]);
}

#[test]
fn in_event_time_rows_come_to_their_window_in_order() {
    let plan = Plan {
        event_time: Some(EventTime {
            column: ColumnIndex(1),
            lateness_ms: 100,
            late: LatePolicy::Drop,
            idle_ms: Some(1000),
        }),
        ..state(1.0, 5.0)
    };
    let mut driver = Driver::with(plan);
    let event = |at, time, value| message(at, "t", &[("v", Value::Float(value)), ("time", Value::Int(time))]);
    driver.send(&[
        event(0, 300, 6.0),
        event(1, 250, 0.5),
        event(2, 200, 2.0),
        event(3, 310, 0.0),
    ]);
    assert!(driver.emissions.is_empty());
    driver.tick(2000);
    assert_eq!(driver.taken("rule"), ["[200, 300) c=3 s=8.5"]);
    assert_eq!(driver.counts("rule").rows_filtered, 1);
}

#[test]
fn the_version_before_takes_rows_until_one_ends_its_window() {
    let mut driver = Driver::with(state(1.0, 5.0));
    driver.send(&[value(0, 2.0)]);
    assert_eq!(driver.put("rule", state(1.0, 5.0)), Swap::StateKept);
    assert_eq!(driver.put("rule", state(1.0, 4.0)), Swap::StateDraining);
    driver.send(&[value(100, 4.5), value(200, 6.0), value(300, 4.5)]);
    assert_eq!(driver.taken("rule"), ["[0, 200) c=3 s=12.5", "[300, 300) c=1 s=4.5"]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().finishing, 0);
}

#[test]
fn a_rule_that_is_removed_gives_its_window_as_it_is() {
    for how in [Removal::Drain, Removal::Retire] {
        let mut driver = Driver::with(state(1.0, 5.0));
        driver.send(&[value(0, 2.0), value(100, 3.0)]);
        driver.remove("rule", how);
        assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(100)));
        driver.tick(100);
        assert_eq!(driver.taken("rule"), ["[0, 100) c=2 s=5"]);
        assert_eq!(driver.stream.rules().count(), 0, "{how:?}");
    }
}

#[test]
fn a_window_that_waits_for_a_row_to_end_it_is_there_after_a_restart() {
    let version = RuleVersion {
        tag: 3,
        ..version("rule", state(1.0, 5.0))
    };
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&[value(0, 2.0)]);
    assert_eq!(driver.restart(std::slice::from_ref(&version), 7), []);
    driver.send(&[value(100, 6.0)]);
    assert_eq!(driver.taken("rule"), ["[0, 100) c=2 s=8"]);
}
