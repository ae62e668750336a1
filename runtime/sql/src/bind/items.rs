//! What comes out.

use super::analytic::changed_cols_of;
use super::names::type_of;
use super::scope::{Scope, Stage, Told};
use crate::ast::{Argument, Expr, ExprKind, Item, Star};
use crate::column::Column;
use crate::kernel::{Node, Value};
use crate::problem::nearest;
use rulemill_plan::{PathSegment, Type};

/// One member of what comes out.
pub(super) struct Emitted {
    pub(super) name: String,
    /// Its column; further ones count where those before are null.
    pub(super) columns: Vec<Column>,
}

/// The alias of an item.
pub(super) fn alias_of(item: &Item) -> Option<&str> {
    match item {
        Item::Expr { alias: Some(alias), .. } => Some(&alias.text),
        _ => None,
    }
}

impl<'q> Scope<'q> {
    /// What comes out, in the order of the query; of two of one name the later one.
    pub(super) fn items(&mut self, stage: Stage) -> Vec<Emitted> {
        let mut emitted: Vec<Emitted> = Vec::new();
        let mut unnamed = 0;
        for item in &self.select.items {
            let more = match item {
                Item::Star(star) => self.star(star, stage),
                Item::Expr { expr, alias, invisible } => {
                    if let Some(call) = changed_cols_of(expr) {
                        let columns = self.changed_cols(expr, call, stage).unwrap_or_default();
                        merge(&mut emitted, columns);
                        continue;
                    }
                    let name = match alias {
                        Some(alias) => alias.text.clone(),
                        None => name_of(expr, &mut unnamed),
                    };
                    let alias = alias.as_ref().map(|alias| alias.text.as_str());
                    let value = self.item(expr, alias, stage);
                    match value {
                        Ok(columns) if !invisible => Ok(vec![Emitted { name, columns }]),
                        Ok(_) => Ok(Vec::new()),
                        Err(told) => Err(told),
                    }
                }
            };
            merge(&mut emitted, more.unwrap_or_default());
        }
        if emitted.is_empty() && self.problems.is_empty() {
            self.tell(self.select.span, "nothing comes out: every item is invisible");
        }
        emitted
    }

    fn item(&mut self, expr: &'q Expr, alias: Option<&'q str>, stage: Stage) -> Result<Vec<Column>, Told> {
        // A key comes out as it is, whatever its type.
        if let (Stage::Group, Some(key)) = (stage, self.key_of(expr)) {
            return Ok(self.keys[key].parts.iter().map(|(_, column)| *column).collect());
        }
        let value = match alias {
            // By way of its alias, so that it is computed once.
            Some(alias) => self.name(alias, expr.span, stage)?,
            None => self.expr(expr, stage)?,
        };
        Ok(self.emit(value, stage))
    }

    /// The columns that a value comes out of.
    pub(super) fn emit(&mut self, value: Value, stage: Stage) -> Vec<Column> {
        match self.shared(value, stage) {
            Value {
                node: Node::Column(column, _),
                ..
            } => vec![column],
            Value {
                node: Node::Dynamic {
                    present: Some(present), ..
                },
                ..
            } => vec![present],
            Value {
                node: Node::Dynamic { parts, .. },
                ..
            } => parts.iter().map(|(_, column)| *column).collect(),
            value => {
                // A constant; null comes out of no column, and its member is left out.
                let kinds: Vec<Type> = value.kinds.iter().collect();
                self.steps(stage).compute(value, &kinds)
            }
        }
    }

