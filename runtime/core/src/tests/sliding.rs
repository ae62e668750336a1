//! Windows around a row.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, version,
};
use crate::{Bounds, Micros, Removal, Swap};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};

fn sliding(size_ms: u64, delay_ms: u64) -> Plan {
    Plan {
        needs: vec![field("n", Type::Int), field("time", Type::Time)],
        window: Some(Window::Sliding {
            size_ms,
            delay_ms,
            when: None,
        }),
        aggregates: vec![aggregate("c", "count", vec![]), aggregate("s", "sum", vec![column(0)])],
        emits: emits(&[("c", 2), ("s", 3)]),
        ..empty_plan()
    }
}

fn event_sliding(delay_ms: u64, lateness_ms: u64, idle_ms: Option<u64>) -> Plan {
    Plan {
        event_time: Some(EventTime {
            column: ColumnIndex(1),
            lateness_ms,
            late: LatePolicy::Drop,
            idle_ms,
        }),
        ..sliding(1000, delay_ms)
    }
}

fn number(at: i64, n: i64) -> Message {
    message(at, "t", &[("n", Value::Int(n))])
}

fn event(at: i64, time: i64, n: i64) -> Message {
    message(at, "t", &[("n", Value::Int(n)), ("time", Value::Int(time))])
}

#[test]
fn each_row_has_a_window_of_the_time_before_it() {
    let mut driver = Driver::with(sliding(1000, 0));
    driver.send(&[number(0, 1), number(500, 2), number(1000, 4), number(1001, 8)]);
    let expected = [
        "[-1000, 0) c=1 s=1",
        "[-500, 500) c=2 s=3",
        "[0, 1000) c=3 s=7",
        "[1, 1001) c=3 s=14",
    ];
    assert_eq!(driver.taken("rule"), expected);
    assert_eq!(driver.stream.next_deadline(), None);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_windowed, counts.windows_closed), (4, 4));
}

#[test]
fn with_a_delay_a_window_has_the_time_after_its_row_too() {
    let mut driver = Driver::with(sliding(1000, 500));
    driver.send(&[number(0, 1), number(499, 2)]);
    assert!(driver.emissions.is_empty());
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(500)));
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 1);
    driver.send(&[number(500, 4)]);
    assert_eq!(driver.taken("rule"), ["[-1000, 500) c=2 s=3"]);
    driver.tick(999);
    assert_eq!(driver.taken("rule"), ["[-501, 999) c=3 s=7"]);
    driver.tick(5000);
    assert_eq!(driver.taken("rule"), ["[-500, 1000) c=3 s=7"]);
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn only_rows_that_are_to_have_a_window_have_one() {
    let mut plan = sliding(1000, 0);
    plan.needs.push(field("temperature", Type::Float));
    plan.before = vec![call("above", vec![column(2), literal(5.0)])];
    plan.window = Some(Window::Sliding {
        size_ms: 1000,
        delay_ms: 0,
        when: Some(ColumnIndex(3)),
    });
    let mut driver = Driver::with(plan);
    let row = |at, n, temperature| {
        message(
            at,
            "t",
            &[("n", Value::Int(n)), ("temperature", Value::Float(temperature))],
        )
    };
    driver.send(&[row(0, 1, 1.0), row(100, 2, 6.0), number(200, 4), row(1050, 8, 7.0)]);
    assert_eq!(driver.taken("rule"), ["[-900, 100) c=2 s=3", "[50, 1050) c=3 s=14"]);
    assert_eq!(driver.counts("rule").rows_windowed, 4);
}

#[test]
fn the_condition_of_a_window_is_a_bool() {
    let mut plan = sliding(1000, 0);
    plan.window = Some(Window::Sliding {
        size_ms: 1000,
        delay_ms: 0,
        when: Some(ColumnIndex(0)),
    });
    let error = Driver::new().try_put(&version("rule", plan)).unwrap_err();
    assert!(error.to_string().contains("must be of type bool"), "{error}");
}

