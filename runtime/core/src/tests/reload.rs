//! Versions of a rule that replace each other: no window mixes two layouts, no row is lost or counted twice.

use super::driver::{
    Driver, Message, Value, aggregate, column, emits, empty_plan, field, message, reading, tumbling, tutorial_plan,
    version,
};
use crate::{OnChange, Removal, RuleVersion, Swap};
use proptest::prelude::*;
use rulemill_plan::{ColumnIndex, EventTime, LatePolicy, Plan, Type, Window};

fn largest_only() -> Plan {
    Plan {
        aggregates: vec![aggregate("t_max", "max", vec![column(1)])],
        emits: emits(&[("device_id", 0), ("t_max", 3)]),
        ..tutorial_plan()
    }
}

#[test]
fn the_same_layout_keeps_the_running_window() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    let mut renamed = tutorial_plan();
    renamed.emits = emits(&[("device", 0), ("average", 3)]);
    assert_eq!(driver.put("rule", renamed), Swap::StateKept);
    driver.send(&[reading(2000, "1", 2.0)]);
    driver.tick(10_000);
    assert_eq!(driver.taken("rule"), ["[0, 10000) average=1.5 device=1"]);
}

#[test]
fn another_layout_starts_at_the_next_boundary() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    assert_eq!(driver.put("rule", largest_only()), Swap::StateDraining);
    // One batch over the boundary: each version takes its part.
    driver.send(&[reading(2000, "1", 2.0), reading(11_000, "1", 5.0)]);
    driver.tick(20_000);
    let expected = [
        "[0, 10000) device_id=1 t_av=1.5 t_count=2 t_max=2 t_min=1",
        "[10000, 20000) device_id=1 t_max=5",
    ];
    assert_eq!(driver.taken("rule"), expected);
    assert_eq!(driver.stream.rule_state("rule").unwrap().finishing, 0);
}

#[test]
fn without_an_open_window_another_layout_starts_at_once() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.tick(10_000);
    assert_eq!(driver.put("rule", largest_only()), Swap::New);
    driver.send(&[reading(12_000, "1", 1.0)]);
    driver.tick(20_000);
    assert_eq!(driver.taken("rule")[1], "[10000, 20000) device_id=1 t_max=1");
}

#[test]
fn going_back_before_the_boundary_resumes_the_old_state() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.put("rule", largest_only());
    driver.send(&[reading(2000, "1", 2.0)]);
    assert_eq!(driver.put("rule", tutorial_plan()), Swap::StateKept);
    driver.send(&[reading(3000, "1", 3.0), reading(10_000, "1", 7.0)]);
    driver.tick(20_000);
    let expected = [
        "[0, 10000) device_id=1 t_av=2 t_count=3 t_max=3 t_min=1",
        "[10000, 20000) device_id=1 t_av=7 t_count=1 t_max=7 t_min=7",
    ];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn another_layout_that_starts_at_once_closes_the_open_window_as_it_is() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    let at_once = RuleVersion {
        on_change: OnChange::Now,
        ..version("rule", largest_only())
    };
    assert_eq!(driver.try_put(&at_once).unwrap(), Swap::New);
    driver.send(&[reading(2000, "1", 2.0)]);
    driver.tick(10_000);
    let expected = [
        "[0, 10000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1",
        "[0, 10000) device_id=1 t_max=2",
    ];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn the_same_layout_keeps_the_running_window_even_when_changes_are_to_take_effect_at_once() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    let at_once = RuleVersion {
        on_change: OnChange::Now,
        ..version("rule", tutorial_plan())
    };
    assert_eq!(driver.try_put(&at_once).unwrap(), Swap::StateKept);
}

#[test]
fn going_back_at_once_resumes_the_window_that_was_still_finishing() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.put("rule", largest_only());
    driver.send(&[reading(11_000, "1", 2.0)]);
    driver.put("rule", largest_only());
    let at_once = RuleVersion {
        on_change: OnChange::Now,
        ..version("rule", tutorial_plan())
    };
    assert_eq!(driver.try_put(&at_once).unwrap(), Swap::New);
    driver.send(&[reading(12_000, "1", 3.0)]);
    driver.tick(20_000);
    let expected = [
        "[0, 10000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1",
        "[10000, 20000) device_id=1 t_max=2",
        "[10000, 20000) device_id=1 t_av=3 t_count=1 t_max=3 t_min=3",
    ];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn an_event_time_that_has_passed_stays_passed_when_another_layout_starts_at_once() {
    let mut driver = Driver::with(counting(1000, Some("time")));
    driver.send(&[event(0, 400), event(1, 1200)]);
    let at_once = RuleVersion {
        on_change: OnChange::Now,
        ..version("rule", counting(500, Some("time")))
    };
    driver.try_put(&at_once).unwrap();
    driver.send(&[event(2, 300)]);
    driver.close_all();
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1", "[1000, 2000) n=1"]);
    assert_eq!(driver.counts("rule").rows_late, 1);
}

