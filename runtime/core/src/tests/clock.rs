//! A clock of arrivals that was wrong and is set back.

use super::driver::{Driver, Message, Value, call, column, emits, empty_plan, message, reading, topic, tutorial_plan};
use super::reload::{counting, event};
use crate::{Micros, Removal, Swap};
use rulemill_plan::Plan;

const HOUR: i64 = 3_600_000;

#[test]
fn windows_by_arrival_go_on_at_once_in_the_new_time() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(HOUR + 1000, "1", 1.0)]);
    driver.set_back(2000);
    assert_eq!(
        driver.taken("rule"),
        ["[3600000, 3610000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1"]
    );
    driver.send(&[reading(3000, "1", 3.0)]);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(10_000)));
    driver.tick(10_000);
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=3 t_count=1 t_max=3 t_min=3"]
    );
}

#[test]
fn a_time_that_is_not_before_the_latest_sets_nothing_back() {
    let mut driver = Driver::with(tutorial_plan());
    driver.set_back(-5000);
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.set_back(1000);
    driver.set_back(HOUR);
    assert!(driver.emissions.is_empty());
    driver.send(&[reading(2000, "1", 3.0)]);
    driver.tick(10_000);
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1"]
    );
}

#[test]
fn a_version_that_gives_way_is_done_and_the_new_one_takes_all_rows() {
    let mut driver = Driver::with(counting(1000, None));
    driver.send(&[event(HOUR, 0)]);
    assert_eq!(driver.put("rule", counting(700, None)), Swap::StateDraining);
    driver.set_back(0);
    assert_eq!(driver.taken("rule"), ["[3600000, 3601000) n=1"]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().finishing, 0);
    driver.send(&[event(100, 0), event(200, 0)]);
    driver.tick(700);
    assert_eq!(driver.taken("rule"), ["[0, 700) n=2"]);
}

#[test]
fn a_removed_rule_is_gone() {
    for how in [Removal::Drain, Removal::Retire] {
        let mut driver = Driver::with(counting(1000, None));
        driver.send(&[event(HOUR, 0)]);
        driver.remove("rule", how);
        driver.set_back(0);
        assert_eq!(driver.taken("rule"), ["[3600000, 3601000) n=1"]);
        assert_eq!(driver.stream.rules().count(), 0);
    }
}

#[test]
fn windows_in_event_time_do_not_notice() {
    let mut driver = Driver::with(counting(1000, Some("time")));
    driver.send(&[event(HOUR, 400)]);
    driver.set_back(0);
    driver.send(&[event(100, 500), event(200, 1000)]);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=2"]);
    assert_eq!(driver.counts("rule").rows_late, 0);
}

#[test]
fn the_idle_time_is_counted_on() {
    let mut driver = Driver::with(counting(1000, Some("time")));
    driver.send(&[event(HOUR, 400)]);
    driver.tick(HOUR + 500);
    driver.set_back(10_500);
    // It is idle two seconds after its last row, which came half a second ago.
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(12_000)));
    driver.tick(12_000);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1"]);
}

#[test]
fn rows_are_not_late_by_what_the_wrong_clock_said_while_there_were_none() {
    let mut driver = Driver::with(counting(1000, Some("time")));
    driver.send(&[event(HOUR, 400)]);
    driver.tick(HOUR + 10_000);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1"]);
    driver.set_back(10_000);
    driver.send(&[event(10_100, 10_100), event(10_200, 300), event(11_300, 11_000)]);
    assert_eq!(driver.taken("rule"), ["[10000, 11000) n=1"]);
    assert_eq!(driver.counts("rule").rows_late, 1, "it is late by what rows said");
}

#[test]
fn a_rule_without_a_window_goes_on() {
    let mut driver = Driver::with(Plan {
        needs: vec![topic()],
        emits: emits(&[("topic", 0)]),
        ..empty_plan()
    });
    for at in [HOUR, 0] {
        driver.set_back(at);
        driver.send(&[message(at, "a", &[])]);
    }
    assert_eq!(driver.taken("rule"), ["topic=a", "topic=a"]);
}

#[test]
fn a_topic_that_trapped_is_tried_again_after_ten_seconds_not_after_an_hour() {
    let plan = Plan {
        needs: vec![topic()],
        before: vec![call("trap_topic", vec![column(0)])],
        emits: emits(&[("topic", 1)]),
        ..empty_plan()
    };
    let mut driver = Driver::with(plan);
    let poison = |at| -> Vec<Message> { vec![message(at, "poison", &[("n", Value::Int(1))])] };
    driver.send(&poison(HOUR));
    driver.send(&poison(HOUR + 9000));
    assert_eq!(driver.library.calls.len(), 1);
    driver.set_back(0);
    driver.send(&poison(0));
    driver.send(&poison(9000));
    assert_eq!(driver.library.calls.len(), 2);
    driver.send(&poison(10_000));
    assert_eq!(driver.library.calls.len(), 3);
}
