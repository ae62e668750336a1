//! Windows of the last rows.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, reading,
    tutorial_plan, version,
};
use crate::{Bounds, Micros, OnChange, Removal, RuleVersion, Swap};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};

fn last(rows: u64, every: u64) -> Plan {
    Plan {
        needs: vec![
            field("n", Type::Int),
            field("time", Type::Time),
            field("text", Type::Text),
        ],
        window: Some(Window::Count { rows, every }),
        aggregates: vec![aggregate("c", "count", vec![]), aggregate("s", "sum", vec![column(0)])],
        emits: emits(&[("c", 2), ("s", 3)]),
        ..empty_plan()
    }
}

fn number(at: i64, n: i64) -> Message {
    message(at, "t", &[("n", Value::Int(n))])
}

fn numbers(range: std::ops::Range<i64>) -> Vec<Message> {
    range.map(|n| number(n * 100, n)).collect()
}

#[test]
fn there_is_a_window_of_the_last_rows_with_every_so_many() {
    let mut driver = Driver::with(last(3, 2));
    driver.send(&numbers(0..7));
    assert_eq!(
        driver.taken("rule"),
        ["[0, 100) c=2 s=1", "[100, 300) c=3 s=6", "[300, 500) c=3 s=12"]
    );
    assert_eq!(
        driver.stream.next_deadline(),
        None,
        "it waits for rows, not for the time"
    );
    driver.tick(1_000_000);
    assert!(driver.emissions.is_empty());
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 1);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_windowed, counts.windows_closed), (7, 3));
}

/// Only rows above one are in groups.
fn only_above_one(rows: u64, every: u64) -> Plan {
    let mut plan = last(rows, every);
    plan.needs.push(field("value", Type::Float));
    plan.before = vec![call("above", vec![column(3), literal(1.0)])];
    plan.content = Some(ColumnIndex(4));
    plan
}

#[test]
fn rows_that_are_in_no_group_are_among_the_last_ones_all_the_same() {
    let mut driver = Driver::with(only_above_one(3, 2));
    let row = |at, n: i64, value| message(at, "t", &[("n", Value::Int(n)), ("value", Value::Float(value))]);
    let rows = [
        (0, 1, 2.0),
        (1, 2, 0.0),
        (2, 4, 0.0),
        (3, 8, 2.0),
        (4, 16, 0.0),
        (5, 32, 0.0),
        (6, 64, 0.0),
        (7, 128, 0.0),
    ];
    driver.send(&rows.map(|(at, n, value)| row(at, n, value)));
    // The last window has no row that is in a group.
    assert_eq!(
        driver.taken("rule"),
        ["[0, 1) c=1 s=1", "[1, 3) c=1 s=8", "[3, 5) c=1 s=8"]
    );
    let counts = driver.counts("rule");
    assert_eq!(
        (counts.rows_windowed, counts.rows_filtered, counts.windows_closed),
        (2, 6, 3)
    );
}

#[test]
fn what_is_in_groups_is_part_of_the_layout() {
    let mut driver = Driver::with(only_above_one(3, 3));
    driver.send(&numbers(0..1));
    let mut all = only_above_one(3, 3);
    all.content = None;
    assert_eq!(driver.put("rule", all), Swap::StateDraining);
}

#[test]
fn as_many_rows_as_a_window_has_are_one_after_the_other() {
    let mut driver = Driver::with(last(2, 2));
    driver.send(&numbers(0..4));
    assert_eq!(driver.taken("rule"), ["[0, 100) c=2 s=1", "[200, 300) c=2 s=5"]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 0);
}

#[test]
fn the_rows_are_of_the_rule_and_not_of_a_key() {
    let plan = Plan {
        window: Some(Window::Count { rows: 3, every: 3 }),
        ..tutorial_plan()
    };
    let mut driver = Driver::with(plan);
    driver.send(&[reading(0, "1", 1.0), reading(1, "2", 2.0), reading(2, "1", 3.0)]);
    let expected = "[0, 2) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1; device_id=2 t_av=2 t_count=1 t_max=2 t_min=2";
    assert_eq!(driver.taken("rule"), [expected]);
}

#[test]
fn in_event_time_the_last_rows_are_those_of_the_latest_times() {
    let plan = Plan {
        event_time: Some(EventTime {
            column: ColumnIndex(1),
            lateness_ms: 100,
            late: LatePolicy::Drop,
            idle_ms: Some(1000),
        }),
        ..last(2, 2)
    };
    let mut driver = Driver::with(plan);
    let event = |at, time, n| message(at, "t", &[("n", Value::Int(n)), ("time", Value::Int(time))]);
    driver.send(&[event(0, 300, 4), event(1, 250, 2), event(2, 200, 1), event(3, 310, 8)]);
    assert_eq!(driver.counts("rule").rows_late, 0);
    assert!(
        driver.emissions.is_empty(),
        "only the row at 200 can have none before it"
    );
    driver.tick(1500);
    assert_eq!(driver.taken("rule"), ["[200, 250) c=2 s=3", "[300, 310) c=2 s=12"]);
}

