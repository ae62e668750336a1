//! What carries the state of a rule over to its next version: only one that groups and aggregates the same.

use super::driver::{
    Driver, Value, aggregate, call, column, emits, empty_plan, field, kernel, literal, message, reading, topic,
    tumbling, tutorial_plan, version,
};
use crate::{KernelsId, Swap};
use rulemill_plan::{
    Argument, ColumnIndex, EventTime, Fallback, LatePolicy, Literal, Origin, PathSegment, Plan, Setting, Type,
};

/// Puts one plan after the other, with a window open in between.
fn swap(before: &Plan, after: &Plan) -> Swap {
    let mut driver = Driver::with(before.clone());
    let fields = [
        ("temperature", Value::Float(1.0)),
        ("humidity", Value::Float(2.0)),
        ("n", Value::Int(3)),
        ("time", Value::Int(0)),
    ];
    driver.send(&[message(0, "devices/1/messages", &fields)]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 1);
    driver.put("rule", after.clone())
}

/// What the shipped rule `comfort` consists of: a key by call, a kernel before the window and one after it.
fn comfort() -> Plan {
    let mut needs = vec![
        field("temperature", Type::Float),
        field("humidity", Type::Float),
        topic(),
    ];
    needs[0].missing = Fallback::Reject;
    Plan {
        needs,
        before: vec![
            call("split_value", vec![column(2), literal("/"), literal(1)]),
            kernel(0, &[0], &[("dew_point", Type::Float), ("kept", Type::Bool)]),
        ],
        keep: Some(ColumnIndex(5)),
        keys: vec![ColumnIndex(3)],
        window: tumbling(10_000),
        aggregates: vec![
            aggregate("least", "min", vec![column(4)]),
            aggregate("most", "max", vec![column(4)]),
        ],
        after: vec![kernel(1, &[4, 3], &[("spread", Type::Float)])],
        emits: emits(&[("device_id", 0), ("spread", 5)]),
        ..empty_plan()
    }
}

fn event_time(origin: &str) -> Plan {
    Plan {
        needs: vec![field(origin, Type::Time), field("n", Type::Int)],
        before: vec![call("plus", vec![column(1), Argument::Setting("by".to_owned())])],
        window: tumbling(1000),
        event_time: Some(EventTime {
            column: ColumnIndex(0),
            lateness_ms: 0,
            late: LatePolicy::Drop,
            idle_ms: None,
        }),
        aggregates: vec![aggregate("sum", "total", vec![column(2)])],
        emits: emits(&[("sum", 2)]),
        settings: vec![Setting {
            name: "by".to_owned(),
            kind: Type::Int,
            default: Some(Literal::Int(1)),
            doc: String::new(),
        }],
        ..empty_plan()
    }
}

fn check(plan: &Plan, change: impl FnOnce(&mut Plan), expect: Swap) {
    let mut changed = plan.clone();
    change(&mut changed);
    assert_eq!(swap(plan, &changed), expect);
}

#[test]
fn rules_built_again_keep_their_state() {
    for plan in [tutorial_plan(), comfort(), event_time("time")] {
        assert_eq!(swap(&plan, &plan), Swap::StateKept);
    }
}

#[test]
fn an_average_of_another_field_begins_windows_of_its_own() {
    let mut humid = tutorial_plan();
    humid.needs[1].origin = Origin::Field(vec![PathSegment::Name("humidity".to_owned())]);
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(0, "1", 1.0)]);
    assert_eq!(driver.put("rule", humid), Swap::StateDraining);
    driver.send(&[reading(1000, "1", 3.0)]);
    driver.send(&[message(
        10_000,
        "devices/1/messages",
        &[("humidity", Value::Float(50.0))],
    )]);
    driver.tick(20_000);
    let expected = [
        "[0, 10000) device_id=1 t_av=2 t_count=2 t_max=3 t_min=1",
        "[10000, 20000) device_id=1 t_av=50 t_count=1 t_max=50 t_min=50",
    ];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn another_origin_of_what_feeds_the_state_drains_it() {
    let key = |plan: &mut Plan| plan.before[0] = call("split_value", vec![column(2), literal("/"), literal(2)]);
    check(&comfort(), key, Swap::StateDraining);
    check(&comfort(), |plan| plan.keep = None, Swap::StateDraining);
    let input = |plan: &mut Plan| plan.before[1] = kernel(0, &[1], &[("d", Type::Float), ("k", Type::Bool)]);
    check(&comfort(), input, Swap::StateDraining);
    let argument = |plan: &mut Plan| plan.aggregates[1].arguments = vec![column(0)];
    check(&comfort(), argument, Swap::StateDraining);
    let swapped = |plan: &mut Plan| plan.aggregates[0].arguments = vec![column(1)];
    check(&event_time("time"), swapped, Swap::StateDraining);
    check(&event_time("time"), |plan| *plan = event_time("n"), Swap::StateDraining);
}

#[test]
fn another_value_of_a_setting_that_feeds_the_state_drains_it() {
    let plan = event_time("time");
    let default = |plan: &mut Plan| plan.settings[0].default = Some(Literal::Int(2));
    check(&plan, default, Swap::StateDraining);
    let mut driver = Driver::with(plan.clone());
    driver.send(&[message(0, "t", &[("time", Value::Int(0)), ("n", Value::Int(1))])]);
    let mut set = version("rule", plan);
    set.settings.insert("by".to_owned(), Literal::Int(1));
    assert_eq!(driver.try_put(&set).unwrap(), Swap::StateKept, "the same value");
    set.settings.insert("by".to_owned(), Literal::Int(7));
    assert_eq!(driver.try_put(&set).unwrap(), Swap::StateDraining);
}