#[test]
fn rows_for_one_rule_alone_are_not_seen_by_the_others() {
    let mut driver = Driver::with(tutorial_plan());
    driver.put("other", tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.send_to(Some("rule"), &[reading(900, "1", 3.0)]);
    driver.tick(10_000);
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1"]
    );
    assert_eq!(
        driver.taken("other"),
        ["[0, 10000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1"]
    );
}

#[test]
fn fields_come_and_go_with_the_rules_that_need_them() {
    let mut driver = Driver::with(tutorial_plan());
    let version = driver.stream.fields_version();
    let mut other = empty_plan();
    other.needs = vec![field("humidity", Type::Int), field("temperature", Type::Float)];
    other.emits = emits(&[("h", 0), ("t", 1)]);
    driver.put("other", other);
    assert_eq!(driver.stream.fields().len(), 2);
    assert_ne!(driver.stream.fields_version(), version);
    driver.remove("rule", Removal::Discard);
    assert_eq!(driver.stream.fields().len(), 2);
    driver.send(&[message(0, "t", &[("humidity", Value::Int(7))])]);
    assert_eq!(driver.taken("other"), ["h=7"]);
    driver.put("rule", tutorial_plan());
    driver.remove("other", Removal::Discard);
    assert_eq!(driver.stream.fields().len(), 1);
    driver.send(&[reading(0, "1", 2.0)]);
    driver.close_all();
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=2 t_count=1 t_max=2 t_min=2"]
    );
}

#[test]
fn a_change_from_event_time_to_arrival_lets_old_windows_close_by_arrival() {
    let mut driver = Driver::with(counting(1000, Some("time")));
    driver.send(&[event(500, 400)]);
    assert_eq!(driver.put("rule", counting(1000, None)), Swap::StateDraining);
    driver.send(&[event(600, 400)]);
    driver.tick(1000);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=1", "[0, 1000) n=1"]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().finishing, 0);
}

#[test]
fn rows_for_the_new_version_move_the_old_ones_watermark() {
    let mut driver = Driver::with(counting(1000, Some("time")));
    driver.send(&[event(0, 400)]);
    driver.put("rule", counting(500, Some("time")));
    driver.send(&[event(1, 300), event(2, 1200), event(3, 350)]);
    driver.send(&[event(4, 1600)]);
    assert_eq!(driver.taken("rule"), ["[0, 1000) n=2", "[1000, 1500) n=1"]);
    assert_eq!(
        driver.counts("rule").rows_late,
        1,
        "the row at 350 came after the watermark had passed 1000"
    );
}

/// Counts rows per window, by arrival or by an event time.
pub(super) fn counting(size_ms: u64, time: Option<&str>) -> Plan {
    Plan {
        needs: vec![field(time.unwrap_or("time"), Type::Time)],
        window: tumbling(size_ms),
        event_time: time.map(|_| EventTime {
            column: ColumnIndex(0),
            lateness_ms: 0,
            late: LatePolicy::Drop,
            idle_ms: Some(2000),
        }),
        aggregates: vec![aggregate("n", "count", vec![])],
        emits: emits(&[("n", 2)]),
        ..empty_plan()
    }
}

pub(super) fn event(at: i64, time: i64) -> Message {
    message(
        at,
        "t",
        &[("time", Value::Int(time)), ("other", Value::Int(time - 700))],
    )
}

/// The windows of all versions in a run.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Tumbling,
    Hopping,
    Session,
    Count,
    /// Of so many rows, one after the other.
    Parts,
    Sliding,
    Delayed,
}

