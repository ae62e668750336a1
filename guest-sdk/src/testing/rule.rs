//! A rule over a few messages, all in one window. It shows what a rule computes; when windows close, what is late and
//! what is stored is the host's business, and `rulemill test` shows that.

use super::built_in;
use super::cells::value_of;
use super::decode::decode;
use super::remember::remember;
use super::table::Table;
use crate::columns::{Column, RowErrorAt};
use crate::library::LibraryDefinition;
use crate::rule::{Prepared, Rule};
use rulemill_plan::{Aggregate, Argument, BoundArgument, ColumnIndex, Literal, Plan, Step, Type, Window};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A rule, the libraries it calls, and messages. Every step panics with what is wrong.
pub struct RuleTest {
    rule: Rule,
    libraries: Vec<&'static LibraryDefinition>,
    settings: BTreeMap<String, Literal>,
    messages: Vec<(String, String)>,
}

impl RuleTest {
    /// A test of this rule; panics unless its plan is right.
    pub fn new(rule: Rule) -> Self {
        let problems: Vec<String> = rule.plan().check().iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "the plan is wrong: {}", problems.join("; "));
        RuleTest {
            rule,
            libraries: Vec::new(),
            settings: BTreeMap::new(),
            messages: Vec::new(),
        }
    }

    /// Makes the functions of a library known.
    #[must_use]
    pub fn library(mut self, library: &'static LibraryDefinition) -> Self {
        self.libraries.push(library);
        self
    }

    /// Sets a setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl Into<Literal>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a message. Message n, from zero, arrives n seconds after the Unix epoch.
    #[must_use]
    pub fn message(mut self, topic: &str, payload: &str) -> Self {
        self.messages.push((topic.to_owned(), payload.to_owned()));
        self
    }

    /// The rows that the rule emits, each a JSON object with its members in order of name. A message that the rule
    /// rejects, and a row with an error, are left out.
    pub fn rows(self) -> Vec<String> {
        let plan = self.rule.plan().clone();
        let prepared = self
            .rule
            .prepare(&self.settings)
            .unwrap_or_else(|failure| panic!("{}", failure.message));
        let run = Run {
            plan: &plan,
            prepared: &prepared,
            libraries: &self.libraries,
            settings: &self.settings,
            last_ms: (self.messages.len() as u64).saturating_sub(1) * 1000,
        };
        let mut before = decode(&plan.needs, &self.messages);
        run.steps(&plan.before, plan.keep, &mut before);
        before.filter(plan.content);
        let mut after = if plan.window.is_some() {
            run.group(&before)
        } else {
            before
        };
        run.steps(&plan.after, plan.having, &mut after);
        run.order(&mut after);
        run.emit(&after)
    }
}

struct Run<'t> {
    plan: &'t Plan,
    prepared: &'t Prepared,
    libraries: &'t [&'static LibraryDefinition],
    settings: &'t BTreeMap<String, Literal>,
    /// When the last message arrived.
    last_ms: u64,
}

fn micros(millis: u64) -> i64 {
    i64::try_from(millis).map_or(i64::MAX, |millis| millis.saturating_mul(1000))
}

