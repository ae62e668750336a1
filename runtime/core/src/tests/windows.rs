//! Windows by arrival and by event time, and rules without a window, in integer time.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, kernel, literal, message, reading,
    topic, tumbling, tutorial_plan, version,
};
use crate::{Bounds, Fault, Micros};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Order, Plan, Type};

/// Counts per 1 s of the field `time`, in milliseconds.
fn event_plan(lateness_ms: u64, late: LatePolicy, idle_ms: Option<u64>) -> Plan {
    Plan {
        needs: vec![field("time", Type::Time)],
        window: tumbling(1000),
        event_time: Some(EventTime {
            column: ColumnIndex(0),
            lateness_ms,
            late,
            idle_ms,
        }),
        aggregates: vec![aggregate("n", "count", vec![])],
        emits: emits(&[("n", 2)]),
        ..empty_plan()
    }
}

fn event(at: i64, time: i64) -> Message {
    message(at, "t", &[("time", Value::Int(time))])
}

#[test]
fn a_window_ends_before_its_end() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(9999, "1", 1.0), reading(10_000, "1", 2.0)]);
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1"]
    );
}

#[test]
fn windows_before_the_epoch_are_aligned_downwards() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(-1, "1", 1.0)]);
    driver.tick(0);
    assert_eq!(
        driver.taken("rule"),
        ["[-10000, 0) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1"]
    );
}

#[test]
fn time_never_goes_back() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(25_000, "1", 1.0)]);
    driver.send(&[reading(3000, "1", 3.0)]);
    driver.tick(4000);
    driver.tick(30_000);
    assert_eq!(
        driver.taken("rule"),
        ["[20000, 30000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1"]
    );
}

#[test]
fn empty_windows_emit_nothing_and_wait_for_nothing() {
    let mut driver = Driver::with(tutorial_plan());
    assert_eq!(driver.stream.next_deadline(), None);
    driver.tick(50_000);
    driver.send(&[reading(60_000, "1", 1.0), reading(95_000, "1", 1.0)]);
    assert_eq!(driver.taken("rule").len(), 1);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(100_000)));
    driver.tick(200_000);
    assert_eq!(driver.taken("rule").len(), 1);
}

#[test]
fn the_deployment_may_set_the_size_of_the_windows() {
    let mut driver = Driver::new();
    let mut version = version("rule", tutorial_plan());
    version.window_override_ms = Some(2000);
    driver.try_put(&version).unwrap();
    driver.send(&[reading(5000, "1", 1.0)]);
    driver.tick(6000);
    assert_eq!(
        driver.taken("rule"),
        ["[4000, 6000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1"]
    );
}

#[test]
fn a_late_record_within_the_lateness_counts() {
    let mut driver = Driver::with(event_plan(500, LatePolicy::Drop, None));
    driver.send(&[
        event(0, 900),
        event(1, 1499),
        event(2, 950),
        event(3, 1500),
        event(4, 990),
    ]);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=2"]);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_late, counts.rows_windowed, counts.rows_dead), (1, 4, 0));
    assert!(driver.dead.is_empty());
}

#[test]
fn late_rows_go_to_dead_letter_if_the_rule_says_so() {
    let mut driver = Driver::with(event_plan(0, LatePolicy::DeadLetter, None));
    driver.send(&[event(0, 5000), event(1, 100)]);
    assert_eq!(driver.faults(), [Fault::Late]);
    assert_eq!(
        driver.reasons(),
        ["1: late: its window closed when the watermark passed 1970-01-01T00:00:01.000Z"]
    );
    assert_eq!(driver.counts("rule").rows_late, 1);
}

#[test]
fn without_an_idle_time_windows_wait_for_the_next_row() {
    let mut driver = Driver::with(event_plan(0, LatePolicy::Drop, None));
    driver.send(&[event(0, 100)]);
    assert_eq!(driver.stream.next_deadline(), None);
    driver.tick(1_000_000);
    assert!(driver.emissions.is_empty());
}

#[test]
fn after_the_idle_time_the_watermark_follows_the_arrival_time() {
    let mut driver = Driver::with(event_plan(200, LatePolicy::Drop, Some(3000)));
    driver.send(&[event(500, 400)]);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(3500)));
    driver.tick(3499);
    assert!(driver.emissions.is_empty());
    driver.tick(3500);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1"]);
    // The watermark is at 3300 now: what is before its window's end is late, the rest is not.
    driver.send(&[event(3600, 2900), event(3600, 3100)]);
    assert_eq!(driver.counts("rule").rows_late, 1);
}