#[test]
fn in_event_time_windows_come_in_order_of_time() {
    let mut driver = Driver::with(event_sliding(0, 300, Some(2000)));
    driver.send(&[event(0, 500, 2), event(1, 300, 1), event(2, 600, 4), event(3, 200, 8)]);
    assert_eq!(driver.taken("rule"), ["[-700, 300) c=1 s=1"]);
    assert_eq!(driver.counts("rule").rows_late, 1);
    driver.tick(3000);
    assert_eq!(driver.taken("rule"), ["[-500, 500) c=2 s=3", "[-400, 600) c=3 s=7"]);
}

/// A rule beside it that has the time passed on to all must not show.
#[test]
fn rows_of_the_time_before_stay_when_the_clock_is_set_back() {
    for beside in [false, true] {
        let mut driver = Driver::with(event_sliding(0, 0, Some(1000)));
        if beside {
            let mut tumbling = sliding(1000, 0);
            tumbling.window = Some(Window::Tumbling { size_ms: 3000 });
            driver.put("beside", tumbling);
        }
        driver.send(&[event(300, 700, 1)]);
        driver.tick(3000);
        driver.set_back(800);
        driver.send(&[event(800, 800, 2)]);
        assert_eq!(driver.taken("rule"), ["[-300, 700) c=1 s=1", "[-200, 800) c=2 s=3"]);
    }
}

#[test]
fn the_rows_of_the_time_before_are_bounded_and_go_with_the_time() {
    let mut version = version("rule", sliding(1000, 0));
    version.bounds = Bounds {
        rows_max: 2,
        ..Bounds::default()
    };
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&[number(0, 1), number(1, 2), number(2, 4), number(1001, 8)]);
    assert_eq!(driver.reasons(), ["2: the rule keeps the most rows that it may, 2"]);
    assert_eq!(
        driver.taken("rule"),
        ["[-1000, 0) c=1 s=1", "[-999, 1) c=2 s=3", "[1, 1001) c=2 s=10"]
    );
}

#[test]
fn another_size_is_another_layout_and_begins_at_once() {
    let mut driver = Driver::with(sliding(1000, 0));
    driver.send(&[number(0, 1)]);
    assert_eq!(driver.put("rule", sliding(1000, 0)), Swap::StateKept);
    driver.send(&[number(100, 2)]);
    assert_eq!(driver.put("rule", sliding(500, 0)), Swap::New);
    driver.send(&[number(200, 4)]);
    let expected = ["[-1000, 0) c=1 s=1", "[-900, 100) c=2 s=3", "[-300, 200) c=1 s=4"];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn windows_that_wait_for_their_delay_come_out_with_the_rows_that_they_have() {
    let mut driver = Driver::with(sliding(1000, 500));
    driver.send(&[number(0, 1)]);
    assert_eq!(driver.put("rule", sliding(1000, 300)), Swap::StateDraining);
    driver.send(&[number(100, 2)]);
    driver.tick(400);
    driver.tick(500);
    assert_eq!(driver.taken("rule"), ["[-900, 400) c=1 s=2", "[-1000, 500) c=1 s=1"]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().finishing, 0);
    for how in [Removal::Drain, Removal::Retire] {
        let mut driver = Driver::with(sliding(1000, 500));
        driver.send(&[number(0, 1)]);
        driver.remove("rule", how);
        driver.send(&[number(100, 2)]);
        driver.tick(500);
        assert_eq!(driver.taken("rule"), ["[-1000, 500) c=1 s=1"]);
        assert_eq!(driver.stream.rules().count(), 0, "{how:?}");
    }
}

#[test]
fn all_that_wait_come_out_when_windows_are_closed() {
    let mut driver = Driver::with(event_sliding(500, 60_000, None));
    driver.send(&[event(0, 500, 2), event(1, 300, 1)]);
    driver.close_all();
    assert_eq!(driver.taken("rule"), ["[-700, 800) c=2 s=3", "[-500, 1000) c=2 s=3"]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 0);
}
