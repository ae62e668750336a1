//! Functions of the messages before: what a query has the host remember.
//!
//! They are bound before anything else, so that they see each message, whatever `WHERE` leaves out.

mod calls;
mod changes;

pub(super) use calls::changed_cols_of;

use super::functions::literal_as;
use super::scope::{Scope, Stage, Told};
use super::steps::{Given, Remember, Task};
use crate::ast::{Argument, Call, Expr, ExprKind, Literal as Constant, Star};
use crate::column::Column;
use crate::kernel::{Kinds, Node, Value};
use calls::{each_expr, find_calls};
use rulemill_plan::{Accumulation, LAG_ROWS_MAX, Literal, Type};

impl<'q> Scope<'q> {
    /// Binds all calls of analytic functions.
    pub(super) fn look_back(&mut self) {
        let mut calls = Vec::new();
        each_expr(self.select, &mut |expr| find_calls(expr, &mut calls));
        for expr in calls {
            if let ExprKind::Call(call) = &expr.kind {
                let name = call.function.text.to_ascii_lowercase();
                // What is wrong has been said, and is not said again.
                let _told = self.analytic(expr, call, &name, Stage::Message);
            }
        }
    }

    /// A call of an analytic function. After a window, that of the group's first message.
    pub(super) fn analytic(&mut self, expr: &'q Expr, call: &'q Call, name: &str, stage: Stage) -> Result<Value, Told> {
        let known = self.recalled.get(&std::ptr::from_ref(expr)).cloned();
        let value = match known {
            Some(value) => value,
            None => {
                let value = self.bind_analytic(expr, call, name)?;
                let value = self.shared(value, Stage::Message);
                self.recalled.insert(std::ptr::from_ref(expr), value.clone());
                value
            }
        };
        Ok(match stage {
            Stage::Message => value,
            Stage::Group => self.first(value),
        })
    }

    fn bind_analytic(&mut self, expr: &'q Expr, call: &'q Call, name: &str) -> Result<Value, Told> {
        match name {
            "lag" => self.lag(expr, call),
            "latest" => {
                self.takes(expr, call, 1, 2, "latest(value[, default])")?;
                self.look_back_to(expr, call, Task::Latest)
            }
            "had_changed" => self.had_changed(expr, call),
            "changed_col" => {
                self.takes(expr, call, 2, 2, "changed_col(ignore_null, value)")?;
                let ignore_null = self.constant_bool(call, 0)?;
                let value = self.argument_of(call, 1)?;
                self.where_changed(value, ignore_null, call, expr)
            }
            "changed_cols" => {
                let message = "changed_cols can only stand in SELECT, as an item of its own: it gives several columns";
                Err(self.tell(expr.span, message))
            }
            _ => self.accumulated(expr, call, name),
        }
    }

    fn lag(&mut self, expr: &'q Expr, call: &'q Call) -> Result<Value, Told> {
        self.takes(expr, call, 1, 4, "lag(value[, rows[, default[, ignore_null]]])")?;
        let rows = match call.arguments.get(1) {
            None => 1,
            Some(Argument::Expr(Expr {
                kind: ExprKind::Literal(Constant::Int(rows)),
                span,
            })) => match u32::try_from(*rows) {
                Ok(rows) if (1..=LAG_ROWS_MAX).contains(&rows) => rows,
                _ => {
                    let message = format!("lag looks back 1 to {LAG_ROWS_MAX} messages, and not {rows}");
                    return Err(self.tell(*span, message));
                }
            },
            Some(Argument::Expr(other)) => {
                return Err(self.tell(
                    other.span,
                    "this must be a number, which says how many messages lag looks back",
                ));
            }
            Some(Argument::Star(star)) => {
                return Err(self.tell(
                    star.span,
                    "this must be a number, which says how many messages lag looks back, and not `*`",
                ));
            }
        };
        let ignore_null = match call.arguments.len() > 3 {
            true => self.constant_bool(call, 3)?,
            false => false,
        };
        self.look_back_to(expr, call, Task::Lag { rows, ignore_null })
    }

