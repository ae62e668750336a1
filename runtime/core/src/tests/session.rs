//! Windows that end when no row comes.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, reading,
    tutorial_plan, version,
};
use crate::{Bounds, DeadRow, Fault, Micros, OnChange, Removal, RuleVersion, Swap};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};

fn session(timeout_ms: u64, max_ms: u64) -> Plan {
    Plan {
        needs: vec![field("n", Type::Int), field("time", Type::Time)],
        window: Some(Window::Session { timeout_ms, max_ms }),
        aggregates: vec![aggregate("c", "count", vec![]), aggregate("s", "sum", vec![column(0)])],
        emits: emits(&[("c", 2), ("s", 3)]),
        ..empty_plan()
    }
}

fn event_session(lateness_ms: u64, late: LatePolicy, idle_ms: Option<u64>) -> Plan {
    Plan {
        event_time: Some(EventTime {
            column: ColumnIndex(1),
            lateness_ms,
            late,
            idle_ms,
        }),
        ..session(1000, 5000)
    }
}

fn number(at: i64, n: i64) -> Message {
    message(at, "t", &[("n", Value::Int(n))])
}

fn event(at: i64, time: i64, n: i64) -> Message {
    message(at, "t", &[("n", Value::Int(n)), ("time", Value::Int(time))])
}

#[test]
fn a_session_begins_with_a_row_and_ends_when_none_came_for_the_timeout() {
    let mut driver = Driver::with(session(1000, 60_000));
    assert_eq!(driver.stream.next_deadline(), None);
    driver.send(&[number(300, 1), number(1200, 2)]);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(2200)));
    driver.tick(2199);
    assert!(driver.emissions.is_empty());
    driver.tick(2200);
    assert_eq!(driver.taken("rule"), ["[300, 2200) c=2 s=3"]);
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn a_row_at_the_end_of_a_session_begins_another_one() {
    let mut driver = Driver::with(session(1000, 60_000));
    driver.send(&[number(0, 1), number(999, 2), number(1999, 4), number(2000, 8)]);
    assert_eq!(driver.taken("rule"), ["[0, 1999) c=2 s=3"]);
    driver.tick(3000);
    assert_eq!(driver.taken("rule"), ["[1999, 3000) c=2 s=12"]);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_windowed, counts.windows_closed), (4, 2));
}

#[test]
fn a_session_lasts_no_longer_than_its_longest_time() {
    let mut driver = Driver::with(session(1000, 2000));
    for at in 0..5 {
        driver.send(&[number(at * 500, 1)]);
    }
    assert_eq!(driver.taken("rule"), ["[0, 2000) c=4 s=4"]);
    driver.tick(3000);
    assert_eq!(driver.taken("rule"), ["[2000, 3000) c=1 s=1"]);
}

#[test]
fn a_row_that_is_in_no_group_keeps_a_session_open() {
    let mut plan = session(1000, 60_000);
    plan.needs.push(field("value", Type::Float));
    plan.before = vec![call("above", vec![column(2), literal(1.0)])];
    plan.content = Some(ColumnIndex(3));
    let mut driver = Driver::with(plan.clone());
    let row = |at, value| message(at, "t", &[("n", Value::Int(1)), ("value", Value::Float(value))]);
    driver.send(&[row(0, 2.0), row(900, 0.0), row(1800, 2.0)]);
    driver.tick(2800);
    assert_eq!(driver.taken("rule"), ["[0, 2800) c=2 s=2"]);
    assert_eq!(driver.counts("rule").rows_filtered, 1);
    driver.send(&[row(5000, 0.0)]);
    driver.tick(6000);
    assert!(driver.emissions.is_empty(), "no row of the session is in a group");
    plan.window = Some(Window::Tumbling { size_ms: 1000 });
    let error = driver.try_put(&version("rule", plan)).unwrap_err();
    assert!(error.to_string().contains("for others use keep"), "{error}");
}

#[test]
fn a_session_is_of_the_rule_and_not_of_a_key() {
    let plan = Plan {
        window: Some(Window::Session {
            timeout_ms: 1000,
            max_ms: 60_000,
        }),
        ..tutorial_plan()
    };
    let mut driver = Driver::with(plan);
    driver.send(&[reading(0, "1", 1.0), reading(900, "2", 1.0), reading(1800, "1", 3.0)]);
    driver.tick(5000);
    let expected =
        "[0, 2800) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1; device_id=2 t_av=1 t_count=1 t_max=1 t_min=1";
    assert_eq!(driver.taken("rule"), [expected]);
}

