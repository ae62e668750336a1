//! Whether values have changed, and to what.

use super::changed_cols_of;
use crate::ast::{Argument, Call, Expr, ExprKind, Item, Literal as Constant, Star};
use crate::bind::items::{Emitted, name_of};
use crate::bind::names::type_of;
use crate::bind::scope::{Scope, Stage, Told};
use crate::bind::steps::Task;
use crate::column::Column;
use crate::kernel::{Case, Kinds, Node, Value};
use crate::problem::nearest;
use rulemill_plan::{PathSegment, Type};

impl<'q> Scope<'q> {
    pub(super) fn had_changed(&mut self, expr: &'q Expr, call: &'q Call) -> Result<Value, Told> {
        let shape = "had_changed(ignore_null, value, ...)";
        self.takes(expr, call, 2, usize::MAX, shape)?;
        let ignore_null = self.constant_bool(call, 0)?;
        let mut changed: Option<Value> = None;
        for (_, value) in self.values_from(call, 1)? {
            let more = self.changed(value, ignore_null, call, expr)?;
            changed = Some(match changed {
                None => more,
                Some(before) => self.truth(Node::Or(Box::new(before), Box::new(more)), expr),
            });
        }
        changed.ok_or_else(|| self.tell(expr.span, format!("{shape} needs a value")))
    }

    /// Whether a value has changed.
    fn changed(&mut self, value: Value, ignore_null: bool, call: &'q Call, expr: &Expr) -> Result<Value, Told> {
        // Of a value of any type, its text says whether it is the same.
        let parts = match &value.node {
            Node::Dynamic {
                present: Some(present), ..
            } => vec![(Type::Json, *present)],
            _ => self.columns_of(value),
        };
        let columns = self.remember(call, Task::Changed { ignore_null }, &parts, (Vec::new(), [None; 2]))?;
        Ok(Value::column(columns[0], Type::Bool, self.source(expr.span)))
    }

    /// A value where it has changed, and null elsewhere.
    pub(super) fn where_changed(
        &mut self,
        value: Value,
        ignore_null: bool,
        call: &'q Call,
        expr: &Expr,
    ) -> Result<Value, Told> {
        let value = self.shared(value, Stage::Message);
        let changed = self.changed(value.clone(), ignore_null, call, expr)?;
        let kinds = value.kinds;
        let case = Case {
            operand: None,
            branches: vec![(changed, value)],
            otherwise: None,
        };
        Ok(self.value(Node::Case(Box::new(case)), kinds, expr))
    }

    /// The columns that `changed_cols(prefix, ignore_null, value, ...)` gives.
    pub(in crate::bind) fn changed_cols(
        &mut self,
        expr: &'q Expr,
        call: &'q Call,
        stage: Stage,
    ) -> Result<Vec<Emitted>, Told> {
        self.takes(
            expr,
            call,
            3,
            usize::MAX,
            "changed_cols(prefix, ignore_null, value, ...)",
        )?;
        let prefix = match &call.arguments[0] {
            Argument::Expr(Expr {
                kind: ExprKind::Literal(Constant::Text(prefix)),
                ..
            }) => prefix.clone(),
            Argument::Expr(other) => return Err(self.tell(other.span, "the prefix of changed_cols must be a text")),
            Argument::Star(star) => return Err(self.tell(star.span, "the prefix of changed_cols must be a text")),
        };
        let ignore_null = self.constant_bool(call, 1)?;
        let mut emitted = Vec::new();
        for (name, value) in self.values_from(call, 2)? {
            if name.is_empty() {
                let message =
                    "which columns `*` stands for is known only of a stream with fields; name those that are meant";
                return Err(self.tell(expr.span, message));
            }
            let value = self.where_changed(value, ignore_null, call, expr)?;
            let value = self.shared(value, Stage::Message);
            let value = match stage {
                Stage::Message => value,
                Stage::Group => self.first(value),
            };
            let columns = self.emit(value, stage);
            emitted.push(Emitted {
                name: format!("{prefix}{name}"),
                columns,
            });
        }
        Ok(emitted)
    }

    /// Of a query that gives nothing but what has changed, and has no window: whether anything has. A message with which
    /// nothing has changed then does not come out.
    pub(in crate::bind) fn any_changed(&mut self, emitted: &[Emitted]) -> Option<Column> {
        let only_changes = self.select.items.iter().all(|item| match item {
            Item::Expr { expr, .. } => changed_cols_of(expr).is_some(),
            Item::Star(_) => false,
        });
        if !only_changes || self.select.window.is_some() || !self.problems.is_empty() {
            return None;
        }
        let types = self.before.types();
        let mut any: Option<Value> = None;
        for column in emitted.iter().flat_map(|emitted| &emitted.columns) {
            let kind = types.iter().find(|(other, _)| other == column).map(|(_, kind)| *kind)?;
            let value = |node: Node| Value {
                node,
                kinds: Kinds::of(Type::Bool),
                source: String::new(),
            };
            let null = value(Node::IsNull(Box::new(Value::column(*column, kind, String::new()))));
            let there = value(Node::Not(Box::new(null)));
            any = Some(match any {
                None => there,
                Some(before) => value(Node::Or(Box::new(before), Box::new(there))),
            });
        }
        Some(self.column_of(any?, Type::Bool, Stage::Message))
    }

    /// The values from the argument at `from` on, each with its name; a `*` stands for the fields of the stream.
    fn values_from(&mut self, call: &'q Call, from: usize) -> Result<Vec<(String, Value)>, Told> {
        let mut values = Vec::new();
        let mut unnamed = 0;
        for argument in call.arguments.iter().skip(from) {
            match argument {
                Argument::Expr(expr) => {
                    let value = self.expr(expr, Stage::Message)?;
                    values.push((name_of(expr, &mut unnamed), value));
                }
                Argument::Star(star) => values.extend(self.values_of_star(star)?),
            }
        }
        Ok(values)
    }

    fn values_of_star(&mut self, star: &'q Star) -> Result<Vec<(String, Value)>, Told> {
        let stream = self.stream;
        if stream.is_schemaless() {
            let payload = self.field(&[], star.span, Stage::Message)?;
            return Ok(vec![(String::new(), payload)]);
        }
        let names: Vec<&str> = stream.fields.iter().map(|field| field.name.text.as_str()).collect();
        for name in &star.except {
            if !names.contains(&name.text.as_str()) {
                let near = nearest(&name.text, names.iter().copied());
                let message = format!("unknown column {:?} in stream {}{near}", name.text, stream.name);
                return Err(self.tell(name.span, message));
            }
        }
        let mut values = Vec::new();
        for field in &stream.fields {
            let name = &field.name.text;
            let left_out = star.except.iter().any(|other| other.text == *name);
            if left_out || type_of(&field.kind).is_none() {
                continue;
            }
            let value = self.field(&[PathSegment::Name(name.clone())], star.span, Stage::Message)?;
            values.push((name.clone(), value));
        }
        Ok(values)
    }
}
