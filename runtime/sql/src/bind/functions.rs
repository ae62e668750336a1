//! Calls: aggregates, what a query knows without a library, and functions of libraries.

use super::expression::name_of;
use super::scope::{Aggregate, Scope, Stage, Told};
use super::steps::Given;
use crate::ast::{Argument, Call, Expr, ExprKind, Literal as Constant};
use crate::column::Column;
use crate::kernel::{Kinds, Node, Value};
use crate::problem::nearest;
use rulemill_plan::{Fallback, Literal, Need, Origin, Parameter, ScalarFunction, Type};

impl<'q> Scope<'q> {
    pub(super) fn call(&mut self, expr: &'q Expr, call: &'q Call, stage: Stage) -> Result<Value, Told> {
        let name = call.function.text.to_ascii_lowercase();
        if ANALYTIC.contains(&name.as_str()) {
            return self.analytic(expr, call, &name, stage);
        }
        if let Some(over) = &call.over {
            let message = format!("{name} is no analytic function, and only these can have `OVER`");
            return Err(self.tell(over.span, message));
        }
        if is_aggregate(&name) || self.catalog.aggregate(&name).is_some() {
            return self.call_aggregate(expr, call, &name, stage);
        }
        match name.as_str() {
            "mqtt" | "meta" => self.metadata(expr, call, stage),
            "window_start" => self.of_window(expr, Column::WindowStart, stage),
            "window_end" => self.of_window(expr, Column::WindowEnd, stage),
            "event_time" if stage == Stage::Group && !self.gives_rows() => {
                self.of_window(expr, Column::WindowEnd, stage)
            }
            "event_time" => self.event_time_of_message(expr, stage),
            "tstamp" => self.time_of_message(expr, stage),
            "rule_id" => Ok(Value::constant(self.rule.into())),
            "isnull" => {
                let [inner] = self.exactly(expr, call, stage)?;
                Ok(self.truth(Node::IsNull(Box::new(inner)), expr))
            }
            "coalesce" => self.coalesce(expr, call, stage),
            _ => {
                let mut arguments = Vec::with_capacity(call.arguments.len());
                for argument in &call.arguments {
                    arguments.push(self.argument(argument, &name, stage)?);
                }
                self.scalar(&name, arguments, expr, stage)
            }
        }
    }

    fn argument(&mut self, argument: &'q Argument, function: &str, stage: Stage) -> Result<Value, Told> {
        match argument {
            Argument::Expr(expr) => self.expr(expr, stage),
            Argument::Star(star) => Err(self.tell(star.span, format!("{function} takes values, and not `*`"))),
        }
    }

    fn exactly<const COUNT: usize>(
        &mut self,
        expr: &Expr,
        call: &'q Call,
        stage: Stage,
    ) -> Result<[Value; COUNT], Told> {
        let name = &call.function.text;
        let mut values = Vec::with_capacity(COUNT);
        for argument in &call.arguments {
            values.push(self.argument(argument, name, stage)?);
        }
        let given = values.len();
        values
            .try_into()
            .map_err(|_| self.tell(expr.span, format!("{name} takes {COUNT} arguments, and gets {given}")))
    }

    /// The first that is not null.
    fn coalesce(&mut self, expr: &'q Expr, call: &'q Call, stage: Stage) -> Result<Value, Told> {
        let mut values = Vec::new();
        for argument in &call.arguments {
            values.push(self.argument(argument, "coalesce", stage)?);
        }
        let kinds = values.iter().fold(Kinds::NONE, |kinds, value| kinds.union(value.kinds));
        Ok(self.value(Node::Coalesce(values), kinds, expr))
    }

    /// `meta(topic)` and the like: what the broker says of a message.
    fn metadata(&mut self, expr: &Expr, call: &'q Call, stage: Stage) -> Result<Value, Told> {
        let key = match &call.arguments[..] {
            [
                Argument::Expr(Expr {
                    kind: ExprKind::Name(name) | ExprKind::Literal(Constant::Text(name)),
                    ..
                }),
            ] => name,
            _ => return Err(self.tell(expr.span, format!("{} takes one name: {METADATA}", call.function.text))),
        };
        let (origin, kind) = match key.to_ascii_lowercase().as_str() {
            "topic" => (Origin::Topic, Type::Text),
            "qos" => (Origin::Qos, Type::Int),
            "retained" | "retain" => (Origin::Retain, Type::Bool),
            "source" => (Origin::Source, Type::Text),
            "arrival_time" => (Origin::ArrivalTime, Type::Time),
            _ => {
                return Err(self.tell(
                    expr.span,
                    format!("there is no {key:?} of a message; there is {METADATA}"),
                ));
            }
        };
        Ok(self.need_at(key, origin, kind, expr, stage))
    }

    fn need_at(&mut self, name: &str, origin: Origin, kind: Type, expr: &Expr, stage: Stage) -> Value {
        let column = self.need(Need {
            name: name.to_owned(),
            kind,
            origin,
            missing: Fallback::Null,
            mistyped: Fallback::Null,
        });
        let source = self.source(expr.span);
        match stage {
            Stage::Message => Value::column(column, kind, source),
            Stage::Group => {
                let first = self.plain_aggregate("first", Some(column));
                Value::column(first, kind, source)
            }
        }
    }