impl Run<'_> {
    /// The filter takes effect as soon as its column is there.
    fn steps(&self, steps: &[Step], mut filter: Option<ColumnIndex>, table: &mut Table) {
        let is_there = |column: &mut ColumnIndex, table: &Table| column.position() < table.kinds.len();
        table.filter(filter.take_if(|column| is_there(column, table)));
        for step in steps {
            match step {
                Step::Call(call) => {
                    let (column, errors) = self.call(&call.function, &call.arguments, table);
                    table.append(&[column], &errors);
                }
                Step::Kernel(kernel) => {
                    let (output, errors) = self
                        .prepared
                        .run(kernel.kernel, &table.batch(&kernel.inputs))
                        .unwrap_or_else(|failure| panic!("kernel {}: {}", kernel.kernel, failure.message));
                    table.append(&output.columns, &errors);
                }
                Step::Remember(step) => remember(step, self.settings, table),
            }
            table.filter(filter.take_if(|column| is_there(column, table)));
        }
    }

    fn call(&self, function: &str, arguments: &[Argument], table: &Table) -> (Column, Vec<RowErrorAt>) {
        let (bound, columns) = self.bind(arguments, table);
        let known = self.libraries.iter().find(|library| library.has_function(function));
        let library = known.unwrap_or_else(|| panic!("no library of the test has the function {function}"));
        library
            .bind(function, &bound)
            .and_then(|site| site.evaluate(&table.batch(&columns)))
            .unwrap_or_else(|failure| panic!("{function}: {}", failure.message))
    }

    /// What a library is told of the arguments, and the columns among them.
    fn bind(&self, arguments: &[Argument], table: &Table) -> (Vec<BoundArgument>, Vec<ColumnIndex>) {
        let mut bound = Vec::new();
        let mut columns = Vec::new();
        for argument in arguments {
            match argument {
                Argument::Column(column) => {
                    bound.push(BoundArgument::Type(table.kind(*column)));
                    columns.push(*column);
                }
                Argument::Literal(literal) => bound.push(BoundArgument::Literal(literal.clone())),
                Argument::Setting(name) => bound.push(BoundArgument::Literal(self.setting(name))),
            }
        }
        (bound, columns)
    }

    fn setting(&self, name: &str) -> Literal {
        let described = self.plan.settings.iter().find(|setting| setting.name == name);
        let default = described.and_then(|setting| setting.default.as_ref());
        let value = self.settings.get(name).or(default);
        value
            .unwrap_or_else(|| panic!("the setting {name} must be given"))
            .clone()
    }

    fn group(&self, before: &Table) -> Table {
        let mut groups: Vec<(Vec<Literal>, Table)> = Vec::new();
        for row in &before.rows {
            let key: Vec<Literal> = self.plan.keys.iter().map(|key| row[key.position()].clone()).collect();
            let known = groups.iter().position(|(known, _)| *known == key);
            let position = known.filter(|_| !self.plan.each_row).unwrap_or_else(|| {
                groups.push((key, Table::new(before.kinds.clone())));
                groups.len() - 1
            });
            groups[position].1.rows.push(row.clone());
        }
        let mut kinds: Vec<Type> = self.plan.keys.iter().map(|key| before.kind(*key)).collect();
        kinds.extend([Type::Time, Type::Time]);
        let mut after = Table::new(kinds);
        after.rows = groups.iter().map(|(key, _)| key.clone()).collect();
        let end = self.window_end();
        after
            .rows
            .iter_mut()
            .for_each(|row| row.extend([Literal::Int(0), Literal::Int(end)]));
        for aggregate in &self.plan.aggregates {
            let mut kind = None;
            for (row, (_, rows)) in after.rows.iter_mut().zip(&groups) {
                let (value, of) = self.aggregate(aggregate, rows);
                row.push(value);
                kind = Some(of);
            }
            after.kinds.push(kind.unwrap_or(Type::Float));
        }
        after
    }

    /// The window of the test begins at the Unix epoch.
    fn window_end(&self) -> i64 {
        match self.plan.window {
            Some(Window::Tumbling { size_ms } | Window::Hopping { size_ms, .. }) => micros(size_ms),
            Some(Window::Session { timeout_ms, max_ms }) => micros(self.last_ms.saturating_add(timeout_ms).min(max_ms)),
            Some(Window::Count { .. } | Window::State { .. }) => micros(self.last_ms),
            Some(Window::Sliding { delay_ms, .. }) => micros(self.last_ms.saturating_add(delay_ms)),
            None => 0,
        }
    }

    fn aggregate(&self, aggregate: &Aggregate, rows: &Table) -> (Literal, Type) {
        let function = &aggregate.function;
        if let Some(library) = self.libraries.iter().find(|library| library.has_aggregate(function)) {
            return self.library_aggregate(library, aggregate, rows);
        }
        let column = aggregate.arguments.first().map(|argument| match argument {
            Argument::Column(column) => *column,
            Argument::Literal(_) | Argument::Setting(_) => panic!("{function} takes a column here"),
        });
        let values = column.map(|column| rows.rows.iter().map(|row| row[column.position()].clone()).collect());
        let values: Option<Vec<Literal>> = values;
        let value = built_in::aggregate(function, values.as_deref(), rows.rows.len());
        let kind = built_in::kind(function, column.map(|column| rows.kind(column)));
        (value.unwrap_or_else(|error| panic!("{error}")), kind)
    }

    fn library_aggregate(&self, library: &LibraryDefinition, aggregate: &Aggregate, rows: &Table) -> (Literal, Type) {
        let (bound, columns) = self.bind(&aggregate.arguments, rows);
        let finished = library
            .bind_aggregate(&aggregate.function, &bound)
            .and_then(|accumulator| {
                let mut states = accumulator.initial();
                accumulator.accumulate(&mut states, &vec![0; rows.rows.len()], &rows.batch(&columns))?;
                Ok((accumulator.finish(&states)?, accumulator.returns()))
            });
        let (column, kind) = finished.unwrap_or_else(|failure| panic!("{}: {}", aggregate.function, failure.message));
        (value_of(&column, 0), kind)
    }

    fn order(&self, table: &mut Table) {
        table.rows.sort_by(|left, right| {
            let criteria = self.plan.order.iter().map(|order| {
                let (left, right) = (&left[order.column.position()], &right[order.column.position()]);
                match (*left == Literal::Null, *right == Literal::Null) {
                    (false, false) if order.descending => built_in::order(right, left),
                    (false, false) => built_in::order(left, right),
                    (left, right) => left.cmp(&right),
                }
            });
            criteria.fold(Ordering::Equal, Ordering::then)
        });
        if let Some(limit) = self.plan.limit {
            table.rows.truncate(limit as usize);
        }
    }

    fn emit(&self, table: &Table) -> Vec<String> {
        let object = |row: &Vec<Literal>| {
            let members = self.plan.emits.iter().filter_map(|emit| {
                let mut columns = std::iter::once(&emit.column).chain(&emit.otherwise);
                let value =
                    columns.find_map(|column| Some(&row[column.position()]).filter(|value| **value != Literal::Null));
                value.map(|value| (emit.name.as_str(), value))
            });
            let members: BTreeMap<&str, &Literal> = members.collect();
            serde_json::to_string(&members).expect("names are strings and values are plain, so it is JSON")
        };
        table.rows.iter().map(object).collect()
    }
}