    /// `lag` and `latest`: the value of an earlier message, or a default.
    fn look_back_to(&mut self, expr: &'q Expr, call: &'q Call, task: Task) -> Result<Value, Told> {
        let value = self.argument_of(call, 0)?;
        let mut parts = self.columns_of(value.clone());
        let at = match task {
            Task::Lag { .. } => 2,
            _ => 1,
        };
        let mut kinds = value.kinds;
        let defaults = match call.arguments.len() > at {
            true => {
                let default = self.argument_of(call, at)?;
                kinds = kinds.union(default.kinds.intersection(of_parts(&parts)));
                self.defaults(&parts, &default, &value, call)?
            }
            false => Vec::new(),
        };
        // Where the default has no text of its own, the value must not come out of its text either.
        let without_text = defaults.iter().any(|given| matches!(given, Given::Column(_)));
        let mut kept = parts
            .iter()
            .zip(&defaults)
            .map(|((kind, _), given)| !(without_text && *kind == Type::Json && matches!(given, Given::Literal(_))));
        let kept: Vec<bool> = parts.iter().map(|_| kept.next().unwrap_or(true)).collect();
        let mut of_parts = kept.iter();
        parts.retain(|_| of_parts.next() == Some(&true));
        let mut of_defaults = kept.iter();
        let defaults = defaults
            .into_iter()
            .filter(|_| of_defaults.next() == Some(&true))
            .collect();
        let columns = self.remember(call, task, &parts, (defaults, [None; 2]))?;
        let columns = parts.iter().map(|(kind, _)| *kind).zip(columns);
        Ok(self.of_columns(columns.collect(), kinds, expr))
    }

    /// A default for each of the columns of a value.
    fn defaults(
        &mut self,
        parts: &[(Type, Column)],
        default: &Value,
        value: &Value,
        call: &'q Call,
    ) -> Result<Vec<Given>, Told> {
        if let Node::Constant(literal) = &default.node {
            let fitting = |kind: Type| literal.type_of().is_some_and(|of| of == kind) && kind != Type::Json;
            let wider = |kind: Type| literal.fits(kind) && kind != Type::Json;
            let place = parts
                .iter()
                .position(|(kind, _)| fitting(*kind))
                .or_else(|| parts.iter().position(|(kind, _)| wider(*kind)));
            let json = parts.iter().any(|(kind, _)| *kind == Type::Json);
            if place.is_some() || json || *literal == Literal::Null {
                let given = parts.iter().enumerate().map(|(part, (kind, _))| {
                    let literal = match *kind {
                        _ if place == Some(part) => Some(literal.clone()),
                        Type::Json => literal_as(literal, Type::Json),
                        _ => None,
                    };
                    Given::Literal(literal.unwrap_or(Literal::Null))
                });
                return Ok(given.collect());
            }
        } else {
            let shared = self.shared(default.clone(), Stage::Message);
            let columns = self.columns_of(shared);
            let given: Vec<Given> = parts
                .iter()
                .map(|(kind, _)| match columns.iter().find(|(other, _)| other == kind) {
                    Some((_, column)) => Given::Column(*column),
                    None => Given::Literal(Literal::Null),
                })
                .collect();
            if given.iter().any(|given| matches!(given, Given::Column(_))) {
                return Ok(given);
            }
        }
        let message = format!(
            "the default must be of the type of {}: that is {}, and {} is {}",
            value.source,
            value.kinds.words(),
            default.source,
            default.kinds.words()
        );
        Err(self.tell(call.function.span, message))
    }

    /// `acc_sum(value[, begin[, reset]])` and the like.
    fn accumulated(&mut self, expr: &'q Expr, call: &'q Call, name: &str) -> Result<Value, Told> {
        self.takes(expr, call, 1, 3, &format!("{name}(value[, begin, reset])"))?;
        let function = match name {
            "acc_count" => Accumulation::Count,
            "acc_sum" => Accumulation::Sum,
            "acc_avg" => Accumulation::Avg,
            "acc_min" => Accumulation::Min,
            _ => Accumulation::Max,
        };
        let value = self.argument_of(call, 0)?;
        let wanted = match function {
            Accumulation::Sum | Accumulation::Avg => Kinds::NUMBERS,
            Accumulation::Count | Accumulation::Min | Accumulation::Max => Kinds::ANY.with(Type::Time),
        };
        if value.kinds.intersection(wanted).is_empty() {
            let (wanted, given) = (wanted.words(), value.kinds.words());
            let message = format!("{name} needs {wanted}, and {} is {given}", value.source);
            return Err(self.tell(expr.span, message));
        }
        let counts = function == Accumulation::Count;
        let kind = match (value.kinds.single(), &value.node) {
            (Some(kind), _) => kind,
            (None, Node::Dynamic { present: Some(_), .. }) if counts => Type::Json,
            (None, _) => Type::Float,
        };
        if kind == Type::Json && !counts {
            return Err(self.tell(expr.span, format!("{name} cannot be computed of an array or a struct")));
        }
        let column = self.column_of(value, kind, Stage::Message);
        let begin = self.condition_of(call, 1)?;
        let reset = self.condition_of(call, 2)?;
        let task = Task::Accumulate(function);
        let columns = self.remember(call, task, &[(kind, column)], (Vec::new(), [begin, reset]))?;
        let returns = match function {
            Accumulation::Count => Type::Int,
            Accumulation::Avg => Type::Float,
            Accumulation::Sum | Accumulation::Min | Accumulation::Max => kind,
        };
        Ok(Value::column(columns[0], returns, self.source(expr.span)))
    }

