//! Each case changes one thing in a description that is right, and names the place and the words of the problem.

use crate::*;

fn tutorial() -> Plan {
    Plan::from_json(
        r#"{"name":"device_temperature","topics":["devices/+/messages"],
            "needs":[{"name":"temperature","type":"float","origin":{"field":["temperature"]}},
                     {"name":"topic","type":"text","origin":"topic"},
                     {"name":"at","type":"time","origin":"arrival_time"}],
            "before":[{"call":{"name":"device","function":"split_value","library":"text",
                               "arguments":[{"column":1},{"literal":"/"},{"literal":1}],"returns":"text"}},
                      {"kernel":{"kernel":0,"inputs":[0],"outputs":[{"name":"warm","type":"bool"}]}}],
            "keep":4,"keys":[3],"window":{"kind":"tumbling","size_ms":10000},
            "event_time":{"column":2,"lateness_ms":5,"idle_ms":9},
            "aggregates":[{"name":"mean","function":"avg","arguments":[{"column":0}]},
                          {"name":"count","function":"count"}],
            "after":[{"kernel":{"kernel":1,"inputs":[3],"outputs":[{"name":"hot","type":"bool"}]}}],
            "having":5,"order":[{"column":3}],"limit":9,
            "emits":[{"name":"device","column":0},{"name":"mean","column":3}],
            "settings":[{"name":"threshold","type":"float","default":80}],"sinks":["log"]}"#,
    )
    .unwrap()
}

fn text() -> Library {
    Library::from_json(
        r#"{"name":"text",
            "scalars":[{"name":"upper","parameters":[{"name":"text","type":"text"}],"returns":"text",
                        "examples":[{"rows":[["a"]],"expected":{"value":"A"}}]},
                       {"name":"concat","parameters":[{"name":"parts","type":"text","variadic":true}],"returns":"text",
                        "examples":[{"rows":[["a","b","c"]],"expected":{"value":"abc"}}]}],
            "aggregates":[{"name":"spread","parameters":[{"name":"value","type":"float"}],"returns":"float",
                           "state_words":2,"fingerprint":"00ff00ff00ff00ff",
                           "examples":[{"rows":[[1.0],[4]],"expected":{"value":3}}]}]}"#,
    )
    .unwrap()
}

#[track_caller]
fn check_plan(change: impl FnOnce(&mut Plan), at: &str, words: &str) {
    let mut plan = tutorial();
    change(&mut plan);
    expect(&plan.check(), at, words);
}

#[track_caller]
fn check_library(change: impl FnOnce(&mut Library), at: &str, words: &str) {
    let mut library = text();
    change(&mut library);
    expect(&library.check(), at, words);
}

#[track_caller]
fn expect(problems: &[Problem], at: &str, words: &str) {
    let found = problems
        .iter()
        .any(|problem| problem.at == at && problem.message.contains(words));
    assert!(found, "no problem with {words:?} at {at} in {problems:#?}");
}

fn call(plan: &mut Plan) -> &mut Call {
    match &mut plan.before[0] {
        Step::Call(call) => call,
        Step::Kernel(_) | Step::Remember(_) => panic!("the first step is the call"),
    }
}

fn kernel(plan: &mut Plan) -> &mut Kernel {
    match &mut plan.before[1] {
        Step::Kernel(kernel) => kernel,
        Step::Call(_) | Step::Remember(_) => panic!("the second step is the kernel"),
    }
}

#[test]
fn descriptions_that_are_right_have_no_problems() {
    assert_eq!(tutorial().check(), []);
    assert_eq!(text().check(), []);
}

#[test]
fn without_a_window_the_after_file_begins_with_the_before_file() {
    let mut plan = tutorial();
    (plan.window, plan.event_time, plan.keys, plan.aggregates) = (None, None, vec![], vec![]);
    assert_eq!(plan.check(), []);
}

#[test]
fn all_problems_are_reported_at_once() {
    let mut plan = tutorial();
    plan.name = "Big".into();
    plan.limit = Some(0);
    plan.emits.clear();
    assert_eq!(plan.check().len(), 3);
}