    fn star(&mut self, star: &'q Star, stage: Stage) -> Result<Vec<Emitted>, Told> {
        if let Some(stream) = &star.stream {
            let known = [Some(&self.select.from.stream), self.select.from.alias.as_ref()];
            if !known.into_iter().flatten().any(|name| name.text == stream.text) {
                return Err(self.tell(stream.span, format!("{:?} is not read by this query", stream.text)));
            }
        }
        if self.stream.is_schemaless() {
            return self.star_of_any(star, stage);
        }
        let stream = self.stream;
        for name in star.except.iter().chain(star.replace.iter().map(|(_, name)| name)) {
            if stream.field(&name.text).is_none() {
                let near = nearest(&name.text, stream.fields.iter().map(|field| field.name.text.as_str()));
                return Err(self.tell(
                    name.span,
                    format!("unknown column {:?} in stream {}{near}", name.text, stream.name),
                ));
            }
        }
        let mut emitted = Vec::new();
        for field in &stream.fields {
            let name = &field.name.text;
            if star.except.iter().any(|other| other.text == *name) {
                continue;
            }
            let replacement = star.replace.iter().find(|(_, other)| other.text == *name);
            let value = match replacement {
                Some((expr, _)) => self.expr(expr, stage)?,
                // What cannot be read cannot come out either.
                None if type_of(&field.kind).is_none() => continue,
                None => self.field(&[PathSegment::Name(name.clone())], star.span, stage)?,
            };
            emitted.push(Emitted {
                name: name.clone(),
                columns: self.emit(value, stage),
            });
        }
        Ok(emitted)
    }

    /// All members of a message whose fields nobody declared.
    fn star_of_any(&mut self, star: &'q Star, stage: Stage) -> Result<Vec<Emitted>, Told> {
        let payload = self.field(&[], star.span, stage)?;
        let mut emitted = vec![Emitted {
            name: String::new(),
            columns: self.emit(payload, stage),
        }];
        for name in &star.except {
            // A member that comes out of a column of nulls does not come out of the message.
            let null = Value::constant(rulemill_plan::Literal::Null);
            emitted.push(Emitted {
                name: name.text.clone(),
                columns: self.steps(stage).compute(null, &[Type::Bool]),
            });
        }
        for (expr, name) in &star.replace {
            let value = self.expr(expr, stage)?;
            emitted.push(Emitted {
                name: name.text.clone(),
                columns: self.emit(value, stage),
            });
        }
        Ok(emitted)
    }
}

/// Adds columns; of two of one name the later one stays.
fn merge(emitted: &mut Vec<Emitted>, more: Vec<Emitted>) {
    for one in more {
        emitted.retain(|other| other.name != one.name);
        emitted.push(one);
    }
}

/// What an expression without an alias is called.
pub(super) fn name_of(expr: &Expr, unnamed: &mut usize) -> String {
    match &expr.kind {
        ExprKind::Name(name) => name.clone(),
        ExprKind::Member(_, name) => name.text.clone(),
        ExprKind::Call(call) => call.function.text.to_ascii_lowercase(),
        _ => {
            *unnamed += 1;
            format!("kuiper_field_{}", *unnamed - 1)
        }
    }
}

/// Whether an expression has an aggregate in it, here or by way of an alias.
pub(super) fn has_aggregate(scope: &Scope<'_>, expr: &Expr, depth: usize) -> bool {
    let has = |expr: &Expr| depth < 64 && has_aggregate(scope, expr, depth + 1);
    let any = |exprs: &[Expr]| exprs.iter().any(&has);
    match &expr.kind {
        ExprKind::Literal(_) => false,
        ExprKind::Name(name) => scope
            .alias(name)
            .is_some_and(|(_, inner)| !std::ptr::eq(inner, expr) && has(inner)),
        ExprKind::Member(inner, _) | ExprKind::Negate(inner) | ExprKind::Not(inner) | ExprKind::IsNull(inner) => {
            has(inner)
        }
        ExprKind::Index(one, other) | ExprKind::Binary(_, one, other) | ExprKind::Like(_, one, other) => {
            has(one) || has(other)
        }
        ExprKind::InArray(_, one, other) => has(one) || has(other),
        ExprKind::Slice(inner, from, to) => has(inner) || from.iter().chain(to).any(|bound| has(bound)),
        ExprKind::Between(_, inner, low, high) => has(inner) || has(low) || has(high),
        ExprKind::In(_, inner, options) => has(inner) || any(options),
        ExprKind::Case(case) => {
            case.operand.iter().chain(&case.otherwise).any(&has)
                || case.branches.iter().any(|(when, then)| has(when) || has(then))
        }
        ExprKind::Call(call) => {
            let name = call.function.text.to_ascii_lowercase();
            scope.is_aggregate(&name)
                || call.arguments.iter().any(|argument| match argument {
                    Argument::Expr(expr) => has(expr),
                    Argument::Star(_) => false,
                })
        }
    }
}