    /// Adds the step of a call.
    fn remember(
        &mut self,
        call: &'q Call,
        task: Task,
        parts: &[(Type, Column)],
        (defaults, [begin, reset]): (Vec<Given>, [Option<Column>; 2]),
    ) -> Result<Vec<Column>, Told> {
        let mut partition = Vec::new();
        let mut when = None;
        if let Some(over) = &call.over {
            for expr in &over.partition_by {
                let value = self.expr(expr, Stage::Message)?;
                let value = self.shared(value, Stage::Message);
                match &value.node {
                    Node::Dynamic {
                        present: Some(present), ..
                    } => partition.push(*present),
                    _ => partition.extend(self.columns_of(value).into_iter().map(|(_, column)| column)),
                }
            }
            if let Some(expr) = &over.when {
                let value = self.condition(expr, Stage::Message)?;
                when = Some(self.column_of(value, Type::Bool, Stage::Message));
            }
        }
        Ok(self.before.remember(Remember {
            columns: Vec::new(),
            task,
            values: parts.iter().map(|(_, column)| *column).collect(),
            defaults,
            partition,
            when,
            begin,
            reset,
        }))
    }

    /// Columns with a value, one for each type that it can have.
    fn columns_of(&mut self, value: Value) -> Vec<(Type, Column)> {
        let value = self.shared(value, Stage::Message);
        match &value.node {
            Node::Column(column, kind) => vec![(*kind, *column)],
            Node::Dynamic { parts, present } => {
                let mut all = parts.clone();
                // An array or an object is in none of the parts.
                let json = present.filter(|_| !parts.iter().any(|(kind, _)| *kind == Type::Json));
                all.extend(json.map(|column| (Type::Json, column)));
                all
            }
            _ => {
                let mut kinds: Vec<Type> = value.kinds.iter().collect();
                if kinds.is_empty() {
                    kinds.push(Type::Bool);
                }
                let columns = self.before.compute(value, &kinds);
                kinds.into_iter().zip(columns).collect()
            }
        }
    }

    fn of_columns(&mut self, columns: Vec<(Type, Column)>, kinds: Kinds, expr: &Expr) -> Value {
        if let [(kind, column)] = columns[..] {
            return Value::column(column, kind, self.source(expr.span));
        }
        let json = columns
            .iter()
            .find(|(kind, _)| *kind == Type::Json)
            .map(|(_, column)| *column);
        let node = Node::Dynamic {
            parts: columns.into_iter().filter(|(kind, _)| *kind != Type::Json).collect(),
            present: json,
        };
        self.value(node, kinds, expr)
    }

    fn takes(&mut self, expr: &Expr, call: &Call, least: usize, most: usize, shape: &str) -> Result<(), Told> {
        let given = call.arguments.len();
        match (least..=most).contains(&given) {
            true => Ok(()),
            false => Err(self.tell(
                expr.span,
                format!("the call must be {shape}, and it has {given} arguments"),
            )),
        }
    }

    fn argument_of(&mut self, call: &'q Call, at: usize) -> Result<Value, Told> {
        match &call.arguments[at] {
            Argument::Expr(expr) => self.expr(expr, Stage::Message),
            Argument::Star(star) => {
                let message = format!("{} takes a value here, and not `*`", call.function.text);
                Err(self.tell(star.span, message))
            }
        }
    }

    fn condition_of(&mut self, call: &'q Call, at: usize) -> Result<Option<Column>, Told> {
        match call.arguments.get(at) {
            None => Ok(None),
            Some(Argument::Expr(expr)) => {
                let value = self.condition(expr, Stage::Message)?;
                Ok(Some(self.column_of(value, Type::Bool, Stage::Message)))
            }
            Some(Argument::Star(star)) => Err(self.tell(star.span, "this must be a condition, and not `*`")),
        }
    }

    fn constant_bool(&mut self, call: &Call, at: usize) -> Result<bool, Told> {
        let name = &call.function.text;
        match &call.arguments[at] {
            Argument::Expr(Expr {
                kind: ExprKind::Literal(Constant::Bool(value)),
                ..
            }) => Ok(*value),
            Argument::Expr(Expr { span, .. }) | Argument::Star(Star { span, .. }) => {
                let message = format!("{name} needs true or false here: whether nulls are passed over");
                Err(self.tell(*span, message))
            }
        }
    }
}

fn of_parts(parts: &[(Type, Column)]) -> Kinds {
    parts.iter().fold(Kinds::NONE, |kinds, (kind, _)| kinds.with(*kind))
}