#[test]
fn names_are_checked() {
    check_plan(|plan| plan.name = "Device".into(), "name", "lower-case letters");
    check_plan(|plan| plan.name = String::new(), "name", "got \"\"");
    check_plan(|plan| plan.name = "a".repeat(65), "name", "1 to 64");
    check_plan(|plan| plan.name = "../escape".into(), "name", "lower-case letters");
    check_plan(|plan| plan.sinks = vec!["a b".into()], "sinks[0]", "lower-case letters");
    check_plan(|plan| plan.sinks.push("log".into()), "sinks[1]", "taken already");
    check_plan(|plan| plan.needs[1].name.clear(), "needs[1].name", "empty");
    check_plan(
        |plan| call(plan).function = "a.b".into(),
        "before[0].call.function",
        "letters, digits and `_`",
    );
    check_plan(
        |plan| call(plan).library = Some("T".into()),
        "before[0].call.library",
        "lower-case letters",
    );
    check_plan(
        |plan| plan.settings[0].name = "1st".into(),
        "settings[0].name",
        "begin with a digit",
    );
}

#[test]
fn topic_filters_are_checked() {
    for (filter, words) in [
        ("", "1 to 65535 bytes"),
        ("a/#/b", "whole last level"),
        ("a#", "whole last level"),
        ("a/b+/c", "whole level"),
        ("a\0", "null character"),
    ] {
        check_plan(|plan| plan.topics = vec![filter.into()], "topics[0]", words);
    }
}

#[test]
fn a_field_that_cannot_have_its_type_is_refused() {
    check_plan(
        |plan| plan.needs[1].kind = Type::Int,
        "needs[1].type",
        "topic can be read as text, not as int",
    );
    check_plan(|plan| plan.needs[0].kind = Type::Bytes, "needs[0].type", "not as bytes");
}

#[test]
fn indices_out_of_range_are_refused_at_the_step_that_has_them() {
    let far = ColumnIndex(u32::MAX);
    let argument = Argument::Column(ColumnIndex(3));
    check_plan(
        |plan| call(plan).arguments[0] = argument,
        "before[0].call.arguments[0]",
        "no column 3 here",
    );
    check_plan(
        |plan| kernel(plan).inputs[0] = ColumnIndex(4),
        "before[1].kernel.inputs[0]",
        "has 4 columns",
    );
    check_plan(|plan| plan.keep = Some(far), "keep", "no column 4294967295");
    check_plan(|plan| plan.keys = vec![far], "keys[0]", "no column");
    check_plan(|plan| plan.having = Some(far), "having", "the after file has 6 columns");
    check_plan(|plan| plan.order[0].column = far, "order[0].column", "no column");
    check_plan(
        |plan| plan.emits[1].column = ColumnIndex(6),
        "emits[1].column",
        "no column 6",
    );
    let argument = Argument::Column(far);
    check_plan(
        |plan| plan.aggregates[0].arguments = vec![argument],
        "aggregates[0].arguments[0]",
        "no column",
    );
}

#[test]
fn types_that_the_plan_states_are_checked() {
    check_plan(
        |plan| plan.keep = Some(ColumnIndex(0)),
        "keep",
        "must be bool, got float",
    );
    check_plan(
        |plan| plan.having = Some(ColumnIndex(3)),
        "having",
        "must be bool, got float",
    );
    let event_time = |plan: &mut Plan| plan.event_time.as_mut().unwrap().column = ColumnIndex(0);
    check_plan(event_time, "event_time.column", "must be time, got float");
    let argument = Argument::Column(ColumnIndex(1));
    check_plan(
        |plan| plan.aggregates[0].arguments = vec![argument],
        "aggregates[0].arguments[0]",
        "must be int or float, got text",
    );
}

