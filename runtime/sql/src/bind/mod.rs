//! From a query to a plan and its kernels: what its names mean, which steps it takes, and what cannot be.

mod analytic;
mod expression;
mod finish;
mod functions;
mod items;
mod names;
mod prune;
mod scope;
mod steps;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_analytic;
#[cfg(test)]
mod tests_hostile;

use crate::ast::{self, Expr, Item, Select, WindowKind};
use crate::catalog::{Catalog, Stream};
use crate::column::{Column, count};
use crate::kernel::{Kernel, Node, Value};
use crate::problem::{Problem, nearest};
use rulemill_plan::{ColumnIndex, Fallback, Need, Origin, PathSegment, Plan, Type, Window};
use scope::{Key, Scope, Stage};

/// What a query becomes.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) plan: Plan,
    pub(crate) kernels: Vec<Kernel>,
}

/// Binds a query that is part of `text`.
pub(crate) fn bind(text: &str, select: &Select, rule: &str, catalog: &Catalog) -> Result<Bound, Vec<Problem>> {
    let stream = stream(select, catalog)?;
    let mut scope = Scope::new(text, select, catalog, &stream, rule);
    let stage = match select.window {
        Some(_) => Stage::Group,
        None => Stage::Message,
    };
    scope.check_support();
    if select.items.len() > ITEMS_MAX {
        scope.tell(
            select.span,
            format!(
                "a query may have {ITEMS_MAX} items, this one has {}",
                select.items.len()
            ),
        );
        return Err(scope.problems);
    }
    scope.look_back();
    let keep = scope.keep();
    let content = scope.content();
    let window = scope.window();
    // Nothing else is asked of rows that are in no group, and so it cannot fail for them.
    scope.before.guard(content);
    scope.keys();
    let emitted = scope.items(stage);
    let having = scope.having(stage).or_else(|| scope.any_changed(&emitted));
    let order = scope.order(stage);
    if !scope.problems.is_empty() {
        scope.problems.sort_by_key(|problem| problem.span.start);
        return Err(scope.problems);
    }
    let each_row = scope.gives_rows();
    let bound = scope.finish(&finish::Parts {
        keep,
        content,
        each_row,
        window,
        emitted,
        having,
        order,
    });
    // What is left is that there is too much of something.
    let wrong = bound.plan.check();
    if wrong.is_empty() {
        return Ok(bound);
    }
    let problem = |wrong: rulemill_plan::Problem| Problem::new(select.span, format!("{}: {}", wrong.at, wrong.message));
    Err(wrong.into_iter().map(problem).collect())
}

/// How rows are cut into windows, with columns that have no place yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// No column decides.
    Timed(Window),
    /// Around the rows where a condition holds.
    Sliding {
        size_ms: u64,
        delay_ms: u64,
        when: Option<Column>,
    },
    /// From a row to a row.
    State { begin: Column, emit: Column },
}

impl Cut {
    /// The columns that decide.
    fn columns(self) -> impl Iterator<Item = Column> {
        let (one, other) = match self {
            Cut::Timed(_) => (None, None),
            Cut::Sliding { when, .. } => (when, None),
            Cut::State { begin, emit } => (Some(begin), Some(emit)),
        };
        one.into_iter().chain(other)
    }

    /// As a plan has it.
    fn lower(self, place: impl Fn(Column) -> ColumnIndex) -> Window {
        match self {
            Cut::Timed(window) => window,
            Cut::Sliding {
                size_ms,
                delay_ms,
                when,
            } => Window::Sliding {
                size_ms,
                delay_ms,
                when: when.map(place),
            },
            Cut::State { begin, emit } => Window::State {
                begin: place(begin),
                emit: place(emit),
            },
        }
    }
}

/// A plan has at most as many columns.
const ITEMS_MAX: usize = 1024;

/// The stream that a query reads. A topic filter can stand in place of its name.
fn stream(select: &Select, catalog: &Catalog) -> Result<Stream, Vec<Problem>> {
    let name = &select.from.stream;
    if let Some(stream) = catalog.streams.get(&name.text) {
        return Ok(stream.clone());
    }
    if name.text.contains(['/', '+', '#']) {
        return Ok(Stream::of_filter(&name.text));
    }
    let near = nearest(&name.text, catalog.streams.keys().map(String::as_str));
    let message = format!("there is no stream {:?}{near}; CREATE STREAM makes one", name.text);
    Err(vec![Problem::new(name.span, message)])
}