impl Kind {
    fn plan(self, size_ms: u64, time: Option<&str>) -> Plan {
        let mut plan = counting(size_ms, time);
        plan.window = Some(match self {
            Kind::Tumbling => Window::Tumbling { size_ms },
            Kind::Hopping => Window::Hopping {
                size_ms,
                hop_ms: size_ms / 2,
            },
            Kind::Session => Window::Session {
                timeout_ms: size_ms / 2,
                max_ms: 3 * size_ms,
            },
            Kind::Count => Window::Count {
                rows: size_ms / 200,
                every: size_ms / 300,
            },
            Kind::Parts => Window::Count {
                rows: size_ms / 200,
                every: size_ms / 200,
            },
            Kind::Sliding | Kind::Delayed => Window::Sliding {
                size_ms,
                delay_ms: if matches!(self, Kind::Sliding) { 0 } else { size_ms / 3 },
                when: None,
            },
        });
        plan
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Tumbling),
        Just(Kind::Hopping),
        Just(Kind::Session),
        Just(Kind::Count),
        Just(Kind::Parts),
        Just(Kind::Sliding),
        Just(Kind::Delayed)
    ]
}

#[derive(Clone, Debug)]
enum Input {
    Row { after: i64, time: i64 },
    Tick(i64),
    Put { size_ms: u64, time: Option<&'static str> },
    Remove(Removal),
    SetBack(i64),
    Cut,
}

/// All times are multiples of 100 ms, so that they often fall on the ends of windows.
fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let time = prop_oneof![Just(None), Just(Some("time")), Just(Some("other"))];
    let row = (0..5_i64, -15..5_i64).prop_map(|(after, time)| Input::Row {
        after: after * 100,
        time: time * 100,
    });
    let input = prop_oneof![
        10 => row,
        1 => (0..30_i64).prop_map(|tenths| Input::Tick(tenths * 100)),
        2 => (prop_oneof![Just(1000_u64), Just(1500), Just(700)], time)
            .prop_map(|(size_ms, time)| Input::Put { size_ms, time }),
        1 => Just(Input::Remove(Removal::Drain)),
        1 => Just(Input::Remove(Removal::Retire)),
        1 => (1..40_i64).prop_map(|tenths| Input::SetBack(tenths * 100)),
        3 => Just(Input::Cut),
    ];
    proptest::collection::vec(input, 0..80)
}

/// The emissions, and how many rows came in while the rule was there to stay.
fn run(inputs: &[Input], kind: Kind, one_by_one: bool) -> (Driver, u64) {
    let mut driver = Driver::with(kind.plan(1000, None));
    let (mut now, mut rows, mut drained) = (0, 0, false);
    let mut batch = Vec::new();
    for input in inputs {
        if !matches!(input, Input::Row { .. }) || one_by_one {
            driver.send(&std::mem::take(&mut batch));
        }
        match *input {
            Input::Row { after, time } => {
                now += after;
                rows += u64::from(!drained);
                batch.push(event(now, now + time));
            }
            Input::Tick(after) => {
                now += after;
                driver.tick(now);
            }
            Input::Put { size_ms, time } => {
                driver.put("rule", kind.plan(size_ms, time));
                drained = false;
            }
            Input::Remove(how) => {
                driver.remove("rule", how);
                drained = true;
            }
            Input::SetBack(by) => {
                now -= by;
                driver.set_back(now);
            }
            Input::Cut => {}
        }
    }
    driver.send(&batch);
    driver.close_all();
    (driver, rows)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_is_in_one_window_or_late_through_any_reloads(
        inputs in inputs(),
        kind in prop_oneof![Just(Kind::Tumbling), Just(Kind::Session), Just(Kind::Parts)],
    ) {
        let (mut driver, rows) = run(&inputs, kind, false);
        let counts = driver.counts("rule");
        let all = inputs.iter().filter(|input| matches!(input, Input::Row { .. })).count() as u64;
        prop_assert!((rows..=all).contains(&counts.rows_in), "{} of {rows} to {all} rows", counts.rows_in);
        prop_assert_eq!(counts.rows_in, counts.rows_windowed + counts.rows_late);
        let emitted = driver.taken("rule");
        let emitted: u64 = emitted.iter().map(|text| text.split("n=").nth(1).unwrap().parse::<u64>().unwrap()).sum();
        prop_assert_eq!(emitted, counts.rows_windowed);
    }

    #[test]
    fn reloads_do_not_depend_on_batches(inputs in inputs(), kind in kinds()) {
        let (mut whole, _) = run(&inputs, kind, false);
        let (mut single, _) = run(&inputs, kind, true);
        let (mut whole_taken, mut single_taken) = (whole.taken("rule"), single.taken("rule"));
        // Versions that drain side by side may close in either order.
        whole_taken.sort();
        single_taken.sort();
        prop_assert_eq!(whole_taken, single_taken);
        prop_assert_eq!(whole.counts("rule").rows_late, single.counts("rule").rows_late);
    }
}
