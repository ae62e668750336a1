//! Rules that share their state because they do the same: nobody can tell, except by what it costs.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, reading, topic,
    tumbling, tutorial_plan, version,
};
use super::reload::counting;
use crate::{Bounds, DeadRow, OnChange, Removal};
use proptest::prelude::*;
use rulemill_plan::{ColumnIndex, Plan, Type, Window};

/// A sum by a library per second, so that its calls can be counted.
fn totals() -> Plan {
    Plan {
        needs: vec![field("n", Type::Int)],
        window: tumbling(1000),
        aggregates: vec![aggregate("sum", "total", vec![column(0)])],
        emits: emits(&[("sum", 2)]),
        ..empty_plan()
    }
}

fn number(at: i64, n: i64) -> Message {
    message(at, "t", &[("n", Value::Int(n))])
}

#[test]
fn rules_that_do_the_same_aggregate_once() {
    let mut driver = Driver::new();
    let mut renamed = totals();
    renamed.emits = emits(&[("total", 2)]);
    driver.put("a", totals());
    driver.put("b", renamed);
    driver.send(&[number(0, 3), number(1, 4)]);
    driver.tick(1000);
    assert_eq!(driver.library.calls_of("total").count(), 1);
    assert_eq!(driver.taken("a"), ["[0, 1000) sum=7"]);
    assert_eq!(driver.taken("b"), ["[0, 1000) total=7"]);
    for rule in ["a", "b"] {
        let counts = driver.counts(rule);
        assert_eq!(
            (
                counts.rows_in,
                counts.rows_windowed,
                counts.windows_closed,
                counts.rows_out
            ),
            (2, 2, 1, 1)
        );
    }
}

