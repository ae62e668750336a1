//! Expressions: what their names mean and what kinds of values they can have.

use super::scope::{Scope, Stage, Told};
use super::steps::as_columns;
use crate::ast::{self, Expr, ExprKind, Operator, Sense};
use crate::kernel::{Case, Kinds, Node, Value, word};
use crate::problem::Span;
use rulemill_plan::{Literal, Type};

type Bound = Result<Value, Told>;

impl<'q> Scope<'q> {
    /// What an expression is, of messages or of groups.
    pub(super) fn expr(&mut self, expr: &'q Expr, stage: Stage) -> Bound {
        self.expressions += 1;
        if self.expressions > EXPRESSIONS_MAX {
            let message =
                format!("a query may have {EXPRESSIONS_MAX} names, constants and operations, this one has more");
            return Err(self.tell(self.select.span, message));
        }
        if let (Stage::Group, Some(key)) = (stage, self.key_of(expr)) {
            return Ok(self.value_of_key(key));
        }
        match &expr.kind {
            ExprKind::Literal(literal) => Ok(Value::constant(constant(literal))),
            ExprKind::Name(name) => self.name(name, expr.span, stage),
            ExprKind::Member(..) | ExprKind::Index(..) | ExprKind::Slice(..) => self.path(expr, stage),
            ExprKind::Negate(inner) => {
                let inner = self.number(inner, expr, stage)?;
                let kinds = inner.kinds.intersection(Kinds::NUMBERS);
                Ok(self.value(Node::Negate(Box::new(inner)), kinds, expr))
            }
            ExprKind::Not(inner) => {
                let inner = self.condition(inner, stage)?;
                Ok(self.truth(Node::Not(Box::new(inner)), expr))
            }
            ExprKind::Binary(operator, left, right) => self.binary(expr, *operator, left, right, stage),
            ExprKind::IsNull(inner) => {
                let inner = self.expr(inner, stage)?;
                Ok(self.truth(Node::IsNull(Box::new(inner)), expr))
            }
            ExprKind::Between(sense, inner, low, high) => self.between(expr, *sense, [inner, low, high], stage),
            ExprKind::In(sense, inner, options) => self.is_in(expr, *sense, inner, options, stage),
            ExprKind::InArray(_, _, array) => {
                let message = "`IN` needs a list in parentheses; for an array there is `array_contains(array, value)`";
                Err(self.tell(array.span, message))
            }
            ExprKind::Like(sense, inner, pattern) => {
                let inner = self.text(inner, expr, stage)?;
                let pattern = self.text(pattern, expr, stage)?;
                Ok(self.truth(Node::Like(*sense, Box::new(inner), Box::new(pattern)), expr))
            }
            ExprKind::Case(case) => self.case(expr, case, stage),
            ExprKind::Call(call) => self.call(expr, call, stage),
        }
    }

    /// An expression that must be a condition.
    pub(super) fn condition(&mut self, expr: &'q Expr, stage: Stage) -> Bound {
        let value = self.expr(expr, stage)?;
        let wanted = Kinds::of(Type::Bool);
        if value.kinds.is_empty() || value.kinds.has(Type::Bool) {
            return Ok(value);
        }
        let message = format!(
            "a condition must be {}, and this is {}",
            wanted.words(),
            value.kinds.words()
        );
        Err(self.tell(expr.span, message))
    }

    /// Two sides and what is between them.
    fn binary(&mut self, expr: &'q Expr, operator: Operator, left: &'q Expr, right: &'q Expr, stage: Stage) -> Bound {
        match operator {
            Operator::And | Operator::Or => {
                let (left, right) = (self.condition(left, stage), self.condition(right, stage));
                let (left, right) = (Box::new(left?), Box::new(right?));
                let node = match operator {
                    Operator::And => Node::And(left, right),
                    _ => Node::Or(left, right),
                };
                Ok(self.truth(node, expr))
            }
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessEqual
            | Operator::Greater
            | Operator::GreaterEqual => {
                let (left, right) = (self.expr(left, stage), self.expr(right, stage));
                let (left, right) = self.comparable(expr, left?, right?)?;
                Ok(self.truth(Node::Compare(operator, Box::new(left), Box::new(right)), expr))
            }
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide => {
                let (left, right) = (self.number(left, expr, stage), self.number(right, expr, stage));
                self.arithmetic(expr, operator, left?, right?)
            }
            Operator::Remainder | Operator::BitAnd | Operator::BitOr | Operator::BitXor => {
                let (left, right) = (self.int(left, expr, stage), self.int(right, expr, stage));
                let (left, right) = (left?, right?);
                let kinds = match left.kinds.is_empty() || right.kinds.is_empty() {
                    true => Kinds::NONE,
                    false => Kinds::of(Type::Int),
                };
                Ok(self.value(Node::Arithmetic(operator, Box::new(left), Box::new(right)), kinds, expr))
            }
        }
    }

