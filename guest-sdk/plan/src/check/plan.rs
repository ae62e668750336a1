//! What must hold in a plan.

use super::steps::{Columns, file_of};
use super::{COLUMN_COUNT_MAX, Problem, Problems};
use crate::{Aggregate, BUILT_IN_AGGREGATES, ColumnIndex, Literal, Plan, Setting, Type, Window};

impl Plan {
    /// Finds everything that is wrong with the plan by itself. Empty: every index is in range, every name is valid,
    /// every type that the plan states fits its use. What a call returns and whether its function exists is seen only
    /// when the libraries are known.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        problems.check_format(self.format);
        problems.check_guest_name("name", &self.name);
        problems.check_topics(&self.topics);
        problems.check_settings(&self.settings);
        problems.check_sinks(&self.sinks);
        let before = problems.check_before(self);
        problems.check_window(self, &before);
        problems.check_aggregates(self, &before);
        let after = problems.check_after(self, &before);
        problems.check_results(self, &after);
        problems.found
    }
}

impl Problems {
    fn check_topics(&mut self, topics: &[String]) {
        for (position, filter) in topics.iter().enumerate() {
            if let Some(reason) = wrong_with_filter(filter) {
                self.add(
                    format!("topics[{position}]"),
                    format!("{filter:?} is not a topic filter: {reason}"),
                );
            }
        }
    }

    fn check_settings(&mut self, settings: &[Setting]) {
        self.check_distinct("settings", settings.iter().map(|setting| setting.name.as_str()));
        for (position, setting) in settings.iter().enumerate() {
            let at = format!("settings[{position}]");
            self.check_identifier(&format!("{at}.name"), &setting.name);
            if !matches!(setting.kind, Type::Bool | Type::Int | Type::Float | Type::Text) {
                let message = format!("a setting must be bool, int, float or text, got {}", setting.kind);
                self.add(format!("{at}.type"), message);
            } else if let Some(default) = &setting.default
                && (!default.fits(setting.kind) || *default == Literal::Null)
            {
                self.add(
                    format!("{at}.default"),
                    format!("the default must be {}, got {default}", setting.kind),
                );
            }
        }
    }

    fn check_sinks(&mut self, sinks: &[String]) {
        self.check_distinct("sinks", sinks.iter().map(String::as_str));
        for (position, sink) in sinks.iter().enumerate() {
            self.check_guest_name(&format!("sinks[{position}]"), sink);
        }
    }

    fn check_before(&mut self, plan: &Plan) -> Columns {
        let mut columns = Columns::new("before");
        for (position, need) in plan.needs.iter().enumerate() {
            let at = format!("needs[{position}]");
            self.check_not_empty(&format!("{at}.name"), &need.name);
            let types = need.origin.types();
            if !types.contains(&need.kind) {
                let names: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
                let (origin, kind, names) = (&need.origin, need.kind, names.join(" or "));
                self.add(
                    format!("{at}.type"),
                    format!("{origin} can be read as {names}, not as {kind}"),
                );
            }
            columns.push(Some(need.kind));
        }
        self.check_steps("before", &plan.before, &plan.settings, &mut columns);
        if let Some(keep) = plan.keep {
            self.check_column("keep", keep, &columns, &[Type::Bool]);
        }
        columns
    }

    fn check_window(&mut self, plan: &Plan, before: &Columns) {
        match plan.window {
            Some(window) => self.check_kind_of_window(window, before),
            None => self.check_no_window_needed(plan),
        }
        if let Some(content) = plan.content {
            self.check_column("content", content, before, &[Type::Bool]);
            if !plan.window.is_some_and(Window::depends_on_rows) {
                self.add(
                    "content",
                    "content is for windows that begin and end with rows; for others use keep",
                );
            }
        }
        if plan.each_row && !plan.keys.is_empty() {
            self.add(
                "each_row",
                "every row is a group of its own, so there can be no keys; leave out one of them",
            );
        }
        for (position, key) in plan.keys.iter().enumerate() {
            self.check_column(&format!("keys[{position}]"), *key, before, &[]);
        }
        if let Some(event_time) = plan.event_time {
            self.check_column("event_time.column", event_time.column, before, &[Type::Time]);
            if event_time.idle_ms == Some(0) {
                self.add(
                    "event_time.idle_ms",
                    "must be at least 1; leave it out to wait for the next row",
                );
            }
        }
    }

    fn check_no_window_needed(&mut self, plan: &Plan) {
        let needing = [
            ("keys", !plan.keys.is_empty()),
            ("each_row", plan.each_row),
            ("event_time", plan.event_time.is_some()),
            ("aggregates", !plan.aggregates.is_empty()),
        ];
        for (at, _) in needing.into_iter().filter(|(_, present)| *present) {
            self.add(at, format!("{at} needs a window"));
        }
    }

    fn check_aggregates(&mut self, plan: &Plan, before: &Columns) {
        for (position, aggregate) in plan.aggregates.iter().enumerate() {
            let at = format!("aggregates[{position}]");
            self.check_not_empty(&format!("{at}.name"), &aggregate.name);
            self.check_function_name(&at, &aggregate.function, aggregate.library.as_deref());
            self.check_arguments(&at, &aggregate.arguments, &plan.settings, before);
            self.check_built_in(&at, aggregate, before);
        }
    }

