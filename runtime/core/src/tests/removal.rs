//! Rules that are removed: what becomes of their open windows.

use super::driver::{Driver, reading, tutorial_plan};
use super::reload::{counting, event};
use crate::{Removal, Swap};
use rulemill_plan::Plan;

/// Counts by an event time that only rows move.
fn waiting(size_ms: u64) -> Plan {
    let mut plan = counting(size_ms, Some("time"));
    let event_time = plan.event_time.as_mut().unwrap();
    event_time.idle_ms = None;
    event_time.lateness_ms = 300;
    plan
}

#[test]
fn a_removed_rule_finishes_its_window_and_is_gone() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.remove("rule", Removal::Drain);
    driver.send(&[reading(2000, "1", 3.0), reading(10_000, "1", 100.0)]);
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1"]
    );
    assert_eq!(driver.stream.rules().count(), 0);
    assert!(driver.stream.fields().is_empty());
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn a_removed_rule_that_reads_no_column_is_gone_after_its_window_too() {
    let mut plan = counting(1000, None);
    plan.needs.clear();
    let mut driver = Driver::with(plan);
    driver.send(&[event(0, 0)]);
    driver.remove("rule", Removal::Drain);
    driver.tick(1000);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1"]);
    assert_eq!(driver.stream.rules().count(), 0);
}

#[test]
fn the_end_of_a_version_is_told_once() {
    let mut driver = Driver::with(counting(1000, None));
    assert!(!driver.stream.take_version_gone(), "it has come, not gone");
    driver.send(&[event(0, 0)]);
    driver.put("rule", counting(700, None));
    driver.send(&[event(500, 0), event(1100, 0)]);
    assert!(driver.stream.take_version_gone(), "the old version's window has closed");
    assert!(!driver.stream.take_version_gone());
    driver.remove("rule", Removal::Drain);
    assert!(!driver.stream.take_version_gone(), "its window is open");
    driver.tick(1400);
    assert!(driver.stream.take_version_gone());
    driver.put("rule", counting(1000, None));
    driver.put("rule", counting(700, None));
    assert!(driver.stream.take_version_gone(), "it had nothing to finish");
    driver.remove("rule", Removal::Discard);
    assert!(driver.stream.take_version_gone());
}

#[test]
fn a_removed_rule_without_an_open_window_is_gone_at_once() {
    let mut driver = Driver::with(tutorial_plan());
    driver.remove("rule", Removal::Drain);
    driver.remove("unknown", Removal::Drain);
    assert_eq!(driver.stream.rules().count(), 0);
}

#[test]
fn a_discarded_rule_emits_nothing() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.remove("rule", Removal::Discard);
    driver.tick(10_000);
    driver.close_all();
    assert!(driver.emissions.is_empty());
    assert!(driver.stream.fields().is_empty());
}

#[test]
fn a_rule_that_comes_back_while_it_drains_goes_on() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.remove("rule", Removal::Drain);
    assert_eq!(driver.put("rule", tutorial_plan()), Swap::StateKept);
    driver.send(&[reading(2000, "1", 3.0), reading(10_000, "1", 100.0)]);
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1"]
    );
    assert_eq!(
        driver.stream.next_deadline().map(|deadline| deadline.0),
        Some(20_000_000)
    );
}

#[test]
fn a_retired_rule_takes_no_rows_and_closes_at_its_end() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.remove("rule", Removal::Retire);
    driver.send(&[reading(2000, "1", 3.0)]);
    driver.tick(9999);
    assert!(driver.emissions.is_empty());
    driver.tick(10_000);
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1"]
    );
    assert_eq!(driver.counts("rule").rows_in, 1);
    assert_eq!(driver.stream.rules().count(), 0);
    assert_eq!(driver.stream.next_deadline(), None);
}

