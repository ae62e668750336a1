//! Windows that overlap.

use super::driver::{
    Driver, Message, Value, aggregate, column, emits, empty_plan, field, message, reading, topic, tutorial_plan,
    version,
};
use crate::{Bounds, Fault, Micros, OnChange, Removal, RuleVersion, Swap};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};

fn hopping(size_ms: u64, hop_ms: u64) -> Option<Window> {
    Some(Window::Hopping { size_ms, hop_ms })
}

/// Counts and sums of the field `n`.
fn sums(size_ms: u64, hop_ms: u64) -> Plan {
    Plan {
        needs: vec![field("n", Type::Int), field("time", Type::Time)],
        window: hopping(size_ms, hop_ms),
        aggregates: vec![aggregate("c", "count", vec![]), aggregate("s", "sum", vec![column(0)])],
        emits: emits(&[("c", 2), ("s", 3)]),
        ..empty_plan()
    }
}

fn event_sums(lateness_ms: u64, late: LatePolicy, idle_ms: Option<u64>) -> Plan {
    Plan {
        event_time: Some(EventTime {
            column: ColumnIndex(1),
            lateness_ms,
            late,
            idle_ms,
        }),
        ..sums(1000, 500)
    }
}

fn number(at: i64, n: i64) -> Message {
    message(at, "t", &[("n", Value::Int(n))])
}

fn event(at: i64, time: i64, n: i64) -> Message {
    message(at, "t", &[("n", Value::Int(n)), ("time", Value::Int(time))])
}

#[test]
fn a_row_is_in_each_window_around_it() {
    let mut driver = Driver::with(sums(1000, 500));
    driver.send(&[number(100, 1), number(600, 2), number(1100, 4)]);
    assert_eq!(driver.taken("rule"), ["[-500, 500) c=1 s=1", "[0, 1000) c=2 s=3"]);
    driver.tick(2000);
    assert_eq!(driver.taken("rule"), ["[500, 1500) c=2 s=6", "[1000, 2000) c=1 s=4"]);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_in, counts.rows_windowed, counts.windows_closed), (3, 3, 4));
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn a_window_ends_before_its_end_and_begins_with_its_start() {
    let mut driver = Driver::with(sums(1000, 500));
    driver.send(&[number(499, 1), number(500, 2)]);
    assert_eq!(driver.taken("rule"), ["[-500, 500) c=1 s=1"]);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(1000)));
    driver.tick(1499);
    assert_eq!(driver.taken("rule"), ["[0, 1000) c=2 s=3"]);
    driver.tick(1500);
    assert_eq!(driver.taken("rule"), ["[500, 1500) c=1 s=2"]);
}

#[test]
fn the_size_need_not_be_a_multiple_of_the_hop() {
    let mut driver = Driver::with(sums(1000, 400));
    driver.send(&[number(0, 1), number(250, 2), number(399, 4), number(400, 8)]);
    driver.tick(2000);
    let expected = ["[-600, 400) c=3 s=7", "[-200, 800) c=4 s=15", "[200, 1200) c=3 s=14"];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn empty_windows_emit_nothing() {
    let mut driver = Driver::with(sums(1000, 500));
    driver.send(&[number(0, 1), number(10_000, 2)]);
    driver.tick(20_000);
    assert_eq!(driver.taken("rule").len(), 4);
    assert_eq!(driver.counts("rule").windows_closed, 4);
}

#[test]
fn the_deployment_may_set_the_size_of_windows_that_overlap() {
    let mut driver = Driver::new();
    let mut version = version("rule", sums(1000, 500));
    version.window_override_ms = Some(500);
    driver.try_put(&version).unwrap();
    driver.send(&[number(0, 1)]);
    driver.tick(500);
    assert_eq!(driver.taken("rule"), ["[0, 500) c=1 s=1"]);
    version.window_override_ms = Some(499);
    let error = driver.try_put(&version).unwrap_err();
    assert!(error.to_string().contains("cannot be 500 ms apart"), "{error}");
}

#[test]
fn a_row_may_be_in_many_windows_but_not_in_more_than_the_most() {
    let mut driver = Driver::with(sums(20_000, 2));
    driver.send(&[number(0, 1)]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 10_000);
    driver.tick(20_000);
    assert_eq!(driver.taken("rule").len(), 10_000);
    let error = driver.try_put(&version("rule", sums(20_001, 2))).unwrap_err();
    assert!(
        error.to_string().contains("at most 10000 windows, and in 10001"),
        "{error}"
    );
}

#[test]
fn a_row_is_late_when_its_last_window_has_closed() {
    let mut driver = Driver::with(event_sums(200, LatePolicy::DeadLetter, None));
    driver.send(&[event(0, 100, 1), event(1, 800, 2)]);
    assert_eq!(driver.taken("rule"), ["[-500, 500) c=1 s=1"]);
    // One of its windows has closed, the other one has not.
    driver.send(&[event(2, 300, 4), event(3, 1300, 8), event(4, 400, 16)]);
    assert_eq!(driver.taken("rule"), ["[0, 1000) c=3 s=7"]);
    assert_eq!(driver.faults(), [Fault::Late]);
    assert_eq!(
        driver.reasons(),
        ["2: late: its window closed when the watermark passed 1970-01-01T00:00:01.000Z"]
    );
    driver.close_all();
    assert_eq!(driver.taken("rule"), ["[500, 1500) c=2 s=10", "[1000, 2000) c=1 s=8"]);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_in, counts.rows_windowed, counts.rows_late), (5, 4, 1));
}