    fn arithmetic(&mut self, expr: &Expr, operator: Operator, left: Value, right: Value) -> Bound {
        let (one, other) = (
            left.kinds.intersection(Kinds::NUMBERS),
            right.kinds.intersection(Kinds::NUMBERS),
        );
        let mut kinds = Kinds::NONE;
        if one.has(Type::Int) && other.has(Type::Int) {
            kinds = kinds.with(Type::Int);
        }
        let ints_only = one == Kinds::of(Type::Int) && other == Kinds::of(Type::Int);
        if !one.is_empty() && !other.is_empty() && !ints_only {
            kinds = kinds.with(Type::Float);
        }
        Ok(self.value(Node::Arithmetic(operator, Box::new(left), Box::new(right)), kinds, expr))
    }

    /// Both sides of a comparison, a time as milliseconds where the other side is a number.
    fn comparable(&mut self, expr: &Expr, left: Value, right: Value) -> Result<(Value, Value), Told> {
        let (left, right) = match (left.kinds.has(Type::Time), right.kinds.has(Type::Time)) {
            (true, false) => (self.millis(left), right),
            (false, true) => (left, self.millis(right)),
            _ => (left, right),
        };
        let scalar = [
            Kinds::NUMBERS,
            Kinds::of(Type::Text),
            Kinds::of(Type::Bool),
            Kinds::of(Type::Time),
        ];
        let both =
            |kinds: &Kinds| !left.kinds.intersection(*kinds).is_empty() && !right.kinds.intersection(*kinds).is_empty();
        if left.kinds.is_empty() || right.kinds.is_empty() || scalar.iter().any(both) {
            return Ok((left, right));
        }
        let message = format!(
            "{} and {} cannot be compared: one is {}, the other {}",
            left.source,
            right.source,
            left.kinds.words(),
            right.kinds.words()
        );
        Err(self.tell(expr.span, message))
    }