#[test]
fn windows_and_what_needs_them_are_checked() {
    let size = |size_ms| move |plan: &mut Plan| plan.window = Some(Window::Tumbling { size_ms });
    check_plan(size(0), "window.size_ms", "got 0");
    check_plan(size(u64::MAX), "window.size_ms", "must be 1 to");
    let hopping = |size_ms, hop_ms| move |plan: &mut Plan| plan.window = Some(Window::Hopping { size_ms, hop_ms });
    check_plan(hopping(0, 0), "window.size_ms", "got 0");
    check_plan(hopping(10, 0), "window.hop_ms", "must be 1 to");
    check_plan(hopping(10, 11), "window.hop_ms", "must be at most size_ms, 10");
    check_plan(
        hopping(20_001, 2),
        "window.hop_ms",
        "must be at least 3; with 2 it is in 10001",
    );
    let mut right = tutorial();
    hopping(20_000, 2)(&mut right);
    assert_eq!(right.check(), []);
    let session =
        |timeout_ms, max_ms| move |plan: &mut Plan| plan.window = Some(Window::Session { timeout_ms, max_ms });
    check_plan(session(0, 1), "window.timeout_ms", "must be 1 to");
    check_plan(session(1, u64::MAX), "window.max_ms", "must be 1 to");
    let count = |rows, every| move |plan: &mut Plan| plan.window = Some(Window::Count { rows, every });
    check_plan(count(0, 1), "window.rows", "must be 1 to 1000000, got 0");
    check_plan(count(3, 0), "window.every", "must be 1 to rows, 3");
    check_plan(count(3, 4), "window.every", "got 4");
    let sliding = |size_ms, delay_ms, when: Option<u32>| {
        move |plan: &mut Plan| {
            plan.window = Some(Window::Sliding {
                size_ms,
                delay_ms,
                when: when.map(ColumnIndex),
            });
        }
    };
    check_plan(sliding(0, 0, None), "window.size_ms", "must be 1 to");
    check_plan(sliding(1, u64::MAX, None), "window.delay_ms", "must be 0 to");
    check_plan(sliding(1, 0, Some(3)), "window.when", "column 3 must be bool");
    check_plan(sliding(1, 0, Some(99)), "window.when", "there is no column 99 here");
    let state = |begin, emit| {
        let (begin, emit) = (ColumnIndex(begin), ColumnIndex(emit));
        move |plan: &mut Plan| plan.window = Some(Window::State { begin, emit })
    };
    check_plan(state(3, 4), "window.begin", "column 3 must be bool");
    check_plan(state(4, 99), "window.emit", "there is no column 99 here");
    let content = |window, content| {
        move |plan: &mut Plan| {
            plan.window = window;
            plan.content = Some(ColumnIndex(content));
        }
    };
    let last = Some(Window::Count { rows: 2, every: 1 });
    check_plan(content(last, 3), "content", "column 3 must be bool");
    let tumbling = Some(Window::Tumbling { size_ms: 1 });
    check_plan(content(tumbling, 4), "content", "for others use keep");
    let mut right = tutorial();
    content(last, 4)(&mut right);
    assert_eq!(right.check(), []);
    for at in ["keys", "event_time", "aggregates"] {
        check_plan(|plan| plan.window = None, at, "needs a window");
    }
    check_plan(
        |plan| plan.event_time.as_mut().unwrap().idle_ms = Some(0),
        "event_time.idle_ms",
        "at least 1",
    );
}

#[test]
fn built_in_aggregates_have_their_number_of_arguments() {
    check_plan(
        |plan| plan.aggregates[0].arguments.clear(),
        "aggregates[0].arguments",
        "avg takes 1 argument, got 0",
    );
    let two = vec![Argument::Column(ColumnIndex(0)); 2];
    check_plan(
        |plan| plan.aggregates[1].arguments = two,
        "aggregates[1].arguments",
        "at most 1 argument, got 2",
    );
}

#[test]
fn kernels_results_and_settings_are_checked() {
    check_plan(
        |plan| kernel(plan).outputs.clear(),
        "before[1].kernel.outputs",
        "at least one column",
    );
    check_plan(|plan| plan.emits.clear(), "emits", "at least one");
    check_plan(|plan| plan.emits[1].name = "device".into(), "emits[1]", "taken already");
    check_plan(|plan| plan.limit = Some(0), "limit", "at least 1");
    let setting = Argument::Setting("limit".into());
    check_plan(
        |plan| call(plan).arguments[1] = setting,
        "before[0].call.arguments[1]",
        "no setting \"limit\"",
    );
    check_plan(
        |plan| plan.settings[0].default = Some("hot".into()),
        "settings[0].default",
        "must be float",
    );
    check_plan(
        |plan| plan.settings[0].default = Some(Literal::Null),
        "settings[0].default",
        "got null",
    );
    check_plan(
        |plan| plan.settings[0].kind = Type::Time,
        "settings[0].type",
        "bool, int, float or text",
    );
}

#[test]
fn too_many_columns_are_refused() {
    let many = |plan: &mut Plan| plan.needs = vec![plan.needs[0].clone(); COLUMN_COUNT_MAX + 1];
    check_plan(many, "before", "1024 columns");
}