#[test]
fn windows_that_overlap_close_when_their_rule_is_idle() {
    let mut driver = Driver::with(event_sums(0, LatePolicy::Drop, Some(3000)));
    driver.send(&[event(500, 400, 1)]);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(3500)));
    driver.tick(3500);
    assert_eq!(driver.taken("rule"), ["[-500, 500) c=1 s=1", "[0, 1000) c=1 s=1"]);
}

#[test]
fn hostile_times_do_not_overflow_windows_that_overlap() {
    let mut driver = Driver::with(event_sums(u64::MAX, LatePolicy::Drop, Some(u64::MAX)));
    driver.send(&[
        event(0, i64::MIN, 1),
        event(1, i64::MIN / 1000, 1),
        event(2, i64::MAX, 1),
        event(3, 5, 1),
    ]);
    driver.tick(i64::MAX / 1000);
    driver.close_all();
    assert_eq!(driver.counts("rule").rows_in, 4);
}

#[test]
fn windows_that_a_row_is_in_share_what_one_may_have() {
    let mut plan = tutorial_plan();
    plan.window = hopping(10_000, 5000);
    let mut version = version("rule", plan);
    version.bounds = Bounds {
        groups_max: 4,
        ..Bounds::default()
    };
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&[reading(0, "1", 1.0), reading(1, "2", 1.0), reading(2, "3", 1.0)]);
    // Both windows are full, but the row is dead once.
    assert_eq!(driver.reasons(), ["2: the window has the most groups it may have, 2"]);
    driver.send(&[reading(5000, "3", 1.0)]);
    // It has room in the window that has just opened, and is dead for the other one.
    assert_eq!(driver.reasons().len(), 1);
    driver.tick(20_000);
    assert_eq!(driver.taken("rule").len(), 3);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_in, counts.rows_windowed, counts.rows_dead), (4, 2, 2));
}

#[test]
fn the_number_of_open_windows_is_bounded_beside_those_of_one_row() {
    let mut version = version("rule", event_sums(60_000, LatePolicy::Drop, None));
    version.bounds = Bounds {
        windows_max: 2,
        ..Bounds::default()
    };
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&[event(0, 0, 1), event(0, 500, 1), event(0, 1000, 1), event(0, 100, 1)]);
    assert_eq!(
        driver.reasons(),
        ["2: the rule has the most windows open that it may have, 3"]
    );
    assert_eq!(driver.counts("rule").rows_windowed, 3);
}

#[test]
fn a_rows_refusal_by_a_librarys_aggregate_is_told_once() {
    let plan = Plan {
        aggregates: vec![aggregate("t", "refusing_total", vec![column(0)])],
        emits: emits(&[("t", 2)]),
        ..sums(1000, 500)
    };
    let mut driver = Driver::with(plan);
    driver.send(&[number(0, 1), number(1, -1), number(2, 3)]);
    driver.tick(1000);
    let dead = driver.counts("rule").rows_dead;
    assert_eq!(driver.dead.len() as u64, dead);
    assert_eq!(driver.counts("rule").rows_windowed + dead, 3);
    assert_eq!(driver.taken("rule").len(), 2);
}

#[test]
fn another_hop_is_another_layout_and_each_row_goes_to_one_version() {
    let mut driver = Driver::with(sums(1000, 500));
    driver.send(&[number(100, 1)]);
    assert_eq!(driver.put("rule", sums(1000, 500)), Swap::StateKept);
    assert_eq!(driver.put("rule", sums(1000, 250)), Swap::StateDraining);
    // The last open window of the old version ends at 1000.
    driver.send(&[number(600, 2), number(999, 4), number(1000, 8)]);
    driver.tick(3000);
    let expected = [
        "[-500, 500) c=1 s=1",
        "[0, 1000) c=3 s=7",
        "[250, 1250) c=1 s=8",
        "[500, 1500) c=1 s=8",
        "[750, 1750) c=1 s=8",
        "[1000, 2000) c=1 s=8",
    ];
    assert_eq!(driver.taken("rule"), expected);
    assert_eq!(driver.counts("rule").rows_in, 4);
    assert_eq!(driver.stream.rule_state("rule").unwrap().finishing, 0);
}