    fn of_window(&mut self, expr: &Expr, column: Column, stage: Stage) -> Result<Value, Told> {
        match stage {
            Stage::Group => Ok(Value::column(column, Type::Time, self.source(expr.span))),
            Stage::Message => Err(self.tell(expr.span, "this is known when the window has ended: not in `WHERE`, `GROUP BY` or an aggregate, and not without a window")),
        }
    }

    /// The time that a message carries, where windows go by that, or else the time of its arrival.
    fn event_time_of_message(&mut self, expr: &Expr, stage: Stage) -> Result<Value, Told> {
        let Some(column) = self.event_time() else {
            return self.time_of_message(expr, stage);
        };
        let column = match stage {
            Stage::Message => column,
            Stage::Group => self.plain_aggregate("first", Some(column)),
        };
        Ok(Value::column(column, Type::Time, self.source(expr.span)))
    }

    /// The time of its arrival.
    fn time_of_message(&mut self, expr: &Expr, stage: Stage) -> Result<Value, Told> {
        Ok(self.need_at("arrival_time", Origin::ArrivalTime, Type::Time, expr, stage))
    }

    fn call_aggregate(&mut self, expr: &'q Expr, call: &'q Call, name: &str, stage: Stage) -> Result<Value, Told> {
        if stage == Stage::Message {
            let message = match self.select.window {
                None => format!("{name} is an aggregate and needs a window: GROUP BY TUMBLINGWINDOW(ss, 10)"),
                Some(_) => {
                    format!(
                        "{name} is an aggregate: it cannot stand in `WHERE`, in `GROUP BY`, in another aggregate or in an analytic function"
                    )
                }
            };
            return Err(self.tell(expr.span, message));
        }
        if let [Argument::Star(star)] = &call.arguments[..] {
            return match name == "count" && star.except.is_empty() && star.replace.is_empty() {
                true => {
                    let column = self.plain_aggregate("count", None);
                    Ok(Value::column(column, Type::Int, self.source(expr.span)))
                }
                false => Err(self.tell(star.span, format!("only count takes `*`, and not {name}"))),
            };
        }
        let mut values = Vec::new();
        for argument in &call.arguments {
            values.push(self.argument(argument, name, Stage::Message)?);
        }
        if !is_aggregate(name) {
            return self.library_aggregate(expr, name, values);
        }
        self.built_in(expr, name, values)
    }

    fn built_in(&mut self, expr: &Expr, name: &str, mut values: Vec<Value>) -> Result<Value, Told> {
        // last_value(x, true) passes over nulls, which is what `last` does.
        let passes_nulls = matches!(
            values.get(1),
            Some(Value {
                node: Node::Constant(Literal::Bool(true)),
                ..
            })
        );
        if name == "last_value" && passes_nulls {
            values.truncate(1);
        }
        let given = values.len();
        let [value] = <[Value; 1]>::try_from(values)
            .map_err(|_| self.tell(expr.span, format!("{name} takes one value, and gets {given}")))?;
        let numbers = matches!(name, "avg" | "sum" | "stddev" | "stddevs" | "var" | "vars");
        let any = matches!(name, "count" | "count_distinct" | "last_value");
        let wanted = match numbers {
            true => Kinds::NUMBERS,
            false => Kinds::ANY.with(Type::Time),
        };
        if !value.kinds.is_empty() && value.kinds.intersection(wanted).is_empty() {
            let message = format!(
                "{name} needs {}, and {} is {}",
                wanted.words(),
                value.source,
                value.kinds.words()
            );
            return Err(self.tell(expr.span, message));
        }
        let kind = match (value.kinds.single(), &value.node) {
            (Some(kind), _) => kind,
            (None, Node::Dynamic { present: Some(_), .. }) if any => Type::Json,
            (None, _) => Type::Float,
        };
        if kind == Type::Json && !any {
            return Err(self.tell(expr.span, format!("{name} cannot be computed of an array or a struct")));
        }
        let column = self.column_of(value, kind, Stage::Message);
        let function = match name {
            "last_value" => "last",
            other => other,
        };
        let result = match name {
            "count" | "count_distinct" => Type::Int,
            "sum" | "min" | "max" | "last_value" => kind,
            _ => Type::Float,
        };
        let column = self.plain_aggregate(function, Some(column));
        Ok(Value::column(column, result, self.source(expr.span)))
    }

    fn library_aggregate(&mut self, expr: &Expr, name: &str, values: Vec<Value>) -> Result<Value, Told> {
        let catalog = self.catalog;
        let (library, function) = catalog.aggregate(name).expect("the caller found it");
        let (arguments, returns) = (function.parameters.as_slice(), function.returns);
        let arguments = self.given(name, arguments, values, expr, Stage::Message)?;
        let column = self.aggregate(Aggregate {
            function: function.name.clone(),
            library: Some(library.name.clone()),
            arguments,
        });
        Ok(Value::column(column, returns, self.source(expr.span)))
    }

