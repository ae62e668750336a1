//! The plan of a query whose every part is bound.

use super::items::Emitted;
use super::scope::Scope;
use super::steps::{Step, Steps};
use super::{Bound, Cut};
use crate::column::{Column, count};
use crate::kernel::Kernel;
use rulemill_plan::{
    Aggregate, Call, ColumnIndex, Emit, EventTime, Kernel as KernelStep, LatePolicy, Order, OutputColumn, Plan,
    Step as PlanStep,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What binding gives, besides what the scope has.
pub(super) struct Parts {
    pub(super) keep: Option<Column>,
    pub(super) content: Option<Column>,
    pub(super) each_row: bool,
    pub(super) window: Option<Cut>,
    pub(super) emitted: Vec<Emitted>,
    pub(super) having: Option<Column>,
    pub(super) order: Vec<(Column, bool)>,
}

impl Scope<'_> {
    pub(super) fn finish(mut self, parts: &Parts) -> Bound {
        let event_time = self.event_time();
        self.before.flush();
        self.after.flush();
        let used = self.used(parts, event_time);
        let is_used = |column: Column| used.contains(&column);
        let places = self.places(parts.window.is_some(), &used);
        let place = |column: Column| places[&column];
        let mut kernels = Vec::new();
        let before = lower(&mut self.before, &mut kernels, &places);
        let after = lower(&mut self.after, &mut kernels, &places);
        let aggregates = self.aggregates.iter().enumerate();
        let aggregates = aggregates
            .filter(|(position, _)| is_used(Column::Aggregate(count(*position))))
            .map(|(position, aggregate)| Aggregate {
                name: format!("{}_{position}", aggregate.function),
                function: aggregate.function.clone(),
                library: aggregate.library.clone(),
                arguments: aggregate.arguments.iter().map(|given| given.lower(place)).collect(),
            });
        let emits = parts.emitted.iter().filter_map(|emitted| {
            let (first, rest) = emitted.columns.split_first()?;
            Some(Emit {
                name: emitted.name.clone(),
                column: place(*first),
                otherwise: rest.iter().map(|column| place(*column)).collect(),
            })
        });
        let plan = Plan {
            format: rulemill_plan::FORMAT,
            name: plan_name(self.rule),
            version: String::new(),
            doc: String::new(),
            topics: vec![self.stream.topic.clone()],
            source: self.stream.source.clone(),
            needs: (0..)
                .map(Column::Need)
                .zip(&self.needs)
                .filter(|(column, _)| is_used(*column))
                .map(|(_, need)| need.clone())
                .collect(),
            before,
            keep: parts.keep.map(place),
            content: parts.content.map(place),
            keys: self
                .keys
                .iter()
                .flat_map(|key| &key.of)
                .map(|column| place(*column))
                .collect(),
            each_row: parts.each_row,
            window: parts.window.map(|window| window.lower(place)),
            event_time: event_time.map(|column| EventTime {
                column: place(column),
                lateness_ms: LATENESS_MS,
                late: LatePolicy::Drop,
                idle_ms: Some(IDLE_MS),
            }),
            aggregates: aggregates.collect(),
            after,
            having: parts.having.map(place),
            order: parts
                .order
                .iter()
                .map(|(column, descending)| Order {
                    column: place(*column),
                    descending: *descending,
                })
                .collect(),
            // Without a window every message comes out for itself, so every limit is kept already.
            limit: self.select.limit.filter(|_| parts.window.is_some()),
            emits: emits.collect(),
            settings: Vec::new(),
            sinks: Vec::new(),
            annotations: BTreeMap::from([("sql".to_owned(), self.text_of_query())]),
        };
        Bound { plan, kernels }
    }

    /// The position of each column.
    fn places(&self, windowed: bool, used: &HashSet<Column>) -> HashMap<Column, ColumnIndex> {
        let is_used = |column: &Column| used.contains(column);
        let needs = (0..count(self.needs.len())).map(Column::Need).filter(is_used);
        let before: Vec<Column> = needs.chain(self.before.columns()).collect();
        let keys = count(self.keys.iter().map(|key| key.of.len()).sum());
        let after: Vec<Column> = match windowed {
            false => Vec::new(),
            true => (0..keys)
                .map(Column::Key)
                .chain([Column::WindowStart, Column::WindowEnd])
                .chain((0..count(self.aggregates.len())).map(Column::Aggregate).filter(is_used))
                .chain(self.after.columns())
                .collect(),
        };
        let number = |columns: Vec<Column>| {
            (0..)
                .map(ColumnIndex)
                .zip(columns)
                .map(|(index, column)| (column, index))
        };
        number(before).chain(number(after)).collect()
    }

    fn text_of_query(&self) -> String {
        let span = self.select.span;
        self.text.get(span.start..span.end).unwrap_or_default().to_owned()
    }
}

/// A rule's name as a plan may have it.
fn plan_name(rule: &str) -> String {
    let legal = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    let name: String = rule
        .chars()
        .take(rulemill_plan::NAME_LEN_MAX)
        .map(|character| {
            if legal(character) {
                character.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    match name.is_empty() {
        true => "query".to_owned(),
        false => name,
    }
}

fn lower(steps: &mut Steps, kernels: &mut Vec<Kernel>, places: &HashMap<Column, ColumnIndex>) -> Vec<PlanStep> {
    let place = |column: Column| places[&column];
    let mut lowered = Vec::new();
    for step in std::mem::take(&mut steps.list) {
        lowered.push(match step {
            Step::Call(call) => PlanStep::Call(Call {
                name: call.function.clone(),
                function: call.function,
                library: Some(call.library),
                arguments: call.arguments.iter().map(|given| given.lower(place)).collect(),
                returns: Some(call.returns),
            }),
            Step::Remember(remember) => PlanStep::Remember(remember.lower(place)),
            Step::Kernel { kernel, columns } => {
                let number = count(kernels.len());
                let inputs = kernel.inputs.iter().map(|(column, _)| place(*column)).collect();
                kernels.push(kernel);
                PlanStep::Kernel(KernelStep {
                    kernel: number,
                    inputs,
                    outputs: columns
                        .iter()
                        .enumerate()
                        .map(|(position, (_, kind))| OutputColumn {
                            name: format!("computed_{number}_{position}"),
                            kind: *kind,
                        })
                        .collect(),
                })
            }
        });
    }
    lowered
}

/// Kuiper's `lateTolerance`, when nothing else is said.
const LATENESS_MS: u64 = 1000;
/// After this long without a message, windows end by the time of arrival.
const IDLE_MS: u64 = 10_000;