#[test]
fn a_row_from_the_far_future_does_not_close_the_present() {
    let mut driver = Driver::with(event_plan(0, LatePolicy::Drop, None));
    let day = 24 * 60 * 60 * 1000;
    driver.send(&[
        event(0, 100),
        event(1, i64::MAX / 1000),
        event(2, day + 3),
        event(3, 200),
    ]);
    assert!(driver.emissions.is_empty());
    assert_eq!(driver.faults(), [Fault::Bound; 2]);
    assert_eq!(
        driver.reasons(),
        [
            "1: the event time +294247-01-10T04:00:54.775Z is ahead of the arrival time 1970-01-01T00:00:00.001Z \
             by more than 86400000 ms",
            "2: the event time 1970-01-02T00:00:00.003Z is ahead of the arrival time 1970-01-01T00:00:00.002Z \
             by more than 86400000 ms",
        ]
    );
    driver.close_all();
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=2"]);
}

#[test]
fn hostile_times_at_the_ends_of_the_range_do_not_overflow() {
    let mut driver = Driver::with(event_plan(u64::MAX, LatePolicy::Drop, Some(u64::MAX)));
    driver.send(&[
        event(0, i64::MIN),
        event(1, i64::MIN / 1000),
        event(2, i64::MAX),
        event(3, 5),
    ]);
    driver.tick(i64::MAX / 1000);
    driver.close_all();
    assert_eq!(driver.counts("rule").rows_in, 4);
    assert_eq!(driver.taken("rule").len(), 2);
}

#[test]
fn a_row_without_an_event_time_is_dead() {
    let mut driver = Driver::with(event_plan(0, LatePolicy::Drop, None));
    driver.send(&[message(0, "t", &[]), event(0, 1)]);
    assert_eq!(driver.faults(), [Fault::Rejected]);
    assert_eq!(driver.reasons(), ["0: the event time is null"]);
}

#[test]
fn the_number_of_open_windows_is_bounded() {
    let mut driver = Driver::new();
    let mut version = version("rule", event_plan(60_000, LatePolicy::Drop, None));
    version.bounds = Bounds {
        windows_max: 2,
        ..Bounds::default()
    };
    driver.try_put(&version).unwrap();
    driver.send(&[event(0, 0), event(0, 1000), event(0, 2000), event(0, 1500)]);
    assert_eq!(driver.faults(), [Fault::Bound]);
    assert_eq!(
        driver.reasons(),
        ["2: the rule has the most windows open that it may have, 2"]
    );
    // A row that is dead for want of windows moves the watermark all the same, so this ends by itself.
    driver.send(&[event(1, 62_000), event(2, 62_001)]);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1", "[1000, 2000) n=2"]);
    assert!(driver.dead.is_empty());
}

#[test]
fn the_number_of_groups_is_bounded() {
    let mut driver = Driver::new();
    let mut version = version("rule", tutorial_plan());
    version.bounds = Bounds {
        groups_max: 2,
        ..Bounds::default()
    };
    driver.try_put(&version).unwrap();
    driver.send(&[
        reading(0, "1", 1.0),
        reading(0, "2", 1.0),
        reading(0, "3", 1.0),
        reading(0, "1", 3.0),
    ]);
    assert_eq!(driver.faults(), [Fault::Bound]);
    assert_eq!(driver.reasons(), ["2: the window has the most groups it may have, 2"]);
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_windowed, counts.rows_dead), (3, 1));
    // The next window has room again.
    driver.send(&[reading(10_000, "3", 1.0)]);
    assert!(driver.dead.is_empty());
}

#[test]
fn the_bytes_of_keys_are_bounded() {
    let mut driver = Driver::new();
    let mut version = version("rule", tutorial_plan());
    version.bounds = Bounds {
        window_bytes_max: 10,
        ..Bounds::default()
    };
    driver.try_put(&version).unwrap();
    driver.send(&[
        reading(0, "twelve bytes", 1.0),
        reading(0, "2", 1.0),
        reading(0, "twelve bytes", 1.0),
    ]);
    assert_eq!(driver.faults(), [Fault::Bound]);
    assert!(driver.reasons()[0].starts_with("1: the keys of the window have 12 bytes"));
}

/// Temperatures above 5, doubled.
fn alert_plan() -> Plan {
    Plan {
        needs: vec![field("temperature", Type::Float), topic()],
        before: vec![
            call("above", vec![column(0), literal(5.0)]),
            kernel(0, &[0], &[("doubled", Type::Float), ("positive", Type::Bool)]),
        ],
        keep: Some(ColumnIndex(2)),
        emits: emits(&[("doubled", 3), ("temperature", 0), ("topic", 1)]),
        ..empty_plan()
    }
}