#[test]
fn in_event_time_rows_come_to_their_session_in_order() {
    let mut driver = Driver::with(event_session(500, LatePolicy::DeadLetter, None));
    driver.send(&[
        event(0, 1800, 2),
        event(1, 1400, 1),
        event(2, 1200, 64),
        event(3, 2900, 4),
    ]);
    assert_eq!(driver.faults(), [Fault::Late]);
    assert_eq!(
        driver.reasons(),
        ["2: late: the watermark has passed 1970-01-01T00:00:01.300Z"]
    );
    // The row at 2900 ends the session only once nothing can come before it.
    assert!(driver.emissions.is_empty());
    driver.send(&[event(4, 2700, 8)]);
    driver.send(&[event(5, 3400, 16)]);
    assert!(driver.emissions.is_empty(), "the row at 2700 is in the session");
    driver.send(&[event(6, 5000, 32)]);
    assert_eq!(driver.taken("rule"), ["[1400, 4400) c=5 s=31"]);
}

#[test]
fn a_session_in_event_time_ends_when_its_rule_is_idle() {
    let mut driver = Driver::with(event_session(200, LatePolicy::Drop, Some(3000)));
    driver.send(&[event(500, 400, 1)]);
    // The row waits for the watermark; that is at 200.
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 1);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(3500)));
    driver.tick(3500);
    assert_eq!(driver.taken("rule"), ["[400, 1400) c=1 s=1"]);
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn the_rows_that_wait_are_bounded() {
    let mut version = version("rule", event_session(60_000, LatePolicy::Drop, None));
    version.bounds = Bounds {
        rows_max: 2,
        ..Bounds::default()
    };
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&[event(0, 0, 1), event(0, 10, 1), event(0, 20, 1)]);
    assert_eq!(driver.reasons(), ["2: the rule keeps the most rows that it may, 2"]);
    driver.send(&[event(1, 60_010, 1), event(1, 60_011, 1)]);
    assert_eq!(driver.counts("rule").rows_dead, 1);
}

#[test]
fn a_row_that_waited_and_finds_no_room_is_dead_with_its_key() {
    let mut plan = tutorial_plan();
    plan.needs.push(field("time", Type::Time));
    plan.before.clear();
    plan.keys = vec![ColumnIndex(0)];
    plan.window = Some(Window::Session {
        timeout_ms: 1000,
        max_ms: 5000,
    });
    plan.event_time = event_session(100, LatePolicy::Drop, None)
        .event_time
        .map(|time| EventTime {
            column: ColumnIndex(2),
            ..time
        });
    let mut version = version("rule", plan);
    version.bounds.groups_max = 1;
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    for (at, topic) in [(0, "a"), (50, "b"), (900, "a")] {
        driver.send(&[message(at, topic, &[("time", Value::Int(at))])]);
    }
    let [DeadRow::Group { names, columns, .. }] = driver.dead.as_slice() else {
        panic!("one row is dead: {:?}", driver.dead);
    };
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    assert_eq!((names, columns.len()), (vec!["topic", "window_start", "window_end"], 3));
    assert_eq!(
        driver.reasons(),
        ["group: the window has the most groups it may have, 1"]
    );
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_dead, counts.groups_dead), (0, 1));
}

#[test]
fn rows_that_a_library_refuses_are_dead_and_the_others_are_in_the_session() {
    let plan = Plan {
        aggregates: vec![aggregate("t", "refusing_total", vec![column(0)])],
        emits: emits(&[("t", 2)]),
        ..session(1000, 5000)
    };
    let mut driver = Driver::with(plan);
    driver.send(&[number(0, 1), number(1, 13), number(2, 3)]);
    driver.tick(5000);
    assert_eq!(driver.reasons(), ["1: refusing_total: thirteen"]);
    assert_eq!(driver.taken("rule"), ["[0, 1002) t=4"]);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_windowed, counts.rows_dead), (2, 1));
    assert_eq!(
        driver.library.calls_of("refusing_total").count(),
        2,
        "in one call, and again without the row"
    );
}

#[test]
fn the_version_before_finishes_its_session_with_the_rows_that_belong_into_it() {
    let mut driver = Driver::with(session(1000, 60_000));
    driver.send(&[number(0, 1)]);
    assert_eq!(driver.put("rule", session(1000, 60_000)), Swap::StateKept);
    assert_eq!(driver.put("rule", session(500, 60_000)), Swap::StateDraining);
    driver.send(&[number(900, 2), number(1800, 4), number(2800, 8), number(2900, 16)]);
    driver.tick(10_000);
    assert_eq!(driver.taken("rule"), ["[0, 2800) c=3 s=7", "[2800, 3400) c=2 s=24"]);
    assert_eq!(driver.counts("rule").rows_in, 5);
    assert_eq!(driver.stream.rule_state("rule").unwrap().finishing, 0);
}