#[test]
fn a_window_has_no_more_rows_than_a_rule_may_keep() {
    let mut version = version("rule", last(4, 4));
    version.bounds = Bounds {
        rows_max: 3,
        ..Bounds::default()
    };
    let error = Driver::new().try_put(&version).unwrap_err();
    assert!(error.to_string().contains("a window has 1 to 3 rows"), "{error}");
    version.plan = last(3, 1).into();
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&numbers(0..10));
    assert_eq!((driver.counts("rule").rows_dead, driver.taken("rule").len()), (0, 10));
}

#[test]
fn rows_with_too_many_bytes_of_text_make_room_and_are_named() {
    let mut plan = last(3, 3);
    plan.aggregates.push(aggregate("t", "count", vec![column(2)]));
    let mut version = version("rule", plan);
    version.bounds.window_bytes_max = 10;
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    let texts: Vec<Message> = (0..6)
        .map(|n| {
            message(
                n,
                "t",
                &[("n", Value::Int(n)), ("text", Value::Text("seven b".to_owned()))],
            )
        })
        .collect();
    driver.send(&texts);
    assert_eq!(driver.taken("rule"), ["[2, 2) c=1 s=2", "[5, 5) c=1 s=5"]);
    let reasons = driver.reasons();
    assert_eq!(reasons.len(), 4);
    assert_eq!(
        reasons[0],
        "group: the rows of the window have more than 10 bytes, so its first one is left out"
    );
    assert_eq!(driver.counts("rule").groups_dead, 4);
}

#[test]
fn rows_that_a_window_has_no_room_for_are_told_once_a_window() {
    let plan = Plan {
        window: Some(Window::Count { rows: 3, every: 1 }),
        ..tutorial_plan()
    };
    let mut version = version("rule", plan);
    version.bounds.groups_max = 1;
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&[reading(0, "1", 1.0), reading(1, "2", 2.0), reading(2, "3", 3.0)]);
    assert_eq!(
        driver.reasons(),
        [
            "group: the window has the most groups it may have, 1",
            "group: the window has the most groups it may have, 1; and so for 1 more rows of the window"
        ]
    );
    assert_eq!(driver.taken("rule").len(), 3);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_windowed, counts.groups_dead, counts.rows_dead), (3, 2, 0));
}

#[test]
fn what_is_too_much_for_one_call_is_done_with_the_next_ones() {
    let by_event = Plan {
        event_time: Some(EventTime {
            column: ColumnIndex(1),
            lateness_ms: 0,
            late: LatePolicy::Drop,
            idle_ms: None,
        }),
        ..last(3000, 1)
    };
    for plan in [last(3000, 1), by_event] {
        let mut driver = Driver::with(plan);
        let row = |n| message(n, "t", &[("n", Value::Int(n)), ("time", Value::Int(n))]);
        driver.send(&(0..3000).map(row).collect::<Vec<_>>());
        let first = driver.taken("rule").len();
        assert!((1..3000).contains(&first), "{first}");
        let (mut calls, mut rest) = (0, 0);
        while let Some(deadline) = driver.stream.next_deadline() {
            assert_eq!(deadline, Micros::from_millis(2999), "it is to go on at once");
            driver.tick(2999);
            rest += driver.taken("rule").len();
            calls += 1;
        }
        assert_eq!(first + rest, 3000);
        assert!(calls > 2, "{calls}");
    }
}

#[test]
fn the_version_before_takes_the_rows_that_its_window_lacks() {
    let mut driver = Driver::with(last(3, 3));
    driver.send(&numbers(0..1));
    assert_eq!(driver.put("rule", last(3, 3)), Swap::StateKept);
    assert_eq!(driver.put("rule", last(2, 2)), Swap::StateDraining);
    driver.send(&numbers(1..6));
    assert_eq!(driver.taken("rule"), ["[0, 200) c=3 s=3", "[300, 400) c=2 s=7"]);
    assert_eq!(driver.counts("rule").rows_in, 6);
    assert_eq!(driver.stream.rule_state("rule").unwrap().finishing, 0);
}

#[test]
fn without_a_row_since_the_last_window_another_layout_begins_at_once() {
    let mut driver = Driver::with(last(3, 1));
    driver.send(&numbers(0..2));
    driver.taken("rule");
    assert_eq!(driver.put("rule", last(2, 1)), Swap::New);
    driver.send(&numbers(2..3));
    assert_eq!(driver.taken("rule"), ["[200, 200) c=1 s=2"]);
}

#[test]
fn a_rule_that_is_removed_or_replaced_at_once_gives_what_it_has() {
    for how in [Removal::Drain, Removal::Retire] {
        let mut driver = Driver::with(last(3, 3));
        driver.send(&numbers(0..2));
        driver.remove("rule", how);
        assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(100)));
        driver.tick(100);
        assert_eq!(driver.taken("rule"), ["[0, 100) c=2 s=1"]);
        assert_eq!(driver.stream.rules().count(), 0, "{how:?}");
    }
    let mut driver = Driver::with(last(3, 3));
    driver.send(&numbers(0..2));
    let at_once = RuleVersion {
        on_change: OnChange::Now,
        ..version("rule", last(2, 2))
    };
    assert_eq!(driver.try_put(&at_once).unwrap(), Swap::New);
    assert_eq!(driver.taken("rule"), ["[0, 100) c=2 s=1"]);
}
