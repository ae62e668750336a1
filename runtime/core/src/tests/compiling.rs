//! Plans that cannot run: every problem is found, with its place and what would be right.

use super::driver::{
    Driver, aggregate, call, column, emits, empty_plan, field, kernel, literal, topic, tumbling, tutorial_plan, version,
};
use crate::{CompileError, Micros, Swap};
use rulemill_plan::{
    Argument, Call, ColumnIndex, EventTime, LatePolicy, Literal, Order, Origin, Plan, Setting, Step, Type,
};

fn problems(plan: Plan) -> Vec<String> {
    match Driver::new().try_put(&version("rule", plan)) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

/// A plan that is right: topic, temperature (float), n (int), with a window.
fn base() -> Plan {
    Plan {
        needs: vec![topic(), field("temperature", Type::Float), field("n", Type::Int)],
        window: tumbling(1000),
        aggregates: vec![aggregate("count", "count", vec![])],
        emits: emits(&[("count", 2)]),
        ..empty_plan()
    }
}

fn setting(name: &str, kind: Type, default: Option<Literal>) -> Setting {
    Setting {
        name: name.to_owned(),
        kind,
        default,
        doc: String::new(),
    }
}

#[test]
fn good_plans_have_no_problems() {
    assert!(problems(base()).is_empty());
    assert!(problems(tutorial_plan()).is_empty());
}

#[test]
fn each_mistake_is_named_with_its_place() {
    let check = |break_it: &dyn Fn(&mut Plan), expected: &str| {
        let mut plan = base();
        break_it(&mut plan);
        assert_eq!(problems(plan), [expected]);
    };
    check(&|plan| plan.format = 9, "format must be 1 to 1, got 9 (format)");
    check(&|plan| plan.window = tumbling(0), {
        "a window lasts 1 ms to 2305843009213693 ms, got 0 ms (window.size_ms)"
    });
    check(&|plan| plan.window = tumbling(u64::MAX), {
        "a window lasts 1 ms to 2305843009213693 ms, got 18446744073709551615 ms (window.size_ms)"
    });
    check(&|plan| plan.keys = vec![ColumnIndex(3)], {
        "there is no column 3: the columns at this point are 0 to 2 (keys[0])"
    });
    check(&|plan| plan.keep = Some(ColumnIndex(7)), {
        "there is no column 7: the columns at this point are 0 to 2 (keep)"
    });
    check(&|plan| plan.keep = Some(ColumnIndex(2)), {
        "keep must be a bool, and n is of type int (keep)"
    });
    check(&|plan| plan.having = Some(ColumnIndex(2)), {
        "having must be a bool, and count is of type int (having)"
    });
    check(&|plan| plan.having = Some(ColumnIndex(9)), {
        "there is no column 9: the columns at this point are 0 to 2 (having)"
    });
    check(&|plan| plan.emits = vec![], "a rule emits at least one column (emits)");
    check(&|plan| plan.emits = emits(&[("a", 0), ("a", 1)]), {
        "\"a\" is emitted twice; the names must be distinct (emits[1].name)"
    });
    check(&|plan| plan.emits = emits(&[("a", 3)]), {
        "there is no column 3: the columns at this point are 0 to 2 (emits[0].column)"
    });
    check(
        &|plan| {
            plan.order = vec![Order {
                column: ColumnIndex(u32::MAX),
                descending: false,
            }];
        },
        "there is no column 4294967295: the columns at this point are 0 to 2 (order[0].column)",
    );
    check(&|plan| plan.needs[0].kind = Type::Int, {
        "topic can be read as text, not as int (needs[0].type)"
    });
    check(&|plan| plan.needs[1].origin = Origin::Payload, {
        "payload can be read as text or bytes, not as float (needs[1].type)"
    });
}

#[test]
fn event_times_are_times() {
    let event_time = EventTime {
        column: ColumnIndex(2),
        lateness_ms: 0,
        late: LatePolicy::Drop,
        idle_ms: None,
    };
    let mut plan = base();
    plan.event_time = Some(event_time);
    assert_eq!(
        problems(plan),
        ["the event time must be of type time, and n is of type int (event_time.column)"]
    );
}

#[test]
fn what_needs_a_window_is_refused_without_one() {
    let mut plan = base();
    plan.window = None;
    plan.keys = vec![ColumnIndex(0)];
    plan.event_time = Some(EventTime {
        column: ColumnIndex(2),
        lateness_ms: 0,
        late: LatePolicy::Drop,
        idle_ms: None,
    });
    let expected = ["keys", "aggregates", "event_time"]
        .map(|name| format!("{name} need a window, and the plan has none ({name})"));
    assert_eq!(problems(plan), expected);
}

#[test]
fn steps_read_columns_that_exist_already() {
    let mut plan = base();
    plan.before = vec![
        call("plus", vec![column(3), literal(1)]),
        kernel(0, &[5], &[("doubled", Type::Float)]),
        kernel(0, &[1], &[]),
    ];
    let expected = [
        "there is no column 3: the columns at this point are 0 to 2 (before[0].call.arguments[0])",
        "there is no column 5: the columns at this point are 0 to 3 (before[1].kernel.inputs[0])",
        "a kernel returns at least one column (before[2].kernel)",
    ];
    assert_eq!(problems(plan), expected);
}

#[test]
fn kernels_must_have_been_prepared() {
    let mut plan = base();
    plan.before = vec![kernel(0, &[1], &[("doubled", Type::Float)])];
    let mut version = version("rule", plan);
    version.kernels = None;
    let error = Driver::new().try_put(&version).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rule has kernel steps, and its kernels were not prepared (before[0].kernel)"
    );
}