#[test]
fn functions_of_a_library_are_checked() {
    check_library(|library| library.name = "Text".into(), "name", "lower-case");
    check_library(|library| library.format = 2, "format", "update rulemill");
    check_library(
        |library| library.scalars[0].name = "to upper".into(),
        "scalars[0].name",
        "letters, digits and `_`",
    );
    check_library(
        |library| library.scalars[1].name = "upper".into(),
        "scalars[1]",
        "taken already",
    );
    check_library(
        |library| library.aggregates[0].name = "upper".into(),
        "aggregates[0].name",
        "scalar function already",
    );
    let doubled = |library: &mut Library| {
        let parameter = library.scalars[1].parameters[0].clone();
        library.scalars[1].parameters.push(parameter);
    };
    check_library(doubled, "scalars[1].parameters[0].variadic", "only the last");
    check_library(doubled, "scalars[1].parameters[1]", "taken already");
}

#[test]
fn examples_must_fit_their_function() {
    let example = |library: &mut Library, rows: Vec<Vec<Literal>>| library.scalars[0].examples[0].rows = rows;
    let at = "scalars[0].examples[0].rows";
    check_library(|library| example(library, vec![]), at, "one row, got 0");
    check_library(
        |library| example(library, vec![vec![]]),
        "scalars[0].examples[0].rows[0]",
        "1 values",
    );
    let number = vec![vec![Literal::Int(1)]];
    check_library(
        |library| example(library, number),
        "scalars[0].examples[0].rows[0][0]",
        "text must be text, got 1",
    );
    let value = Expected::Value(1.into());
    let wrong = |library: &mut Library| library.scalars[0].examples[0].expected = value;
    check_library(wrong, "scalars[0].examples[0].expected.value", "must be text");
}

#[test]
fn states_of_aggregates_are_checked() {
    for words in [0, 65, u32::MAX] {
        let change = |library: &mut Library| library.aggregates[0].state_words = words;
        check_library(change, "aggregates[0].state_words", "1 to 64");
    }
    for fingerprint in ["", "00ff", "00FF00FF00FF00FF", "+0ff00ff00ff00ff", "00ff00ff00ff00ff0"] {
        let change = |library: &mut Library| library.aggregates[0].fingerprint = fingerprint.into();
        check_library(change, "aggregates[0].fingerprint", "16 lower-case hexadecimal digits");
    }
}

/// A plan with a step that remembers, as JSON.
#[track_caller]
fn check_remember(step: &str, at: &str, words: &str) {
    check_plan(
        |plan| {
            plan.before
                .push(serde_json::from_str(&format!(r#"{{"remember":{step}}}"#)).unwrap());
        },
        at,
        words,
    );
}

#[test]
fn steps_that_remember_are_checked() {
    let mut plan = tutorial();
    let step = r#"{"remember":{"name":"was","recall":{"kind":"lag","rows":1},"columns":[0],"defaults":[{"literal":0}],"partition":[3],"when":4}}"#;
    plan.before.push(serde_json::from_str(step).unwrap());
    assert_eq!(plan.check(), []);
    check_remember(
        r#"{"name":"was","recall":{"kind":"lag","rows":2000},"columns":[0]}"#,
        "before[2].remember.recall.rows",
        "1 to 1024, got 2000",
    );
    check_remember(
        r#"{"name":"was","recall":{"kind":"latest"},"columns":[]}"#,
        "before[2].remember.columns",
        "at least one column",
    );
    check_remember(
        r#"{"name":"was","recall":{"kind":"accumulate","function":"sum"},"columns":[1]}"#,
        "before[2].remember.columns[0]",
        "must be int or float, got text",
    );
    check_remember(
        r#"{"name":"was","recall":{"kind":"latest"},"columns":[0],"when":1}"#,
        "before[2].remember.when",
        "must be bool",
    );
    check_remember(
        r#"{"name":"was","recall":{"kind":"latest"},"columns":[0],"defaults":[{"literal":"x"}]}"#,
        "before[2].remember.defaults[0]",
        "must be float",
    );
    check_remember(
        r#"{"name":"was","recall":{"kind":"changed"},"columns":[0],"defaults":[{"literal":0}]}"#,
        "before[2].remember.defaults",
        "changed has no defaults",
    );
    check_remember(
        r#"{"name":"was","recall":{"kind":"latest"},"columns":[0],"partition":[9]}"#,
        "before[2].remember.partition[0]",
        "there is no column 9",
    );
    check_plan(
        |plan| plan.after.push(serde_json::from_str(step).unwrap()),
        "after[1].remember",
        "only a step of `before`",
    );
}