    fn between(&mut self, expr: &'q Expr, sense: Sense, parts: [&'q Expr; 3], stage: Stage) -> Bound {
        let [inner, low, high] = parts.map(|part| self.expr(part, stage));
        let (inner, low) = self.comparable(expr, inner?, low?)?;
        let (inner, high) = self.comparable(expr, inner, high?)?;
        let node = Node::Between(sense, Box::new(inner), Box::new(low), Box::new(high));
        Ok(self.truth(node, expr))
    }

    fn is_in(&mut self, expr: &'q Expr, sense: Sense, inner: &'q Expr, options: &'q [Expr], stage: Stage) -> Bound {
        let mut inner = self.expr(inner, stage)?;
        let mut bound = Vec::with_capacity(options.len());
        for option in options {
            let option = self.expr(option, stage)?;
            let (left, option) = self.comparable(expr, inner, option)?;
            inner = left;
            bound.push(option);
        }
        Ok(self.truth(Node::In(sense, Box::new(inner), bound), expr))
    }

    fn case(&mut self, expr: &'q Expr, case: &'q ast::Case, stage: Stage) -> Bound {
        let mut operand = match &case.operand {
            Some(operand) => Some(self.expr(operand, stage)?),
            None => None,
        };
        let mut branches = Vec::with_capacity(case.branches.len());
        let mut kinds = Kinds::NONE;
        for (when, then) in &case.branches {
            let condition = match operand.take() {
                None => self.condition(when, stage)?,
                Some(value) => {
                    let when_value = self.expr(when, stage)?;
                    let (left, right) = self.comparable(when, value, when_value)?;
                    operand = Some(left);
                    right
                }
            };
            let then = self.expr(then, stage)?;
            kinds = kinds.union(then.kinds);
            branches.push((condition, then));
        }
        let otherwise = match &case.otherwise {
            Some(otherwise) => Some(self.expr(otherwise, stage)?),
            None => None,
        };
        kinds = otherwise.iter().fold(kinds, |kinds, value| kinds.union(value.kinds));
        Ok(self.value(
            Node::Case(Box::new(Case {
                operand,
                branches,
                otherwise,
            })),
            kinds,
            expr,
        ))
    }

    /// An expression that must be a number; a time is one, in milliseconds.
    fn number(&mut self, expr: &'q Expr, around: &Expr, stage: Stage) -> Bound {
        let value = self.expr(expr, stage)?;
        let value = self.millis(value);
        self.must_be(Kinds::NUMBERS, value, expr, around)
    }

    fn int(&mut self, expr: &'q Expr, around: &Expr, stage: Stage) -> Bound {
        let value = self.expr(expr, stage)?;
        let value = self.millis(value);
        self.must_be(Kinds::of(Type::Int), value, expr, around)
    }

    fn text(&mut self, expr: &'q Expr, around: &Expr, stage: Stage) -> Bound {
        let value = self.expr(expr, stage)?;
        self.must_be(Kinds::of(Type::Text), value, expr, around)
    }

    fn must_be(&mut self, wanted: Kinds, value: Value, expr: &Expr, around: &Expr) -> Bound {
        if value.kinds.is_empty() || !value.kinds.intersection(wanted).is_empty() {
            return Ok(value);
        }
        let message = format!(
            "{} needs {}, and {} is {}",
            self.source(around.span),
            wanted.words(),
            value.source,
            value.kinds.words()
        );
        Err(self.tell(expr.span, message))
    }

    fn millis(&mut self, value: Value) -> Value {
        match value.kinds.single() {
            Some(Type::Time) => Value {
                kinds: Kinds::of(Type::Int),
                source: value.source.clone(),
                node: Node::ToMillis(Box::new(value)),
            },
            _ => value,
        }
    }

    /// A value that is used several times: computed once.
    pub(super) fn shared(&mut self, value: Value, stage: Stage) -> Value {
        let simple = matches!(value.node, Node::Constant(_) | Node::Column(..) | Node::Dynamic { .. });
        if simple || value.kinds.is_empty() {
            return value;
        }
        let kinds: Vec<Type> = value.kinds.iter().collect();
        let (source, all) = (value.source.clone(), value.kinds);
        let columns = self.steps(stage).compute(value, &kinds);
        match (&kinds[..], &columns[..]) {
            ([kind], [column]) => Value::column(*column, *kind, source),
            _ => Value {
                node: Node::Dynamic {
                    parts: kinds.into_iter().zip(columns).collect(),
                    present: None,
                },
                kinds: all,
                source,
            },
        }
    }

    /// The one column with a value of that type; another kind of value is a row error.
    pub(super) fn column_of(&mut self, value: Value, kind: Type, stage: Stage) -> crate::column::Column {
        if let Some(columns) = as_columns(&value)
            && let [(have, column)] = columns[..]
            && have == kind
        {
            return column;
        }
        if let (
            Type::Json,
            Node::Dynamic {
                present: Some(present), ..
            },
        ) = (kind, &value.node)
        {
            return *present;
        }
        let wanted = Kinds::of(kind);
        let source = value.source.clone();
        let node = match kind {
            Type::Float if !value.kinds.within(wanted) => Node::ToFloat(Box::new(value)),
            _ if value.kinds.within(wanted) => return self.steps(stage).compute(value, &[kind])[0],
            _ => Node::Require(wanted, Box::new(value)),
        };
        let kinds = wanted;
        self.steps(stage).compute(Value { node, kinds, source }, &[kind])[0]
    }

    pub(super) fn value(&self, node: Node, kinds: Kinds, expr: &Expr) -> Value {
        Value {
            node,
            kinds,
            source: self.source(expr.span),
        }
    }

    pub(super) fn truth(&self, node: Node, expr: &Expr) -> Value {
        self.value(node, Kinds::of(Type::Bool), expr)
    }

    /// A part of the query, for messages.
    pub(super) fn source(&self, span: Span) -> String {
        let text = self.text.get(span.start..span.end).unwrap_or_default();
        match text.char_indices().nth(SOURCE_CHARS_MAX) {
            Some((end, _)) => format!("`{}...`", &text[..end]),
            None => format!("`{text}`"),
        }
    }
}

/// A constant as a plan has it.
pub(super) fn constant(literal: &ast::Literal) -> Literal {
    match literal {
        ast::Literal::Null => Literal::Null,
        ast::Literal::Bool(value) => Literal::Bool(*value),
        ast::Literal::Int(value) => Literal::Int(*value),
        ast::Literal::Float(value) => Literal::Float(*value),
        ast::Literal::Text(value) => Literal::Text(value.clone()),
    }
}

/// A type for a message, with what SQL calls it.
pub(super) fn name_of(kind: Type) -> &'static str {
    word(kind)
}

/// Each becomes some dozens of instructions.
const EXPRESSIONS_MAX: usize = 10_000;
const SOURCE_CHARS_MAX: usize = 60;