/// Puts a plan with one value of the setting `factor`, and then with others, each time with kernels prepared anew.
fn swap_of_settings(plan: &Plan, before: impl Into<Literal>, after: &[(&str, Literal)]) -> Swap {
    let with_settings = |settings: &[(&str, Literal)], kernels| {
        let mut plan = plan.clone();
        let declared = settings.iter().map(|(name, value)| Setting {
            name: (*name).to_owned(),
            kind: match value {
                Literal::Float(_) => Type::Float,
                _ => Type::Int,
            },
            default: None,
            doc: String::new(),
        });
        plan.settings.extend(declared);
        let mut version = version("rule", plan);
        let values = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        version.settings.extend(values);
        version.kernels = Some(KernelsId(kernels));
        version
    };
    let mut driver = Driver::new();
    driver.try_put(&with_settings(&[("factor", before.into())], 1)).unwrap();
    let fields = [("temperature", Value::Float(1.0)), ("humidity", Value::Float(2.0))];
    driver.send(&[message(0, "devices/1/messages", &fields)]);
    assert_eq!(driver.stream.rule_state("rule").unwrap().open_windows, 1);
    driver.try_put(&with_settings(after, 2)).unwrap()
}

#[test]
fn another_value_of_a_setting_drains_the_state_that_a_kernel_feeds() {
    let check = |after: &[(&str, Literal)], expect| {
        assert_eq!(swap_of_settings(&comfort(), 2, after), expect, "{after:?}");
    };
    check(&[("factor", Literal::Int(3))], Swap::StateDraining);
    check(
        &[("factor", Literal::Int(2)), ("more", Literal::Int(1))],
        Swap::StateDraining,
    );
    // Only the kernel that filters: a threshold has changed.
    let mut filtering = comfort();
    filtering.aggregates = vec![aggregate("n", "count", vec![])];
    filtering.after.clear();
    filtering.emits = emits(&[("n", 3)]);
    let after = [("factor", Literal::Int(3))];
    assert_eq!(swap_of_settings(&filtering, 2, &after), Swap::StateDraining);
}

#[test]
fn other_code_with_the_same_settings_keeps_the_state() {
    assert_eq!(
        swap_of_settings(&comfort(), 2, &[("factor", Literal::Int(2))]),
        Swap::StateKept
    );
    let nan = || Literal::Float(f64::NAN);
    assert_eq!(
        swap_of_settings(&comfort(), nan(), &[("factor", nan())]),
        Swap::StateKept
    );
}

#[test]
fn another_value_of_a_setting_keeps_the_state_that_no_kernel_feeds() {
    // The kernel before the window is there and feeds nothing; the one after it works on closed windows only.
    let mut plan = comfort();
    plan.keep = None;
    for aggregate in &mut plan.aggregates {
        aggregate.arguments = vec![column(0)];
    }
    assert_eq!(
        swap_of_settings(&plan, 2, &[("factor", Literal::Int(3))]),
        Swap::StateKept
    );
}

#[test]
fn what_does_not_feed_the_state_may_change() {
    let requirement = |plan: &mut Plan| {
        plan.needs[0].missing = Fallback::Null;
        plan.needs[1].mistyped = Fallback::Reject;
    };
    check(&comfort(), requirement, Swap::StateKept);
    let results = |plan: &mut Plan| {
        plan.after.clear();
        plan.emits = emits(&[("least", 3)]);
    };
    check(&comfort(), results, Swap::StateKept);
    // Another column in front, which nothing uses, moves all others.
    let moved = |plan: &mut Plan| {
        plan.needs = vec![field("n", Type::Int), topic(), field("temperature", Type::Float)];
        plan.before = vec![
            call("plus", vec![column(0), literal(1)]),
            call("split_value", vec![column(1), literal("/"), literal(1)]),
        ];
        plan.keys = vec![ColumnIndex(4)];
        for aggregate in &mut plan.aggregates[..3] {
            aggregate.arguments = vec![column(2)];
        }
    };
    check(&tutorial_plan(), moved, Swap::StateKept);
    let lateness = |plan: &mut Plan| plan.event_time.as_mut().unwrap().lateness_ms = 500;
    check(&event_time("time"), lateness, Swap::StateKept);
}

#[test]
fn columns_that_nest_and_fan_out_compile_and_compare_in_little_time() {
    // Each kernel takes the one before twice: written out as a tree that is 2^500 columns.
    let mut plan = Plan {
        needs: vec![field("temperature", Type::Float), topic()],
        window: tumbling(1000),
        ..empty_plan()
    };
    for input in (0..1000).step_by(2) {
        plan.before.push(kernel(
            0,
            &[input, input],
            &[("doubled", Type::Float), ("positive", Type::Bool)],
        ));
    }
    plan.aggregates = vec![aggregate("most", "max", vec![column(1000)])];
    plan.emits = emits(&[("most", 2)]);
    assert_eq!(swap(&plan, &plan), Swap::StateKept);
    check(
        &plan,
        |plan| plan.aggregates[0].arguments = vec![column(998)],
        Swap::StateDraining,
    );
}