    fn check_built_in(&mut self, at: &str, aggregate: &Aggregate, before: &Columns) {
        let function = aggregate.function.as_str();
        if aggregate.library.is_some() || !BUILT_IN_AGGREGATES.contains(&function) {
            return;
        }
        let got = aggregate.arguments.len();
        let least = usize::from(function != "count");
        if !(least..=1).contains(&got) {
            let wanted = if least == 0 { "at most 1" } else { "1" };
            self.add(
                format!("{at}.arguments"),
                format!("{function} takes {wanted} argument, got {got}"),
            );
        }
        let types: &[Type] = match function {
            "sum" | "avg" | "stddev" | "stddevs" | "var" | "vars" => &[Type::Int, Type::Float],
            "min" | "max" => &[Type::Bool, Type::Int, Type::Float, Type::Time, Type::Text],
            _ => &[],
        };
        if let Some(crate::Argument::Column(column)) = aggregate.arguments.first() {
            self.check_type(&format!("{at}.arguments[0]"), *column, before, types);
        }
    }

    fn check_after(&mut self, plan: &Plan, before: &Columns) -> Columns {
        let mut columns = match plan.window {
            None => before.clone_as("after"),
            Some(_) => {
                let mut columns = Columns::new("after");
                for key in &plan.keys {
                    columns.push(before.type_of(*key));
                }
                columns.push(Some(Type::Time));
                columns.push(Some(Type::Time));
                for aggregate in &plan.aggregates {
                    columns.push(type_of_aggregate(aggregate, before));
                }
                columns
            }
        };
        self.check_steps("after", &plan.after, &plan.settings, &mut columns);
        for file in [before, &columns] {
            if file.len() > COLUMN_COUNT_MAX {
                let message = format!("there may be {COLUMN_COUNT_MAX} columns, got {}", file.len());
                self.add(file_of(file), message);
            }
        }
        columns
    }

    fn check_results(&mut self, plan: &Plan, after: &Columns) {
        if let Some(having) = plan.having {
            self.check_column("having", having, after, &[Type::Bool]);
        }
        for (position, order) in plan.order.iter().enumerate() {
            self.check_column(&format!("order[{position}].column"), order.column, after, &[]);
        }
        if plan.limit == Some(0) {
            self.add("limit", "must be at least 1; leave it out for no limit");
        }
        if plan.emits.is_empty() {
            self.add("emits", "a rule must emit at least one column");
        }
        self.check_distinct("emits", plan.emits.iter().map(|emit| emit.name.as_str()));
        for (position, emit) in plan.emits.iter().enumerate() {
            let types: &[Type] = if emit.name.is_empty() { &[Type::Json] } else { &[] };
            self.check_column(&format!("emits[{position}].column"), emit.column, after, types);
            if emit.name.is_empty() && !emit.otherwise.is_empty() {
                let message = "an emit without a name is of one column; leave out `otherwise`, or give it a name";
                self.add(format!("emits[{position}].otherwise"), message);
            }
            for (place, column) in emit.otherwise.iter().enumerate() {
                self.check_column(&format!("emits[{position}].otherwise[{place}]"), *column, after, &[]);
            }
        }
    }

    /// A column that must exist and, when its type is known, have one of `types`; any when that is empty.
    pub(super) fn check_column(&mut self, at: &str, column: ColumnIndex, columns: &Columns, types: &[Type]) {
        if column.position() < columns.len() {
            self.check_type(at, column, columns, types);
            return;
        }
        let (wanted, file, got) = (columns.len(), file_of(columns), column.0);
        self.add(
            at,
            format!("there is no column {got} here: the {file} file has {wanted} columns at this point"),
        );
    }

    fn check_type(&mut self, at: &str, column: ColumnIndex, columns: &Columns, types: &[Type]) {
        let Some(kind) = columns.type_of(column) else {
            return;
        };
        if types.is_empty() || types.contains(&kind) {
            return;
        }
        let names: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
        self.add(
            at,
            format!("column {} must be {}, got {kind}", column.0, names.join(" or ")),
        );
    }
}

fn type_of_aggregate(aggregate: &Aggregate, before: &Columns) -> Option<Type> {
    let argument = match aggregate.arguments.first() {
        Some(crate::Argument::Column(column)) => before.type_of(*column),
        _ => None,
    };
    if aggregate.library.is_some() {
        return None;
    }
    match aggregate.function.as_str() {
        "count" | "count_distinct" => Some(Type::Int),
        "avg" | "stddev" | "stddevs" | "var" | "vars" => Some(Type::Float),
        "sum" | "min" | "max" | "first" | "last" => argument,
        _ => None,
    }
}

/// Why a text is no MQTT topic filter; `None` when it is one.
fn wrong_with_filter(filter: &str) -> Option<&'static str> {
    if filter.is_empty() || filter.len() > usize::from(u16::MAX) {
        return Some("it must have 1 to 65535 bytes");
    }
    if filter.contains('\0') {
        return Some("it must not contain a null character");
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Some("`#` must be the whole last level");
        }
        if level.contains('+') && level != "+" {
            return Some("`+` must be a whole level");
        }
    }
    None
}