#[test]
fn a_rule_without_a_window_emits_the_kept_rows_of_each_batch() {
    let mut driver = Driver::with(alert_plan());
    driver.send(&[reading(0, "1", 6.0), reading(0, "2", 5.0), reading(0, "3", 7.5)]);
    driver.send(&[reading(0, "4", 1.0)]);
    let expected =
        "doubled=12 temperature=6 topic=devices/1/messages; doubled=15 temperature=7.5 topic=devices/3/messages";
    assert_eq!(driver.taken("rule"), [expected]);
    let kernel_rows: Vec<usize> = driver.library.calls_of("kernel 0").collect();
    assert_eq!(
        kernel_rows,
        [2],
        "the kernel sees kept rows only, and is not called for none"
    );
    let counts = driver.counts("rule");
    assert_eq!((counts.rows_in, counts.rows_filtered, counts.rows_out), (4, 2, 2));
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn results_are_ordered_with_nulls_last_and_limited() {
    let mut plan = alert_plan();
    plan.keep = None;
    plan.before.clear();
    plan.order = vec![Order {
        column: ColumnIndex(0),
        descending: true,
    }];
    plan.limit = Some(3);
    plan.emits = emits(&[("t", 0)]);
    let mut driver = Driver::with(plan);
    driver.send(&[
        reading(0, "1", 6.0),
        message(0, "t", &[]),
        reading(0, "2", 9.0),
        reading(0, "3", -1.0),
        reading(0, "3", -2.0),
    ]);
    assert_eq!(driver.taken("rule"), ["t=9; t=6; t=-1"]);
    assert_eq!(driver.counts("rule").rows_filtered, 2);
}

#[test]
fn steps_after_the_window_see_the_groups() {
    let mut plan = tutorial_plan();
    plan.after = vec![
        kernel(1, &[4, 5], &[("spread", Type::Float)]),
        call("above", vec![column(7), literal(1.0)]),
    ];
    plan.having = Some(ColumnIndex(8));
    plan.order = vec![Order {
        column: ColumnIndex(7),
        descending: false,
    }];
    plan.emits = emits(&[("device", 0), ("spread", 7), ("start", 1), ("end", 2)]);
    let mut driver = Driver::with(plan);
    let readings = [
        ("1", 10.0),
        ("1", 15.0),
        ("2", 7.0),
        ("3", 1.0),
        ("3", 3.0),
        ("4", 0.0),
        ("4", 500.0),
    ];
    let readings: Vec<Message> = readings
        .iter()
        .map(|&(device, value)| reading(0, device, value))
        .collect();
    driver.send(&readings);
    driver.tick(10_000);
    let expected = "[0, 10000) device=3 end=10000000us spread=2 start=0us; \
                    device=1 end=10000000us spread=5 start=0us";
    assert_eq!(driver.taken("rule"), [expected]);
    assert_eq!(driver.reasons(), ["group: kernel 1: too wide"]);
    let counts = driver.counts("rule");
    assert_eq!(
        (counts.groups_dead, counts.groups_filtered, counts.rows_dead),
        (1, 1, 0)
    );
}

/// A window of a second whose rows come out as they are.
fn rows_plan() -> Plan {
    Plan {
        needs: vec![field("text", Type::Text), field("number", Type::Int)],
        each_row: true,
        window: tumbling(1000),
        aggregates: vec![
            aggregate("text", "first", vec![column(0)]),
            aggregate("number", "first", vec![column(1)]),
        ],
        emits: emits(&[("text", 2), ("number", 3)]),
        ..empty_plan()
    }
}

fn row(at: i64, text: &str, number: i64) -> Message {
    message(
        at,
        "t",
        &[("text", Value::Text(text.to_owned())), ("number", Value::Int(number))],
    )
}

#[test]
fn a_window_of_rows_gives_them_in_order_of_arrival_also_those_that_are_the_same() {
    let mut driver = Driver::with(rows_plan());
    driver.send(&[row(0, "b", 2), row(10, "a", 1)]);
    driver.send(&[row(20, "b", 2), message(30, "t", &[]), row(1000, "c", 3)]);
    driver.tick(2000);
    assert_eq!(
        driver.taken("rule"),
        [
            "[0, 1000) number=2 text=b; number=1 text=a; number=2 text=b; ",
            "[1000, 2000) number=3 text=c"
        ]
    );
}

#[test]
fn a_window_of_rows_has_a_bound() {
    let mut bounded = version("rule", rows_plan());
    bounded.bounds = Bounds {
        groups_max: 2,
        ..Bounds::default()
    };
    let mut driver = Driver::new();
    driver.try_put(&bounded).unwrap();
    driver.send(&[row(0, "a", 1), row(1, "b", 2), row(2, "c", 3)]);
    driver.tick(1000);
    assert_eq!(driver.taken("rule"), ["[0, 1000) number=1 text=a; number=2 text=b"]);
    assert_eq!(driver.faults(), [Fault::Bound]);
}