#[test]
fn a_function_must_return_what_the_rule_relies_on() {
    let mut plan = base();
    plan.before = vec![Step::Call(Call {
        name: "device".to_owned(),
        function: "plus".to_owned(),
        library: None,
        arguments: vec![column(2), literal(1)],
        returns: Some(Type::Text),
    })];
    assert_eq!(
        problems(plan),
        ["plus returns int, and the rule relies on text (before[0].call.returns)"]
    );
}

#[test]
fn aggregates_take_the_right_types() {
    let check = |function: &str, arguments: Vec<Argument>, expected: &str| {
        let mut plan = base();
        plan.aggregates = vec![aggregate("a", function, arguments)];
        assert_eq!(problems(plan), [expected]);
    };
    let text = "and column 0 (topic) is of type text (aggregates[0].arguments[0])";
    for function in ["avg", "sum", "stddev", "stddevs", "var", "vars"] {
        check(
            function,
            vec![column(0)],
            &format!("{function} takes an int or a float, {text}"),
        );
    }
    check("avg", vec![], "avg takes one argument, got 0 (aggregates[0].arguments)");
    check("count", vec![column(0), column(1)], {
        "count takes at most one argument, got 2 (aggregates[0].arguments)"
    });
    check(
        "max",
        vec![literal(1)],
        "max takes a column, not a constant (aggregates[0].arguments[0])",
    );
    check("max", vec![column(8)], {
        "there is no column 8: the columns at this point are 0 to 2 (aggregates[0].arguments[0])"
    });
    check("huge", vec![column(2)], {
        "the state of huge must have 1 to 64 words, got 65 (aggregates[0].function)"
    });
    let mut plan = base();
    plan.needs.push(field("j", Type::Json));
    plan.aggregates = vec![aggregate("a", "max", vec![column(3)])];
    let expected =
        "max takes a bool, int, float, time or text, and column 3 (j) is of type json (aggregates[0].arguments[0])";
    assert_eq!(problems(plan), [expected]);
}

#[test]
fn every_built_in_aggregate_is_there() {
    for &function in rulemill_plan::BUILT_IN_AGGREGATES {
        let mut plan = base();
        plan.aggregates = vec![aggregate("a", function, vec![column(2)])];
        assert!(problems(plan).is_empty(), "{function}");
    }
}