    fn plain_aggregate(&mut self, function: &str, argument: Option<Column>) -> Column {
        self.aggregate(Aggregate {
            function: function.to_owned(),
            library: None,
            arguments: argument.map(Given::Column).into_iter().collect(),
        })
    }

    /// A call of a library's function.
    pub(super) fn scalar(&mut self, name: &str, values: Vec<Value>, expr: &Expr, stage: Stage) -> Result<Value, Told> {
        let catalog = self.catalog;
        let ints = values
            .iter()
            .all(|value| value.kinds.intersection(Kinds::NUMBERS).is_empty() || value.kinds == Kinds::of(Type::Int));
        // Where a function is there for ints and for floats, that for ints has a name of its own.
        let for_ints = catalog.scalar(&format!("{name}_int")).filter(|_| ints);
        let Some((library, function)) = for_ints.or_else(|| catalog.scalar(name)) else {
            let known = catalog
                .function_names()
                .chain(BUILT_IN.iter().copied())
                .chain(AGGREGATES.iter().copied())
                .chain(ANALYTIC.iter().copied());
            let near = nearest(name, known);
            return Err(self.tell(expr.span, format!("there is no function {name}{near}")));
        };
        let ScalarFunction {
            parameters, returns, ..
        } = function;
        let arguments = self.given(name, parameters, values, expr, stage)?;
        let column = self
            .steps(stage)
            .call(&library.name, &function.name, arguments, *returns);
        Ok(Value::column(column, *returns, self.source(expr.span)))
    }

    /// The arguments of a call, each of the type of its parameter.
    fn given(
        &mut self,
        name: &str,
        parameters: &[Parameter],
        values: Vec<Value>,
        expr: &Expr,
        stage: Stage,
    ) -> Result<Vec<Given>, Told> {
        let variadic = parameters.last().is_some_and(|parameter| parameter.variadic);
        let least = parameters.len() - usize::from(variadic);
        let fits = values.len() == parameters.len() || variadic && values.len() >= least;
        if !fits {
            let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let message = format!(
                "{name} takes ({}), and gets {} arguments",
                names.join(", "),
                values.len()
            );
            return Err(self.tell(expr.span, message));
        }
        let mut given = Vec::with_capacity(values.len());
        for (position, value) in values.into_iter().enumerate() {
            let parameter = &parameters[position.min(parameters.len() - 1)];
            given.push(self.give(name, parameter, value, expr, stage)?);
        }
        Ok(given)
    }

    fn give(
        &mut self,
        name: &str,
        parameter: &Parameter,
        value: Value,
        expr: &Expr,
        stage: Stage,
    ) -> Result<Given, Told> {
        let kind = parameter.kind;
        if let Node::Constant(literal) = &value.node
            && let Some(literal) = literal_as(literal, kind)
        {
            return Ok(Given::Literal(literal));
        }
        let takes = match kind {
            Type::Float => Kinds::NUMBERS,
            other => Kinds::of(other),
        };
        if value.kinds.intersection(takes).is_empty() {
            let message = format!(
                "{name} needs {} as {:?}, and {} is {}",
                name_of(kind),
                parameter.name,
                value.source,
                value.kinds.words()
            );
            return Err(self.tell(expr.span, message));
        }
        // A float parameter takes a column of ints as it is.
        let kind = match (kind, value.kinds.single()) {
            (Type::Float, Some(Type::Int)) => Type::Int,
            _ => kind,
        };
        Ok(Given::Column(self.column_of(value, kind, stage)))
    }
}

/// A constant for a parameter of a type; a constant for JSON is its text.
pub(super) fn literal_as(literal: &Literal, kind: Type) -> Option<Literal> {
    match (literal, kind) {
        (Literal::Null, _) => Some(Literal::Null),
        (Literal::Text(text), Type::Json) => Some(Literal::Text(serde_json::Value::from(text.as_str()).to_string())),
        (Literal::Int(value), Type::Json) => Some(Literal::Text(value.to_string())),
        (Literal::Float(value), Type::Json) => Some(Literal::Text(format!("{value:?}"))),
        (Literal::Bool(value), Type::Json) => Some(Literal::Text(value.to_string())),
        _ => literal.fits(kind).then(|| literal.clone()),
    }
}

pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// The aggregates of the host, by the names that they have in SQL.
const AGGREGATES: &[&str] = &[
    "avg",
    "count",
    "count_distinct",
    "last_value",
    "max",
    "min",
    "stddev",
    "stddevs",
    "sum",
    "var",
    "vars",
];
/// What a query knows without a library.
const BUILT_IN: &[&str] = &[
    "coalesce",
    "event_time",
    "isnull",
    "meta",
    "mqtt",
    "rule_id",
    "tstamp",
    "window_end",
    "window_start",
];
/// Functions of the messages before.
pub(super) const ANALYTIC: &[&str] = &[
    "acc_avg",
    "acc_count",
    "acc_max",
    "acc_min",
    "acc_sum",
    "changed_col",
    "changed_cols",
    "had_changed",
    "lag",
    "latest",
];
const METADATA: &str = "topic, qos, retained, source, arrival_time";
