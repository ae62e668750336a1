//! What is known while a query is bound.

use super::steps::{Given, Steps};
use crate::ast::{Expr, Item, Select};
use crate::catalog::{Catalog, Stream};
use crate::column::{Column, count};
use crate::kernel::Value;
use crate::problem::{Problem, Span};
use rulemill_plan::{Need, Type};
use std::collections::HashMap;

/// A query being bound.
pub(super) struct Scope<'q> {
    /// The text of the query.
    pub(super) text: &'q str,
    pub(super) select: &'q Select,
    pub(super) catalog: &'q Catalog,
    pub(super) stream: &'q Stream,
    /// The rule's name.
    pub(super) rule: &'q str,
    pub(super) needs: Vec<Need>,
    pub(super) before: Steps,
    pub(super) after: Steps,
    pub(super) keys: Vec<Key<'q>>,
    pub(super) aggregates: Vec<Aggregate>,
    /// What aliases stand for, by name, as they have been bound.
    pub(super) bound_aliases: HashMap<(Stage, &'q str), Value>,
    /// What calls of analytic functions stand for, by their place.
    pub(super) recalled: HashMap<*const Expr, Value>,
    /// The aliases that are being bound, the innermost last.
    pub(super) open_aliases: Vec<&'q str>,
    pub(super) problems: Vec<Problem>,
    /// Whether `WHERE` is being bound.
    pub(super) filtering: bool,
    /// How many expressions have been bound.
    pub(super) expressions: usize,
}

/// Which rows an expression is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Messages.
    Message,
    /// Groups of a window.
    Group,
}

/// An expression of `GROUP BY`, and its columns: one for each type that it can have.
pub(super) struct Key<'q> {
    pub(super) expr: &'q Expr,
    pub(super) parts: Vec<(Type, Column)>,
    /// The columns of the before file.
    pub(super) of: Vec<Column>,
    /// The field, when it is one of a type that only the message tells.
    pub(super) field: Option<Value>,
}

/// An aggregate of the plan.
#[derive(Clone, PartialEq)]
pub(super) struct Aggregate {
    pub(super) function: String,
    pub(super) library: Option<String>,
    pub(super) arguments: Vec<Given>,
}

/// More than these nobody reads.
const PROBLEMS_MAX: usize = 50;

/// Something is wrong, and has been said.
#[derive(Debug)]
pub(super) struct Told;

impl<'q> Scope<'q> {
    pub(super) fn new(
        text: &'q str,
        select: &'q Select,
        catalog: &'q Catalog,
        stream: &'q Stream,
        rule: &'q str,
    ) -> Self {
        Scope {
            text,
            select,
            catalog,
            stream,
            rule,
            needs: Vec::new(),
            before: Steps::new(Column::Before),
            after: Steps::new(Column::After),
            keys: Vec::new(),
            aggregates: Vec::new(),
            bound_aliases: HashMap::new(),
            recalled: HashMap::new(),
            open_aliases: Vec::new(),
            problems: Vec::new(),
            filtering: false,
            expressions: 0,
        }
    }

    /// Says what is wrong.
    pub(super) fn tell(&mut self, span: Span, message: impl Into<String>) -> Told {
        let problem = Problem::new(span, message);
        // An alias that is used twice has its problem once.
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        Told
    }

    /// What an alias stands for.
    pub(super) fn alias(&self, name: &str) -> Option<(&'q str, &'q Expr)> {
        self.select.items.iter().find_map(|item| match item {
            Item::Expr {
                expr,
                alias: Some(alias),
                ..
            } if alias.text == name => Some((alias.text.as_str(), expr)),
            _ => None,
        })
    }

    /// The steps of a stage.
    pub(super) fn steps(&mut self, stage: Stage) -> &mut Steps {
        match stage {
            Stage::Message => &mut self.before,
            Stage::Group => &mut self.after,
        }
    }

    /// The column of a need; the same need is there once.
    pub(super) fn need(&mut self, need: Need) -> Column {
        let same = |other: &Need| {
            (other.kind, &other.origin, other.missing, other.mistyped)
                == (need.kind, &need.origin, need.missing, need.mistyped)
        };
        let position = self.needs.iter().position(same).unwrap_or_else(|| {
            self.needs.push(need);
            self.needs.len() - 1
        });
        Column::Need(count(position))
    }

    /// The column of an aggregate; the same aggregate is there once.
    pub(super) fn aggregate(&mut self, aggregate: Aggregate) -> Column {
        let same = |other: &Aggregate| *other == aggregate;
        let position = self.aggregates.iter().position(same).unwrap_or_else(|| {
            self.aggregates.push(aggregate);
            self.aggregates.len() - 1
        });
        Column::Aggregate(count(position))
    }
}
