//! Times at the ends of their range, and clocks that jump: no panic, no stall, no wrong count.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, message, reading, tumbling,
    tutorial_plan,
};
use crate::{Fault, Micros, Output};
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type};

/// Counts by a time in microseconds.
fn by_time(size_ms: u64, lateness_ms: u64, idle_ms: Option<u64>) -> Plan {
    Plan {
        needs: vec![field("n", Type::Int)],
        before: vec![call("stamp", vec![column(0)])],
        window: tumbling(size_ms),
        event_time: Some(EventTime {
            column: ColumnIndex(1),
            lateness_ms,
            late: LatePolicy::Drop,
            idle_ms,
        }),
        aggregates: vec![aggregate("n", "count", vec![])],
        emits: emits(&[("n", 2)]),
        ..empty_plan()
    }
}

fn at_time(micros: i64) -> Message {
    message(0, "t", &[("n", Value::Int(micros))])
}

#[test]
fn event_times_at_the_ends_of_their_range_are_counted_once() {
    for size_ms in [1, 10_000, i64::MAX.unsigned_abs() / 4000] {
        for times in [
            vec![i64::MIN, i64::MIN + 1, -1, 0],
            vec![0, -1, i64::MIN, i64::MAX],
            vec![i64::MAX, i64::MAX - 1, 0, i64::MIN],
        ] {
            let mut driver = Driver::with(by_time(size_ms, 0, Some(1)));
            driver.send(&times.iter().map(|&time| at_time(time)).collect::<Vec<_>>());
            driver.stream.next_deadline();
            driver.close_all();
            let counts = driver.counts("rule");
            assert_eq!(counts.rows_in, 4, "{times:?}");
            assert_eq!(
                counts.rows_windowed + counts.rows_late + counts.rows_dead,
                4,
                "{times:?}"
            );
            for emission in &driver.emissions {
                let (start, end) = emission.window.unwrap();
                assert!(start < end, "{times:?}: {start} to {end}");
            }
        }
    }
}

#[test]
fn windows_at_the_beginning_of_time_do_not_overlap() {
    let mut driver = Driver::with(by_time(10_000, 0, None));
    // The first window would begin before the first time that there is.
    driver.send(&[at_time(i64::MIN)]);
    driver.close_all();
    let size = 10_000_000;
    // Division cuts towards zero.
    let end = i64::MIN / size * size;
    assert_eq!(driver.emissions[0].window, Some((Micros(i64::MIN), Micros(end))));
}

#[test]
fn a_lateness_and_an_idle_time_beyond_all_measure_only_wait() {
    let mut driver = Driver::with(by_time(1000, u64::MAX, Some(u64::MAX)));
    driver.send(&[at_time(0), at_time(5_000_000), at_time(1)]);
    driver.tick(1_000_000_000);
    assert!(driver.emissions.is_empty());
    assert!(
        driver
            .stream
            .next_deadline()
            .is_some_and(|deadline| deadline.0 > i64::MAX / 8)
    );
    driver.close_all();
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=2", "[5000, 6000) n=1"]);
    assert_eq!(driver.counts("rule").rows_late, 0);
}

#[test]
fn the_longest_window_takes_rows_and_closes() {
    let mut plan = tutorial_plan();
    plan.window = tumbling(i64::MAX.unsigned_abs() / 4000);
    let mut driver = Driver::with(plan);
    driver.send(&[reading(-1, "1", 4.0), reading(0, "1", 5.0)]);
    assert_eq!(driver.taken("rule").len(), 1);
    driver
        .stream
        .advance(Micros(i64::MAX), &mut driver.library, &mut Output::default());
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn a_row_at_the_end_of_time_is_in_the_last_window() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(i64::MAX, "1", 4.0)]);
    assert_eq!(driver.counts("rule").rows_windowed, 1);
    driver.close_all();
    assert_eq!(driver.emissions[0].window.unwrap().1, Micros(i64::MAX));
}

#[test]
fn a_clock_that_jumps_over_decades_closes_what_is_open_and_nothing_else() {
    let mut plan = tutorial_plan();
    plan.window = tumbling(1);
    let mut driver = Driver::with(plan);
    // A gateway without a clock of its own starts in 1970, and is told the time then.
    driver.send(&[reading(5, "1", 1.0)]);
    let now = 1_795_446_245_123;
    driver.send(&[reading(now, "1", 2.0)]);
    driver.tick(now + 1);
    assert_eq!(driver.taken("rule").len(), 2);
    assert_eq!(driver.counts("rule").windows_closed, 2);
}

#[test]
fn event_times_far_ahead_are_dead_whatever_the_clock() {
    let mut driver = Driver::with(by_time(1000, 0, None));
    driver.send(&[at_time(i64::MAX)]);
    assert_eq!(driver.faults(), [Fault::Bound]);
}