#[test]
fn a_rule_that_moves_between_streams_counts_each_row_once() {
    let (mut before, mut after) = (Driver::with(tutorial_plan()), Driver::with(tutorial_plan()));
    before.send(&[reading(1000, "1", 1.0)]);
    before.remove("rule", Removal::Retire);
    for driver in [&mut before, &mut after] {
        driver.send(&[reading(2000, "1", 3.0)]);
        driver.tick(10_000);
    }
    assert_eq!(
        before.counts("rule").rows_windowed + after.counts("rule").rows_windowed,
        2
    );
}

#[test]
fn older_versions_of_a_retired_rule_take_no_rows_either() {
    for time in [None, Some("time")] {
        let mut driver = Driver::with(counting(1000, time));
        driver.send(&[event(0, 400)]);
        assert_eq!(driver.put("rule", counting(700, time)), Swap::StateDraining);
        driver.remove("rule", Removal::Retire);
        driver.send(&[event(100, 500)]);
        driver.tick(1000);
        assert_eq!(driver.taken("rule"), ["[0, 1000) n=1"]);
        assert_eq!(driver.stream.rules().count(), 0);
    }
}

#[test]
fn a_retired_rule_without_an_open_window_is_gone_at_once() {
    let mut driver = Driver::with(tutorial_plan());
    driver.remove("rule", Removal::Retire);
    driver.remove("unknown", Removal::Retire);
    assert_eq!(driver.stream.rules().count(), 0);
}

#[test]
fn a_retired_rule_in_event_time_closes_after_its_lateness() {
    let mut driver = Driver::with(waiting(1000));
    driver.send(&[event(0, 400)]);
    driver.remove("rule", Removal::Retire);
    driver.send(&[event(100, 5000)]);
    driver.tick(1299);
    assert!(driver.emissions.is_empty(), "a row that is not taken moves nothing");
    driver.tick(1300);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1"]);
    assert_eq!(driver.stream.rules().count(), 0);
}

#[test]
fn a_retired_rule_that_comes_back_goes_on() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.remove("rule", Removal::Retire);
    driver.send(&[reading(2000, "1", 100.0)]);
    assert_eq!(driver.put("rule", tutorial_plan()), Swap::StateKept);
    driver.send(&[reading(3000, "1", 3.0)]);
    driver.tick(10_000);
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1"]
    );
}

#[test]
fn a_removed_rule_in_event_time_closes_though_no_row_comes() {
    let mut driver = Driver::with(waiting(1000));
    driver.send(&[event(0, 400)]);
    assert_eq!(driver.stream.next_deadline(), None);
    driver.remove("rule", Removal::Drain);
    driver.send(&[event(100, 500)]);
    assert_eq!(
        driver.stream.next_deadline().map(|deadline| deadline.0),
        Some(1_300_000)
    );
    driver.tick(1300);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=2"]);
    assert_eq!(driver.stream.rules().count(), 0);
}

#[test]
fn a_removed_rule_whose_event_time_is_long_past_closes_at_once() {
    let mut driver = Driver::with(waiting(1000));
    driver.send(&[event(50_000, 400)]);
    driver.remove("rule", Removal::Drain);
    driver.tick(50_000);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1"]);
    assert_eq!(driver.stream.rules().count(), 0);
}

#[test]
fn older_versions_of_a_removed_rule_close_though_no_row_comes() {
    let mut driver = Driver::with(waiting(1000));
    driver.send(&[event(0, 400)]);
    assert_eq!(driver.put("rule", waiting(700)), Swap::StateDraining);
    driver.remove("rule", Removal::Drain);
    driver.tick(1300);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1"]);
    assert_eq!(driver.stream.rules().count(), 0);
}

#[test]
fn a_rule_that_comes_back_waits_for_its_rows_again() {
    let mut driver = Driver::with(waiting(1000));
    driver.send(&[event(0, 400)]);
    driver.remove("rule", Removal::Drain);
    assert_eq!(driver.put("rule", waiting(1000)), Swap::StateKept);
    driver.tick(5000);
    assert!(driver.emissions.is_empty());
    assert_eq!(driver.stream.next_deadline(), None);
}
