//! What a query names and does not need in the end: the types that a field could be read as, and is not.

use super::Cut;
use super::finish::Parts;
use super::scope::{Aggregate, Scope};
use super::steps::{Given, Step, Steps};
use crate::column::Column;
use std::collections::HashSet;

impl Scope<'_> {
    /// Which aggregates and needs something reads.
    pub(super) fn used(&self, parts: &Parts, event_time: Option<Column>) -> HashSet<Column> {
        let mut used: HashSet<Column> = parts
            .emitted
            .iter()
            .flat_map(|emitted| emitted.columns.clone())
            .collect();
        used.extend(parts.keep.iter().chain(&parts.content));
        used.extend(parts.having.iter().chain(&event_time));
        used.extend(parts.order.iter().map(|(column, _)| column));
        used.extend(parts.window.into_iter().flat_map(Cut::columns));
        used.extend(self.keys.iter().flat_map(|key| &key.of));
        inputs(&self.before, &mut used);
        inputs(&self.after, &mut used);
        let is_used = |position: usize| used.contains(&Column::Aggregate(crate::column::count(position)));
        let aggregates = self
            .aggregates
            .iter()
            .enumerate()
            .filter(|(position, _)| is_used(*position));
        let arguments: Vec<Column> = aggregates.flat_map(|(_, aggregate)| arguments(aggregate)).collect();
        used.extend(arguments);
        used
    }
}

fn arguments(aggregate: &Aggregate) -> Vec<Column> {
    columns(&aggregate.arguments).collect()
}

fn inputs(steps: &Steps, used: &mut HashSet<Column>) {
    for step in &steps.list {
        match step {
            Step::Call(call) => used.extend(columns(&call.arguments)),
            Step::Remember(remember) => used.extend(remember.inputs()),
            Step::Kernel { kernel, .. } => used.extend(kernel.inputs.iter().map(|(column, _)| *column)),
        }
    }
}

fn columns(given: &[Given]) -> impl Iterator<Item = Column> {
    given.iter().filter_map(|given| match given {
        Given::Column(column) => Some(*column),
        Given::Literal(_) => None,
    })
}