#[test]
fn going_back_before_the_last_window_ended_resumes_all_windows() {
    let mut driver = Driver::with(sums(1000, 500));
    driver.send(&[number(100, 1)]);
    driver.put("rule", sums(1000, 250));
    driver.send(&[number(600, 2)]);
    assert_eq!(driver.put("rule", sums(1000, 500)), Swap::StateKept);
    driver.tick(3000);
    let expected = ["[-500, 500) c=1 s=1", "[0, 1000) c=2 s=3", "[500, 1500) c=1 s=2"];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn the_versions_part_by_event_time_too() {
    let mut driver = Driver::with(event_sums(100, LatePolicy::Drop, None));
    driver.send(&[event(0, 100, 1)]);
    let mut larger = event_sums(100, LatePolicy::Drop, None);
    larger.window = hopping(2000, 1000);
    assert_eq!(driver.put("rule", larger), Swap::StateDraining);
    driver.send(&[event(1, 1001, 2), event(2, 900, 4), event(3, 3100, 8)]);
    driver.close_all();
    let expected = [
        "[-500, 500) c=1 s=1",
        "[0, 1000) c=2 s=5",
        "[0, 2000) c=1 s=2",
        "[1000, 3000) c=1 s=2",
        "[2000, 4000) c=1 s=8",
        "[3000, 5000) c=1 s=8",
    ];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn a_change_that_takes_effect_at_once_closes_all_windows_as_they_are() {
    let mut driver = Driver::with(sums(1000, 500));
    driver.send(&[number(600, 1)]);
    let at_once = RuleVersion {
        on_change: OnChange::Now,
        ..version("rule", sums(1000, 250))
    };
    assert_eq!(driver.try_put(&at_once).unwrap(), Swap::New);
    assert_eq!(driver.taken("rule"), ["[0, 1000) c=1 s=1", "[500, 1500) c=1 s=1"]);
}

#[test]
fn a_rule_that_is_removed_finishes_the_windows_that_it_has_begun() {
    for how in [Removal::Drain, Removal::Retire] {
        let mut driver = Driver::with(sums(1000, 500));
        driver.send(&[number(100, 1)]);
        driver.remove("rule", how);
        driver.send(&[number(600, 2)]);
        driver.tick(1000);
        let last = match how {
            Removal::Drain => "[0, 1000) c=2 s=3",
            Removal::Retire | Removal::Discard => "[0, 1000) c=1 s=1",
        };
        assert_eq!(driver.taken("rule"), ["[-500, 500) c=1 s=1", last]);
        assert_eq!(driver.stream.rules().count(), 0, "{how:?}");
    }
}

#[test]
fn rules_share_windows_that_overlap_and_come_together_once_they_are_the_same() {
    let mut driver = Driver::new();
    driver.put("a", sums(1000, 500));
    driver.put("b", sums(1000, 500));
    driver.send(&[number(100, 1)]);
    assert_eq!(driver.stream.folds(), 1);
    driver.put("c", sums(1000, 500));
    assert_eq!(driver.stream.folds(), 2);
    driver.send(&[number(600, 2)]);
    assert_eq!(
        driver.stream.folds(),
        2,
        "c has seen only a part of a window that is open"
    );
    driver.send(&[number(1100, 4), number(1600, 8), number(2100, 16)]);
    assert_eq!(driver.stream.folds(), 1);
    driver.tick(5000);
    assert_eq!(driver.taken("a"), driver.taken("b"));
    let c = driver.taken("c");
    assert_eq!((c.len(), c[0].as_str()), (5, "[0, 1000) c=1 s=2"));
}

#[test]
fn one_topic_in_many_windows_is_the_same_group_in_each() {
    let mut plan = tutorial_plan();
    plan.needs = vec![topic(), field("temperature", Type::Float)];
    plan.window = hopping(10_000, 5000);
    let mut driver = Driver::with(plan);
    for at in [0, 1000, 5000, 6000, 10_000] {
        driver.send(&[reading(at, "1", 1.0)]);
    }
    driver.tick(30_000);
    let counts: Vec<String> = driver
        .taken("rule")
        .iter()
        .map(|row| row[row.find("t_count").unwrap()..][..9].to_owned())
        .collect();
    assert_eq!(counts, ["t_count=2", "t_count=4", "t_count=3", "t_count=1"]);
}