#[test]
fn a_missing_function_makes_the_rule_wait_and_a_wrong_one_does_not() {
    let mut driver = Driver::new();
    driver.library.missing = vec!["split_value"];
    let error = driver.try_put(&version("rule", tutorial_plan())).unwrap_err();
    assert!(matches!(error, CompileError::Missing(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "no library has split_value (before[0].call.function)"
    );

    let mut plan = tutorial_plan();
    plan.emits.clear();
    let error = driver.try_put(&version("rule", plan)).unwrap_err();
    assert!(matches!(error, CompileError::Refused(_)), "{error}");
    assert_eq!(error.problems().len(), 2, "{error}");

    driver.library.missing.clear();
    assert_eq!(driver.put("rule", tutorial_plan()), Swap::New);

    let mut plan = base();
    plan.before = vec![call("nonsense", vec![])];
    assert_eq!(
        problems(plan),
        ["there is no function nonsense (before[0].call.function)"]
    );
}

#[test]
fn a_refused_version_leaves_the_running_one_alone() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[super::driver::reading(0, "1", 1.0)]);
    let fields = driver.stream.fields().to_vec();
    let mut plan = tutorial_plan();
    plan.needs.push(field("new", Type::Int));
    plan.keys = vec![ColumnIndex(99)];
    driver.try_put(&version("rule", plan)).unwrap_err();
    assert_eq!(driver.stream.fields(), fields);
    assert_eq!(driver.stream.next_deadline(), Some(Micros::from_millis(10_000)));
}

#[test]
fn settings_are_checked_and_reach_the_calls() {
    let mut plan = Plan {
        needs: vec![field("n", Type::Int), field("t", Type::Float)],
        before: vec![
            call("plus", vec![column(0), Argument::Setting("by".to_owned())]),
            call("above", vec![column(1), Argument::Setting("limit".to_owned())]),
        ],
        keep: Some(ColumnIndex(3)),
        emits: emits(&[("n", 2)]),
        settings: vec![
            setting("by", Type::Int, Some(Literal::Int(10))),
            setting("limit", Type::Float, None),
        ],
        ..empty_plan()
    };
    let put = |plan: &Plan, settings: &[(&str, Literal)]| {
        let mut version = version("rule", plan.clone());
        version.settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let mut driver = Driver::new();
        let result = driver.try_put(&version).map_err(|error| error.to_string());
        result.map(|_| driver)
    };
    // An int is fine where the setting is a float.
    let mut driver = put(&plan, &[("limit", Literal::Int(5))]).ok().unwrap();
    let row = |t| {
        super::driver::message(
            0,
            "t",
            &[
                ("n", super::driver::Value::Int(1)),
                ("t", super::driver::Value::Float(t)),
            ],
        )
    };
    driver.send(&[row(5.0), row(5.5)]);
    assert_eq!(driver.taken("rule"), ["n=11"]);

    let error = |plan: &Plan, settings: &[(&str, Literal)]| put(plan, settings).err().unwrap();
    assert_eq!(
        error(&plan, &[]),
        "the setting \"limit\" has no default and must be set, to a value of type float (settings[1])"
    );
    assert_eq!(
        error(&plan, &[("limit", Literal::from("x")), ("limt", Literal::Int(1))]),
        "the setting \"limit\" must be of type float, got \"x\" (settings[1]); \
         there is no such setting; the rule's settings are by, limit (settings.limt)"
    );
    plan.settings[0].default = Some(Literal::from("ten"));
    plan.settings[1] = setting("by", Type::Json, None);
    let all = error(&plan, &[]);
    assert!(
        all.contains("the default of the setting \"by\" must be of type int, got \"ten\" (settings[0])"),
        "{all}"
    );
    assert!(
        all.contains("the setting \"by\" is declared twice (settings[1])"),
        "{all}"
    );
    assert!(
        all.contains("the plan declares no setting \"limit\" (before[1].call.arguments[1])"),
        "{all}"
    );
}

#[test]
fn a_plan_beyond_all_measure_is_refused() {
    let mut plan = base();
    plan.needs = (0..2000).map(|n| field(&format!("f{n}"), Type::Int)).collect();
    assert_eq!(problems(plan), ["a plan has at most 1024 needs, got 2000 (needs)"]);
}
