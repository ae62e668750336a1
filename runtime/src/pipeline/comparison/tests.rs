use super::*;
use crate::emit::{Array, Encoder};
use crate::telemetry::Telemetry;
use crate::telemetry::shadow::ShadowFamilies;
use proptest::prelude::*;
use rulemill_core::{Cells, Column};
use std::sync::Arc;

fn emission(window: Option<Window>, rows: &[i64]) -> EncodedEmission {
    let columns = [Column::new(Cells::Ints(rows.to_vec()))];
    let (mut encoder, mut array) = (Encoder::new(), Array::default());
    encoder.append(&mut array, &[Arc::from("n")], &columns, &mut (0..rows.len()));
    encoder.finish(&mut array, &Arc::from("rule"), window).unwrap()
}

fn window(start: i64) -> Window {
    (Micros(start), Micros(start + 10))
}

fn comparison(from: i64) -> (Comparison, ShadowMetrics) {
    let families = ShadowFamilies::register(&mut Telemetry::start().registry);
    let metrics = families.start(&Arc::from("rule"));
    let begun = Unfinished {
        windows: vec![window(-100)],
        watermark: Some(Micros(from)),
    };
    let comparison = Comparison::new(Arc::from("rule"), metrics.clone(), begun, Duration::from_secs(1));
    (comparison, metrics)
}

/// Gives the whole of a window, in one piece or in two.
fn give(comparison: &mut Comparison, side: Side, start: i64, rows: &[i64]) {
    let (first, second) = rows.split_at(rows.len() / 2);
    for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
        comparison.rows(side, &emission(Some(window(start)), part));
    }
    comparison.end_window(side, window(start), Micros(start));
}

fn counts(metrics: &ShadowMetrics) -> (u64, u64, u64) {
    (metrics.equal.get(), metrics.different.get(), metrics.skipped.get())
}

#[test]
fn the_same_rows_in_another_order_are_the_same_result() {
    let (mut comparison, metrics) = comparison(-1000);
    give(&mut comparison, Side::Running, 0, &[1, 2, 2]);
    give(&mut comparison, Side::Shadow, 0, &[2, 1, 2]);
    assert_eq!(counts(&metrics), (1, 0, 0));
    assert_eq!(comparison.bytes, 0);
}

#[test]
fn rows_of_one_side_are_counted_and_shown() {
    let (mut comparison, metrics) = comparison(-1000);
    give(&mut comparison, Side::Shadow, 10, &[1, 2, 3, 4, 5, 6]);
    give(&mut comparison, Side::Running, 10, &[1, 1, 7]);
    assert_eq!(counts(&metrics), (0, 1, 0));
    let difference = metrics.last_difference().unwrap();
    assert_eq!(difference.window, Some(window(10)));
    assert_eq!(difference.running.examples, [r#"{"n":1}"#, r#"{"n":7}"#]);
    assert_eq!(difference.shadow.rows, 5);
    assert_eq!(difference.shadow.examples, [r#"{"n":2}"#, r#"{"n":3}"#, r#"{"n":4}"#]);
}

#[test]
fn a_window_that_had_begun_before_the_shadow_is_not_compared() {
    let (mut comparison, metrics) = comparison(10);
    give(&mut comparison, Side::Running, 0, &[1]);
    give(&mut comparison, Side::Running, 10, &[2]);
    give(&mut comparison, Side::Shadow, 10, &[2]);
    assert_eq!(counts(&metrics), (1, 0, 0));
}

#[test]
fn a_window_that_one_side_has_passed_over_has_no_rows_there() {
    let (mut comparison, metrics) = comparison(-1000);
    give(&mut comparison, Side::Running, 0, &[1, 2]);
    give(&mut comparison, Side::Running, 10, &[3]);
    assert_eq!(counts(&metrics), (0, 0, 0));
    give(&mut comparison, Side::Shadow, 10, &[3]);
    assert_eq!(counts(&metrics), (1, 1, 0));
    assert_eq!(metrics.rows_running.get(), 2);
}

#[test]
fn windows_that_only_one_side_has_differ_when_they_have_waited_too_long_or_are_too_many() {
    let (mut comparison, metrics) = comparison(-1000);
    for start in 0..100 {
        give(&mut comparison, Side::Running, start * 10, &[1]);
    }
    assert_eq!(counts(&metrics), (0, 36, 0));
    // The other half of one that was given up makes no difference.
    give(&mut comparison, Side::Shadow, 0, &[1]);
    assert_eq!(counts(&metrics), (0, 36, 0));
    comparison.pass(Micros(1_000_359));
    assert_eq!(counts(&metrics), (0, 36, 0));
    comparison.pass(Micros(1_000_360));
    assert_eq!(counts(&metrics), (0, 37, 0));
    comparison.pass(Micros(2_000_000));
    assert_eq!(counts(&metrics), (0, 100, 0));
    assert_eq!(comparison.bytes, 0);
}

#[test]
fn results_that_are_too_large_are_passed_over_and_counted() {
    let (mut comparison, metrics) = comparison(-1000);
    let rows = vec![i64::MAX; 200_000];
    for side in [Side::Running, Side::Shadow] {
        give(&mut comparison, side, 0, &rows);
        give(&mut comparison, side, 10, &[1]);
    }
    assert_eq!(counts(&metrics), (1, 0, 1));
    assert_eq!(comparison.bytes, 0);
}

#[test]
fn a_window_that_either_side_had_begun_is_not_compared_be_it_the_latest() {
    let (mut comparison, metrics) = comparison(-1000);
    give(&mut comparison, Side::Running, -100, &[1]);
    give(&mut comparison, Side::Running, -200, &[1]);
    give(&mut comparison, Side::Shadow, -200, &[1]);
    assert_eq!(counts(&metrics), (1, 0, 0));
}

#[test]
fn results_without_a_window_are_compared_batch_by_batch() {
    let (mut comparison, metrics) = comparison(-1000);
    comparison.end_batch(Micros(0));
    comparison.rows(Side::Running, &emission(None, &[1]));
    comparison.rows(Side::Shadow, &emission(None, &[1]));
    comparison.end_batch(Micros(0));
    comparison.rows(Side::Shadow, &emission(None, &[2]));
    comparison.end_batch(Micros(0));
    assert_eq!(counts(&metrics), (1, 1, 0));
    assert_eq!(metrics.last_difference().unwrap().shadow.examples, [r#"{"n":2}"#]);
}

proptest! {
    #[test]
    fn the_excess_is_that_of_two_multisets(running in prop::collection::vec(0_i64..6, 1..20), shadow in prop::collection::vec(0_i64..6, 1..20)) {
        let (mut comparison, metrics) = comparison(-1000);
        give(&mut comparison, Side::Running, 0, &running);
        give(&mut comparison, Side::Shadow, 0, &shadow);
        let count = |rows: &[i64], value| rows.iter().filter(|row| **row == value).count();
        let excess = |one: &[i64], other: &[i64]| (0..6).map(|value| count(one, value).saturating_sub(count(other, value)) as u64).sum::<u64>();
        prop_assert_eq!(metrics.rows_running.get(), excess(&running, &shadow));
        prop_assert_eq!(metrics.rows_shadow.get(), excess(&shadow, &running));
    }
}