#[test]
fn a_version_that_goes_back_goes_on_with_its_session() {
    let mut driver = Driver::with(session(1000, 60_000));
    driver.send(&[number(0, 1)]);
    driver.put("rule", session(500, 60_000));
    driver.send(&[number(900, 2)]);
    assert_eq!(driver.put("rule", session(1000, 60_000)), Swap::StateKept);
    driver.send(&[number(1800, 4)]);
    driver.tick(10_000);
    assert_eq!(driver.taken("rule"), ["[0, 2800) c=3 s=7"]);
}

#[test]
fn in_event_time_the_new_version_takes_all_rows_at_once() {
    let mut driver = Driver::with(event_session(100, LatePolicy::Drop, None));
    driver.send(&[event(0, 0, 1), event(10, 300, 2)]);
    let mut shorter = event_session(100, LatePolicy::Drop, None);
    shorter.window = Some(Window::Session {
        timeout_ms: 500,
        max_ms: 5000,
    });
    assert_eq!(driver.put("rule", shorter), Swap::StateDraining);
    driver.send(&[event(400, 400, 4)]);
    driver.tick(1400);
    assert_eq!(driver.taken("rule"), ["[0, 1300) c=2 s=3"]);
    driver.close_all();
    assert_eq!(driver.taken("rule"), ["[400, 900) c=1 s=4"]);
}

#[test]
fn a_change_that_takes_effect_at_once_ends_the_session_as_it_is() {
    let mut driver = Driver::with(session(1000, 60_000));
    driver.send(&[number(0, 1)]);
    let at_once = RuleVersion {
        on_change: OnChange::Now,
        ..version("rule", session(500, 60_000))
    };
    assert_eq!(driver.try_put(&at_once).unwrap(), Swap::New);
    assert_eq!(driver.taken("rule"), ["[0, 1000) c=1 s=1"]);
}

#[test]
fn a_rule_that_is_removed_finishes_its_session() {
    for (how, expected) in [
        (Removal::Drain, "[0, 1500) c=2 s=3"),
        (Removal::Retire, "[0, 1000) c=1 s=1"),
    ] {
        let mut driver = Driver::with(session(1000, 60_000));
        driver.send(&[number(0, 1)]);
        driver.remove("rule", how);
        driver.send(&[number(500, 2)]);
        driver.tick(1500);
        assert_eq!(driver.taken("rule"), [expected]);
        assert_eq!(driver.stream.rules().count(), 0, "{how:?}");
    }
}

#[test]
fn rules_share_a_session_and_come_together_with_the_next_one() {
    let mut driver = Driver::new();
    driver.put("a", session(1000, 60_000));
    driver.put("b", session(1000, 60_000));
    driver.send(&[number(0, 1)]);
    driver.put("c", session(1000, 60_000));
    driver.send(&[number(500, 2)]);
    assert_eq!(driver.stream.folds(), 2);
    driver.send(&[number(2000, 4)]);
    assert_eq!(driver.stream.folds(), 1);
    driver.tick(5000);
    assert_eq!(driver.taken("a"), ["[0, 1500) c=2 s=3", "[2000, 3000) c=1 s=4"]);
    assert_eq!(driver.taken("b").len(), 2);
    assert_eq!(driver.taken("c"), ["[500, 1500) c=1 s=2", "[2000, 3000) c=1 s=4"]);
}

#[test]
fn the_clock_that_is_set_back_ends_a_session_as_it_is() {
    let mut driver = Driver::with(session(1000, 60_000));
    driver.send(&[number(10_000, 1)]);
    driver.set_back(5000);
    driver.send(&[number(5000, 2)]);
    driver.tick(6000);
    assert_eq!(driver.taken("rule"), ["[10000, 11000) c=1 s=1", "[5000, 6000) c=1 s=2"]);
}

#[test]
fn the_deployment_cannot_set_the_size_of_a_session() {
    let mut version = version("rule", session(1000, 60_000));
    version.window_override_ms = Some(500);
    let error = Driver::new().try_put(&version).unwrap_err();
    assert!(error.to_string().contains("have no size that could be set"), "{error}");
}
