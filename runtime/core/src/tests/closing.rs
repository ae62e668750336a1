//! Windows that get out in pieces: the same results as at once, and rows go on in between.

use super::driver::{Driver, Message, aggregate, call, column, emits, field, kernel, literal, reading, tutorial_plan};
use crate::{Bounds, Micros};
use proptest::prelude::*;
use rulemill_plan::{ColumnIndex, Order, Plan, Type};

fn pieces_of(groups: usize) -> Driver {
    let bounds = Bounds {
        groups_per_call: groups,
        ..Bounds::default()
    };
    let mut driver = Driver::bounded(bounds, 1);
    driver.put("rule", tutorial_plan());
    driver
}

fn devices(at: i64, count: usize) -> Vec<Message> {
    (0..count).map(|device| reading(at, &device.to_string(), 1.0)).collect()
}

#[test]
fn a_call_gives_no_more_groups_than_it_may() {
    let mut driver = pieces_of(3);
    driver.send(&devices(0, 8));
    driver.tick(10_000);
    assert_eq!(driver.counts("rule").rows_out, 0, "counts come when the window is out");
    assert_eq!(driver.rows_so_far(), 3);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(10_000)));
    driver.tick(10_000);
    assert_eq!(driver.rows_so_far(), 6);
    assert!(driver.emissions.is_empty());
    driver.tick(10_000);
    assert_eq!(driver.emissions.len(), 1);
    assert_eq!((driver.emissions[0].rows, driver.counts("rule").rows_out), (8, 8));
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn rows_are_processed_between_the_pieces() {
    let mut driver = pieces_of(2);
    driver.send(&devices(0, 4));
    driver.tick(10_000);
    driver.send(&[reading(11_000, "1", 5.0)]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().groups, 1);
    assert_eq!(driver.emissions.len(), 1, "a batch gives the next piece too");
    driver.tick(20_000);
    assert_eq!(
        driver.taken("rule")[1],
        "[10000, 20000) device_id=1 t_av=5 t_count=1 t_max=5 t_min=5"
    );
}

#[test]
fn windows_that_close_faster_than_they_get_out_get_out_at_once() {
    let mut driver = Driver::bounded(
        Bounds {
            groups_per_call: 2,
            groups_waiting_max: 5,
            ..Bounds::default()
        },
        1,
    );
    driver.put("rule", tutorial_plan());
    driver.send(&devices(0, 5));
    driver.send(&devices(10_000, 5));
    assert_eq!(driver.rows_so_far(), 2);
    driver.send(&devices(20_000, 5));
    // Eight groups waited when the second window closed; two fit the call, and one was more than may wait.
    assert_eq!((driver.emissions.len(), driver.rows_so_far()), (1, 5));
}

#[test]
fn a_rule_that_is_replaced_or_removed_meanwhile_changes_nothing() {
    let mut driver = pieces_of(1);
    driver.send(&devices(0, 3));
    driver.tick(10_000);
    let mut renamed = tutorial_plan();
    renamed.emits = emits(&[("device", 0)]);
    driver.put("rule", renamed);
    driver.remove("rule", crate::Removal::Discard);
    assert_eq!(driver.stream.rules().count(), 0);
    assert!(!driver.stream.is_idle(), "its last window is not out yet");
    driver.tick(10_001);
    driver.tick(10_001);
    let row = |device: usize| format!("device_id={device} t_av=1 t_count=1 t_max=1 t_min=1");
    let rows: Vec<String> = (0..3).map(row).collect();
    assert_eq!(driver.taken("rule"), [format!("[0, 10000) {}", rows.join("; "))]);
    assert!(driver.stream.is_idle());
}

#[test]
fn a_stop_gives_all_pieces() {
    let mut driver = pieces_of(1);
    driver.send(&devices(0, 5));
    driver.close_all();
    assert_eq!(driver.emissions.len(), 1);
    assert!(driver.stream.next_deadline().is_none());
}

/// Groups by device, with what can happen to them on their way out.
fn plan(having: bool, order: &[(u32, bool)], limit: Option<u32>) -> Plan {
    let mut plan = tutorial_plan();
    plan.needs.push(field("n", Type::Int));
    plan.before[0] = call("split_value", vec![column(0), literal("/"), literal(1)]);
    plan.keys = vec![ColumnIndex(3)];
    plan.aggregates.push(aggregate("first", "first", vec![column(0)]));
    plan.aggregates
        .push(aggregate("kinds", "count_distinct", vec![column(1)]));
    // The after file: 0 device, 1 start, 2 end, 3 average, 4 largest, 5 smallest, 6 count, 7 first, 8 kinds.
    plan.after = vec![
        kernel(1, &[4, 5], &[("spread", Type::Float)]),
        call("above", vec![column(9), literal(1.0)]),
    ];
    plan.having = having.then_some(ColumnIndex(10));
    plan.order = order
        .iter()
        .map(|&(index, descending)| Order {
            column: ColumnIndex(index),
            descending,
        })
        .collect();
    plan.limit = limit;
    plan.emits = emits(&[("d", 0), ("av", 3), ("first", 7), ("kinds", 8), ("n", 6), ("spread", 9)]);
    plan
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_any_size_give_the_same(
        rows in proptest::collection::vec((0..40_u8, -60..60_i32), 1..120),
        having in any::<bool>(),
        order in proptest::sample::subsequence(vec![(6_u32, true), (9, false), (9, true), (7, true), (0, false)], 0..3),
        limit in proptest::option::of(0..30_u32),
        piece in 1..12_usize,
    ) {
        let run = |groups_per_call| {
            let bounds = Bounds { groups_per_call, ..Bounds::default() };
            let mut driver = Driver::bounded(bounds, 1);
            driver.put("rule", plan(having, &order, limit));
            let messages = rows.iter().map(|(device, value)| reading(0, &device.to_string(), f64::from(*value)));
            driver.send(&messages.collect::<Vec<_>>());
            driver.tick(10_000);
            while driver.stream.next_deadline() == Some(Micros::from_millis(10_000)) {
                driver.tick(10_000);
            }
            (driver.taken("rule"), driver.dead, driver.counts)
        };
        prop_assert_eq!(run(piece), run(usize::MAX));
    }
}