impl<'q> Scope<'q> {
    fn check_support(&mut self) {
        let select = self.select;
        for join in &select.joins {
            self.tell(join.source.stream.span, "joins are not supported");
        }
        if select.window.is_none() {
            if let Some(key) = select.group_by.first() {
                self.tell(key.span, "`GROUP BY` needs a window, such as TUMBLINGWINDOW(ss, 10)");
            }
            if let Some(having) = &select.having {
                self.tell(
                    having.span,
                    "`HAVING` needs a window; without one, `WHERE` does the same",
                );
            }
        }
    }

    /// Whether a window gives its rows, and not one row for each group or for all.
    pub(super) fn gives_rows(&self) -> bool {
        let select = self.select;
        let has_aggregate = |expr: &Expr| items::has_aggregate(self, expr, 0);
        let of_items = select.items.iter().any(|item| match item {
            Item::Expr { expr, .. } => has_aggregate(expr),
            Item::Star(_) => false,
        });
        let elsewhere = select
            .having
            .iter()
            .chain(select.order_by.iter().map(|by| &by.expr))
            .any(has_aggregate);
        select.window.is_some() && select.group_by.is_empty() && !of_items && !elsewhere
    }

    /// Whether there is such an aggregate.
    pub(super) fn is_aggregate(&self, name: &str) -> bool {
        functions::is_aggregate(name) || self.catalog.aggregate(name).is_some()
    }

    /// The rows that windows are cut from: what the window's `FILTER` leaves, and mostly what `WHERE` leaves too.
    fn keep(&mut self) -> Option<Column> {
        let select = self.select;
        let of_window = select.window.as_ref().and_then(|window| window.filter.as_ref());
        let of_rows = select.filter.as_ref().filter(|_| !self.cuts_before_where());
        self.filter(of_rows.into_iter().chain(of_window))
    }

    /// The rows of a window that are in its groups.
    fn content(&mut self) -> Option<Column> {
        let select = self.select;
        let of_rows = select.filter.as_ref().filter(|_| self.cuts_before_where());
        self.filter(of_rows.into_iter())
    }

    /// Whether windows are cut from all rows, and `WHERE` says which rows of a window count.
    fn cuts_before_where(&self) -> bool {
        let kind = self.select.window.as_ref().map(|window| &window.kind);
        matches!(kind, Some(WindowKind::Count { .. } | WindowKind::Sliding { .. }))
    }

    /// The column that says whether all of these conditions hold.
    fn filter(&mut self, mut filters: impl Iterator<Item = &'q Expr>) -> Option<Column> {
        let first = filters.next()?;
        self.filtering = true;
        let mut value = self.condition(first, Stage::Message);
        for more in filters {
            let more_value = self.condition(more, Stage::Message);
            value = value.and_then(|value| Ok(self.truth(Node::And(Box::new(value), Box::new(more_value?)), more)));
        }
        self.filtering = false;
        let column = self.column_of(value.ok()?, Type::Bool, Stage::Message);
        // Later steps see only the rows that are kept.
        self.before.flush();
        Some(column)
    }

    fn keys(&mut self) {
        if self.select.window.is_none() {
            return;
        }
        for expr in &self.select.group_by {
            if self.key_of(expr).is_some() {
                continue;
            }
            let Ok(value) = self.expr(expr, Stage::Message) else {
                continue;
            };
            let key = self.key(expr, value);
            self.keys.push(key);
        }
    }

