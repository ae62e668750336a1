//! Functions of the messages before: what a query has the host remember.
//!
//! They are bound before anything else, so that they see each message, whatever `WHERE` leaves out.

use super::functions::{ANALYTIC, literal_as};
use super::items::{Emitted, name_of};
use super::scope::{Scope, Stage, Told};
use super::steps::{Given, Remember, Task};
use crate::ast::{Argument, Call, Expr, ExprKind, Item, Literal as Constant, Star, WindowKind};
use crate::column::Column;
use crate::kernel::{Case, Kinds, Node, Value};
use crate::problem::nearest;
use rulemill_plan::{Accumulation, LAG_ROWS_MAX, Literal, PathSegment, Type};

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
                self.defaults(&parts, default, &value, call)?
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
        default: Value,
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

    fn had_changed(&mut self, expr: &'q Expr, call: &'q Call) -> Result<Value, Told> {
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
    fn where_changed(&mut self, value: Value, ignore_null: bool, call: &'q Call, expr: &Expr) -> Result<Value, Told> {
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
    pub(super) fn changed_cols(&mut self, expr: &'q Expr, call: &'q Call, stage: Stage) -> Result<Vec<Emitted>, Told> {
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
    pub(super) fn any_changed(&mut self, emitted: &[Emitted]) -> Option<Column> {
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
            if left_out || super::names::type_of(&field.kind).is_none() {
                continue;
            }
            let value = self.field(&[PathSegment::Name(name.clone())], star.span, Stage::Message)?;
            values.push((name.clone(), value));
        }
        Ok(values)
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

/// Whether an expression is a call of `changed_cols`.
pub(super) fn changed_cols_of(expr: &Expr) -> Option<&Call> {
    match &expr.kind {
        ExprKind::Call(call) if call.function.text.eq_ignore_ascii_case("changed_cols") => Some(call),
        _ => None,
    }
}

/// The expressions of a query, each whole.
fn each_expr<'q>(select: &'q crate::ast::Select, each: &mut dyn FnMut(&'q Expr)) {
    for item in &select.items {
        match item {
            // It is bound where it stands.
            Item::Expr { expr, .. } if changed_cols_of(expr).is_some() => {}
            Item::Expr { expr, .. } => each(expr),
            Item::Star(star) => star.replace.iter().for_each(|(expr, _)| each(expr)),
        }
    }
    let window = select.window.iter();
    let of_window = window.flat_map(|window| {
        let (begin, emit) = match &window.kind {
            WindowKind::State { begin, emit } => (Some(&**begin), Some(&**emit)),
            WindowKind::Tumbling { .. }
            | WindowKind::Hopping { .. }
            | WindowKind::Sliding { .. }
            | WindowKind::Session { .. }
            | WindowKind::Count { .. } => (None, None),
        };
        begin.into_iter().chain(emit).chain(&window.filter).chain(&window.when)
    });
    let order = select.order_by.iter().map(|by| &by.expr);
    let rest = select.filter.iter().chain(&select.group_by).chain(&select.having);
    rest.chain(of_window).chain(order).for_each(each);
}

/// Finds the calls of analytic functions in an expression, those around others only.
fn find_calls<'q>(expr: &'q Expr, found: &mut Vec<&'q Expr>) {
    let mut find = |expr: &'q Expr| find_calls(expr, &mut *found);
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Name(_) => {}
        ExprKind::Member(inner, _) | ExprKind::Negate(inner) | ExprKind::Not(inner) | ExprKind::IsNull(inner) => {
            find(inner);
        }
        ExprKind::Index(one, other)
        | ExprKind::Binary(_, one, other)
        | ExprKind::Like(_, one, other)
        | ExprKind::InArray(_, one, other) => {
            find(one);
            find(other);
        }
        ExprKind::Slice(inner, from, to) => {
            find(inner);
            from.iter().chain(to).for_each(|bound| find(bound));
        }
        ExprKind::Between(_, inner, low, high) => [inner, low, high].into_iter().for_each(|part| find(part)),
        ExprKind::In(_, inner, options) => {
            find(inner);
            options.iter().for_each(find);
        }
        ExprKind::Case(case) => {
            let branches = case.branches.iter().flat_map(|(when, then)| [when, then]);
            case.operand
                .iter()
                .chain(branches)
                .chain(&case.otherwise)
                .for_each(find);
        }
        ExprKind::Call(call) if ANALYTIC.contains(&call.function.text.to_ascii_lowercase().as_str()) => {
            found.push(expr);
        }
        ExprKind::Call(call) => call.arguments.iter().for_each(|argument| match argument {
            Argument::Expr(expr) => find(expr),
            Argument::Star(_) => {}
        }),
    }
}
