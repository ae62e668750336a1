//! How large a plan may be, and how many groups its windows may have. What a guest says about itself is hostile input, and it is worked on by a thread that other
//! rules wait for.

use crate::Bounds;
use crate::program::{AggregateUse, Cut, Function};
use rulemill_plan::{COLUMN_COUNT_MAX, Origin, Plan, Problem, Step};

/// Notes what there is too much of. Empty: the plan can be compiled in little time and memory.
pub(super) fn check(plan: &Plan, problems: &mut Vec<Problem>) {
    for (name, count) in [
        ("needs", plan.needs.len()),
        ("before", plan.before.len()),
        ("keys", plan.keys.len()),
        ("aggregates", plan.aggregates.len()),
        ("after", plan.after.len()),
        ("order", plan.order.len()),
        ("emits", plan.emits.len()),
        ("settings", plan.settings.len()),
    ] {
        if count > ITEMS_MAX {
            let message = format!("a plan has at most {ITEMS_MAX} {name}, got {count}");
            problems.push(problem(name, message));
        }
    }
    if !problems.is_empty() {
        return;
    }
    for (position, need) in plan.needs.iter().enumerate() {
        if let Origin::Field(path) = &need.origin
            && path.len() > PATH_LEN_MAX
        {
            let message = format!("a path has at most {PATH_LEN_MAX} parts, got {}", path.len());
            problems.push(problem(&format!("needs[{position}].origin"), message));
        }
    }
    for (name, count) in [
        ("before", inputs(&plan.before)),
        ("after", inputs(&plan.after)),
        (
            "aggregates",
            plan.aggregates.iter().map(|aggregate| aggregate.arguments.len()).sum(),
        ),
    ] {
        if count > INPUTS_MAX {
            let message = format!("all {name} together have at most {INPUTS_MAX} inputs, got {count}");
            problems.push(problem(name, message));
        }
    }
    check_columns(plan, problems);
}

/// The bounds of one window: windows that are open together because each row is in all of them share what one may have.
pub(super) fn shared(bounds: Bounds, cut: Option<Cut>) -> Bounds {
    let windows = cut.map_or(1, Cut::overlap);
    let share = |bound: usize| (bound / windows).max(1.min(bound));
    Bounds {
        groups_max: share(bounds.groups_max),
        window_bytes_max: share(bounds.window_bytes_max),
        distinct_max: share(bounds.distinct_max),
        windows_max: bounds.windows_max.saturating_add(windows - 1),
        ..bounds
    }
}

/// The most groups of a window when `bound` is the bound for groups of ordinary size.
pub(super) fn groups_max(bound: usize, keys: usize, aggregates: &[AggregateUse]) -> usize {
    let states = aggregates.iter().map(|aggregate| match &aggregate.function {
        Function::Library(bound) => bound.state_words as usize * WORD_BYTES,
        Function::CountRows
        | Function::CountValues
        | Function::Sum(_)
        | Function::Avg(_)
        | Function::Extreme { .. }
        | Function::Edge { .. }
        | Function::Spread { .. }
        | Function::Distinct(_) => STATE_BYTES,
    });
    let bytes = (keys + HASH_WORDS) * WORD_BYTES + states.sum::<usize>();
    let groups = bound / bytes.div_ceil(GROUP_BYTES);
    // Groups are numbered with 32 bits, of which some numbers mean something else.
    groups.clamp(1.min(bound), u32::MAX as usize / 2)
}

fn check_columns(plan: &Plan, problems: &mut Vec<Problem>) {
    let before = plan.needs.len() + outputs(&plan.before);
    let results = match plan.window {
        Some(_) => plan.keys.len() + WINDOW_COLUMNS + plan.aggregates.len(),
        None => before,
    };
    for (file, count) in [("before", before), ("after", results + outputs(&plan.after))] {
        if count > COLUMN_COUNT_MAX {
            let message = format!("the {file} file has at most {COLUMN_COUNT_MAX} columns, got {count}");
            problems.push(problem(file, message));
        }
    }
}

/// How many columns and constants the steps take.
fn inputs(steps: &[Step]) -> usize {
    let of_step = |step: &Step| match step {
        Step::Call(call) => call.arguments.len(),
        Step::Kernel(kernel) => kernel.inputs.len(),
        Step::Remember(remember) => {
            // A condition of each kind there is.
            remember.columns.len() + remember.defaults.len() + remember.partition.len() + 3
        }
    };
    steps.iter().map(of_step).sum()
}

/// How many columns the steps append.
fn outputs(steps: &[Step]) -> usize {
    let of_step = |step: &Step| match step {
        Step::Call(_) => 1,
        Step::Kernel(kernel) => kernel.outputs.len(),
        Step::Remember(remember) => remember.returns(|_| None).len(),
    };
    steps.iter().map(of_step).sum()
}

fn problem(at: &str, message: String) -> Problem {
    Problem {
        at: at.to_owned(),
        message,
    }
}

/// The most needs, steps, keys, aggregates, orders, emits or settings of a plan.
const ITEMS_MAX: usize = 1024;

/// The most inputs of all steps before the window, after it, or of all aggregates.
const INPUTS_MAX: usize = 16 * 1024;

/// The most parts of the path to a field. JSON that is nested deeper is not read.
const PATH_LEN_MAX: usize = 127;

/// What a group of ordinary size takes at most: some forty aggregates.
const GROUP_BYTES: usize = 1024;

/// What a state of a built-in aggregate takes at most, texts aside.
const STATE_BYTES: usize = 24;

/// For each group: its hash, and its place in the table of groups.
const HASH_WORDS: usize = 2;

const WORD_BYTES: usize = 8;

/// The start and the end of the window.
const WINDOW_COLUMNS: usize = 2;