#[test]
fn a_rule_that_comes_later_does_not_see_what_was_before() {
    let mut driver = Driver::new();
    driver.put("a", tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.put("b", tutorial_plan());
    driver.send(&[reading(2000, "1", 3.0)]);
    driver.tick(10_000);
    assert_eq!(
        driver.taken("a"),
        ["[0, 10000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1"]
    );
    assert_eq!(
        driver.taken("b"),
        ["[0, 10000) device_id=1 t_av=3 t_count=1 t_max=3 t_min=3"]
    );
}

#[test]
fn rules_come_together_once_their_windows_are_the_same() {
    let mut driver = Driver::new();
    driver.put("a", tutorial_plan());
    driver.send(&[reading(1000, "1", 1.0)]);
    driver.put("b", tutorial_plan());
    assert_eq!(driver.stream.folds(), 2);
    // The window that b saw only in part must be over, and not just empty.
    driver.send(&[reading(2000, "1", 1.0), reading(10_000, "1", 1.0)]);
    assert_eq!(driver.stream.folds(), 1);
    driver.send(&[reading(11_000, "1", 3.0)]);
    driver.tick(20_000);
    for rule in ["a", "b"] {
        let taken = driver.taken(rule);
        assert_eq!(taken[1], "[10000, 20000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1");
        assert_eq!(driver.counts(rule).rows_in, if rule == "a" { 4 } else { 3 });
    }
}

#[test]
fn a_rule_that_goes_its_own_way_takes_its_state_along() {
    let mut driver = Driver::new();
    for rule in ["a", "b", "c", "d"] {
        driver.put(rule, tutorial_plan());
    }
    driver.send(&[reading(1000, "1", 1.0)]);
    assert_eq!(driver.stream.folds(), 1);
    driver.remove("a", Removal::Retire);
    driver.remove("b", Removal::Drain);
    driver.remove("c", Removal::Discard);
    driver.send(&[reading(2000, "1", 3.0)]);
    driver.tick(10_000);
    let (one, both) = (
        "[0, 10000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1",
        "[0, 10000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1",
    );
    assert_eq!(driver.taken("a"), [one]);
    assert_eq!(driver.taken("b"), [both]);
    assert!(driver.taken("c").is_empty());
    assert_eq!(driver.taken("d"), [both]);
    assert_eq!(driver.stream.rules().count(), 1);
}

#[test]
fn another_bound_is_another_state() {
    let mut driver = Driver::new();
    driver.put("a", tutorial_plan());
    let mut bounded = version("b", tutorial_plan());
    bounded.bounds.groups_max = 1;
    driver.try_put(&bounded).unwrap();
    driver.send(&[reading(0, "1", 1.0), reading(0, "2", 1.0)]);
    assert_eq!(driver.counts("a").rows_windowed, 2);
    assert_eq!(driver.counts("b").rows_windowed, 1);
}

/// Plans that share much, and differ in a thing or two.
fn plans() -> Vec<Plan> {
    let mut renamed = tutorial_plan();
    renamed.emits = emits(&[("device", 0), ("average", 3)]);
    let mut filtered = tutorial_plan();
    filtered.before.push(call("above", vec![column(1), literal(0.0)]));
    filtered.keep = Some(ColumnIndex(3));
    let mut needy = tutorial_plan();
    needy.needs[1].missing = rulemill_plan::Fallback::Reject;
    let mut smaller = tutorial_plan();
    smaller.window = tumbling(3000);
    let mut hopping = tutorial_plan();
    hopping.window = Some(Window::Hopping {
        size_ms: 3000,
        hop_ms: 1000,
    });
    let session = Some(Window::Session {
        timeout_ms: 300,
        max_ms: 1200,
    });
    let mut sessions = tutorial_plan();
    sessions.window = session;
    let mut event_sessions = counting(1000, Some("time"));
    event_sessions.window = session;
    let mut counts = tutorial_plan();
    counts.window = Some(Window::Count { rows: 5, every: 2 });
    let mut event_counts = counting(1000, Some("time"));
    event_counts.window = counts.window;
    let mut sliding = tutorial_plan();
    sliding.window = Some(Window::Sliding {
        size_ms: 1000,
        delay_ms: 300,
        when: None,
    });
    let mut event_sliding = counting(1000, Some("time"));
    event_sliding.window = Some(Window::Sliding {
        size_ms: 1000,
        delay_ms: 0,
        when: None,
    });
    let mut states = tutorial_plan();
    states.before.push(call("above", vec![column(1), literal(0.0)]));
    states.before.push(call("above", vec![column(1), literal(2.0)]));
    states.window = Some(Window::State {
        begin: ColumnIndex(3),
        emit: ColumnIndex(4),
    });
    let mut event_hopping = counting(1000, Some("time"));
    event_hopping.window = Some(Window::Hopping {
        size_ms: 1000,
        hop_ms: 400,
    });
    let alert = Plan {
        needs: vec![field("temperature", Type::Float), topic()],
        before: vec![call("above", vec![column(0), literal(2.0)])],
        keep: Some(ColumnIndex(2)),
        emits: emits(&[("t", 0), ("topic", 1)]),
        ..empty_plan()
    };
    let event = |size| counting(size, Some("time"));
    vec![
        tutorial_plan(),
        tutorial_plan(),
        renamed,
        filtered,
        needy,
        smaller,
        hopping,
        event_hopping,
        states,
        sliding,
        event_sliding,
        counts,
        event_counts,
        sessions,
        event_sessions,
        alert,
        totals(),
        event(1000),
        event(700),
        counting(1000, None),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        rule: usize,
        plan: usize,
        at_once: bool,
    },
    Remove {
        rule: usize,
        how: usize,
    },
    Row(Message),
    /// The batch ends here.
    Cut,
    Tick(i64),
    /// The clock was wrong.
    SetBack(i64),
    /// For one rule alone.
    Again {
        rule: usize,
        row: Message,
    },
}

const RULES: [&str; 3] = ["a", "b", "c"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (0..8_i64, 0..3_u8, proptest::option::of(-2..5_i32), -20..8_i64).prop_map(|(at, device, value, time)| {
        let mut fields = vec![("time", Value::Int(time)), ("n", Value::Int(time))];
        fields.extend(value.map(|value| ("temperature", Value::Float(value.into()))));
        message(at, &format!("devices/{device}/messages"), &fields)
    });
    let rule = 0..RULES.len();
    let step = prop_oneof![
        2 => (rule.clone(), 0..plans().len(), any::<bool>())
            .prop_map(|(rule, plan, at_once)| Step::Put { rule, plan, at_once }),
        1 => (rule.clone(), 0..3_usize).prop_map(|(rule, how)| Step::Remove { rule, how }),
        12 => row.clone().prop_map(Step::Row),
        4 => Just(Step::Cut),
        1 => (0..60_i64).prop_map(Step::Tick),
        1 => (rule, row).prop_map(|(rule, row)| Step::Again { rule, row }),
        1 => (0..30_i64).prop_map(Step::SetBack),
    ];
    proptest::collection::vec(step, 1..120).prop_map(|mut steps| {
        // Of times, the distance to the step before becomes the time, in tenths of seconds.
        let mut now = 0;
        for step in &mut steps {
            match step {
                Step::Row(row) | Step::Again { row, .. } => {
                    now += row.at * 100;
                    row.at = now;
                    if let (_, Value::Int(time)) = &mut row.fields[0] {
                        *time = now + *time * 100;
                    }
                }
                Step::Tick(at) => {
                    now += *at * 100;
                    *at = now;
                }
                Step::SetBack(by) => {
                    now -= *by * 100;
                    *by = now;
                }
                Step::Put { .. } | Step::Remove { .. } | Step::Cut => {}
            }
        }
        steps
    })
}

/// Takes the steps with those of these rules only.
fn run(rules: &[usize], steps: &[Step], bounds: Bounds) -> Driver {
    let plans = plans();
    let mut driver = Driver::bounded(bounds, 1);
    let mut batch = Vec::new();
    for step in steps.iter().chain([&Step::Cut]) {
        if let Step::Row(row) = step {
            batch.push(row.clone());
            continue;
        }
        if !batch.is_empty() {
            driver.send(&std::mem::take(&mut batch));
        }
        match step {
            Step::Put { rule, plan, at_once } if rules.contains(rule) => {
                let mut version = version(RULES[*rule], plans[*plan].clone());
                if *at_once {
                    version.on_change = OnChange::Now;
                }
                driver.try_put(&version).unwrap();
            }
            Step::Remove { rule, how } if rules.contains(rule) => {
                let how = [Removal::Drain, Removal::Retire, Removal::Discard][*how];
                driver.remove(RULES[*rule], how);
            }
            Step::Tick(now) => driver.tick(*now),
            Step::SetBack(now) => driver.set_back(*now),
            Step::Again { rule, row } => {
                // Time passes for all rules.
                let rule = if rules.contains(rule) { RULES[*rule] } else { "nobody" };
                driver.send_to(Some(rule), std::slice::from_ref(row));
            }
            Step::Put { .. } | Step::Remove { .. } | Step::Row(_) | Step::Cut => {}
        }
    }
    driver.close_all();
    driver
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_does_in_company_what_it_does_alone(steps in steps(), piece in prop_oneof![Just(1_usize), Just(16_384)]) {
        let pieces = Bounds { groups_per_call: piece, ..Bounds::default() };
        let mut together = run(&[0, 1, 2], &steps, pieces);
        for (number, rule) in RULES.into_iter().enumerate() {
            let mut alone = run(&[number], &steps, Bounds::default());
            // Pieces of a window may come out after the emission of a batch that came later.
            let taken = |driver: &mut Driver| -> (Vec<String>, Vec<String>) {
                driver.taken(rule).into_iter().partition(|emission| emission.starts_with('['))
            };
            prop_assert_eq!(taken(&mut together), taken(&mut alone));
            prop_assert_eq!(together.counts(rule), alone.counts(rule));
            let dead = |driver: &Driver| -> Vec<DeadRow> {
                driver.dead.iter().filter(|dead| &**dead.rule() == rule).cloned().collect()
            };
            prop_assert_eq!(dead(&together), dead(&alone));
        }
    }
}