    fn key(&mut self, expr: &'q Expr, value: Value) -> Key<'q> {
        let first = self.keys.iter().map(|key| key.of.len()).sum::<usize>();
        let value = self.shared(value, Stage::Message);
        let field = matches!(value.node, Node::Dynamic { present: Some(_), .. }).then(|| value.clone());
        let of: Vec<_> = match &value.node {
            Node::Column(column, kind) => vec![(*kind, *column)],
            Node::Dynamic {
                present: Some(present), ..
            } => vec![(Type::Json, *present)],
            Node::Dynamic { parts, .. } => parts.clone(),
            _ => {
                let kinds: Vec<Type> = value.kinds.iter().collect();
                let columns = self.before.compute(value, &kinds);
                kinds.into_iter().zip(columns).collect()
            }
        };
        let numbered = of.iter().enumerate();
        Key {
            expr,
            parts: numbered
                .map(|(position, (kind, _))| (*kind, Column::Key(count(first + position))))
                .collect(),
            of: of.into_iter().map(|(_, column)| column).collect(),
            field,
        }
    }

    fn window(&mut self) -> Option<Cut> {
        let window = self.select.window.as_ref()?;
        Some(match &window.kind {
            WindowKind::Tumbling { size_ms } => Cut::Timed(Window::Tumbling { size_ms: *size_ms }),
            WindowKind::Hopping { size_ms, hop_ms } => Cut::Timed(self.hopping(window, *size_ms, *hop_ms)?),
            WindowKind::Session { max_ms, timeout_ms } => Cut::Timed(Window::Session {
                timeout_ms: *timeout_ms,
                max_ms: *max_ms,
            }),
            WindowKind::Count { rows, every } => Cut::Timed(Window::Count {
                rows: *rows,
                every: every.unwrap_or(*rows),
            }),
            WindowKind::Sliding { size_ms, delay_ms } => Cut::Sliding {
                size_ms: *size_ms,
                delay_ms: delay_ms.unwrap_or(0),
                when: match &window.when {
                    Some(when) => Some(self.condition_column(when)?),
                    None => None,
                },
            },
            WindowKind::State { begin, emit } => {
                let (begin, emit) = (self.condition_column(begin), self.condition_column(emit));
                Cut::State {
                    begin: begin?,
                    emit: emit?,
                }
            }
        })
    }

    /// The column of a condition of messages.
    fn condition_column(&mut self, expr: &'q Expr) -> Option<Column> {
        let value = self.condition(expr, Stage::Message).ok()?;
        Some(self.column_of(value, Type::Bool, Stage::Message))
    }

    fn hopping(&mut self, window: &ast::Window, size_ms: u64, hop_ms: u64) -> Option<Window> {
        if hop_ms > size_ms {
            let message = "a hop may be as long as the window at most: what is between two windows would be in none";
            self.tell(window.span, message);
            return None;
        }
        if size_ms / hop_ms > rulemill_plan::OVERLAP_MAX {
            let message = format!(
                "a row may be in {} windows at most; make the hop longer",
                rulemill_plan::OVERLAP_MAX
            );
            self.tell(window.span, message);
            return None;
        }
        Some(Window::Hopping { size_ms, hop_ms })
    }

    fn having(&mut self, stage: Stage) -> Option<Column> {
        let having = self.select.having.as_ref()?;
        let value = self.condition(having, stage).ok()?;
        let column = self.column_of(value, Type::Bool, stage);
        self.steps(stage).flush();
        Some(column)
    }

    /// Columns to order by. Without a window every message comes out for itself, and there is nothing to order.
    fn order(&mut self, stage: Stage) -> Vec<(Column, bool)> {
        let mut order = Vec::new();
        for by in &self.select.order_by {
            let Ok(value) = self.expr(&by.expr, stage) else {
                continue;
            };
            if stage == Stage::Message {
                continue;
            }
            let value = self.shared(value, stage);
            let columns = match &value.node {
                Node::Column(column, _) => vec![*column],
                Node::Dynamic { parts, .. } => parts.iter().map(|(_, column)| *column).collect(),
                _ => Vec::new(),
            };
            order.extend(columns.into_iter().map(|column| (column, by.descending)));
        }
        order
    }

    /// The need for the time that a stream's messages carry.
    pub(super) fn event_time(&mut self) -> Option<Column> {
        let field = self.stream.timestamp.clone()?;
        self.select.window.as_ref()?;
        Some(self.need(Need {
            name: field.clone(),
            kind: Type::Time,
            origin: Origin::Field(vec![PathSegment::Name(field)]),
            missing: Fallback::Reject,
            mistyped: Fallback::Reject,
        }))
    }
}
