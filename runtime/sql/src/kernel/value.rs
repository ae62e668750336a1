//! What a kernel computes: expressions whose names are columns, with the kinds of values that each can have.

use crate::ast::{Operator, Sense};
use crate::column::Column;
use rulemill_plan::{Literal, Type};

/// An expression of a kernel. Two are equal when they compute the same, whatever text they come from.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) node: Node,
    /// What it can be, besides null.
    pub(crate) kinds: Kinds,
    /// The text that it comes from, for messages.
    pub(crate) source: String,
}

/// What an expression of a kernel does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Constant(Literal),
    /// A column of one type.
    Column(Column, Type),
    /// A value whose kind only the row tells: columns of which at most one has a value. Where all are null while
    /// `present` is not, it is an array or an object. An int comes before a float, for as a float it can be read too.
    Dynamic {
        parts: Vec<(Type, Column)>,
        present: Option<Column>,
    },
    Negate(Box<Value>),
    Not(Box<Value>),
    And(Box<Value>, Box<Value>),
    Or(Box<Value>, Box<Value>),
    Arithmetic(Operator, Box<Value>, Box<Value>),
    Compare(Operator, Box<Value>, Box<Value>),
    IsNull(Box<Value>),
    Between(Sense, Box<Value>, Box<Value>, Box<Value>),
    In(Sense, Box<Value>, Vec<Value>),
    Like(Sense, Box<Value>, Box<Value>),
    Case(Box<Case>),
    /// The first that is not null.
    Coalesce(Vec<Value>),
    /// The number as a float; anything else is a row error.
    ToFloat(Box<Value>),
    /// A time as milliseconds since the epoch.
    ToMillis(Box<Value>),
    /// The value, which must be of these kinds; anything else is a row error.
    Require(Kinds, Box<Value>),
}

/// `CASE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    /// What the first part of each branch is compared with; without it that is a condition.
    pub(crate) operand: Option<Value>,
    /// Conditions or values, and what comes out where one holds.
    pub(crate) branches: Vec<(Value, Value)>,
    pub(crate) otherwise: Option<Value>,
}

/// A set of types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    /// Nothing but null.
    pub(crate) const NONE: Kinds = Kinds(0);
    pub(crate) const NUMBERS: Kinds = Kinds::of(Type::Int).with(Type::Float);
    /// What a JSON value can be.
    pub(crate) const ANY: Kinds = Kinds::NUMBERS.with(Type::Bool).with(Type::Text).with(Type::Json);

    pub(crate) const fn of(kind: Type) -> Kinds {
        Kinds(1 << tag(kind))
    }

    pub(crate) const fn with(self, kind: Type) -> Kinds {
        Kinds(self.0 | 1 << tag(kind))
    }

    pub(crate) fn union(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    pub(crate) fn intersection(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    pub(crate) fn has(self, kind: Type) -> bool {
        self.0 >> tag(kind) & 1 == 1
    }

    /// Whether each of these is among the others.
    pub(crate) fn within(self, other: Kinds) -> bool {
        self.0 & !other.0 == 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The only one.
    pub(crate) fn single(self) -> Option<Type> {
        let mut kinds = self.iter();
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Some(kind),
            _ => None,
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Type> {
        Type::ALL.into_iter().filter(move |kind| self.has(*kind))
    }

    /// For messages: `int, float or text`.
    pub(crate) fn words(self) -> String {
        let names: Vec<&str> = self.iter().map(word).collect();
        match names.split_last() {
            None => "null".to_owned(),
            Some((last, [])) => (*last).to_owned(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        }
    }
}

/// A type as a kernel knows it; 0 is null.
pub(crate) const fn tag(kind: Type) -> u8 {
    match kind {
        Type::Bool => 1,
        Type::Int => 2,
        Type::Float => 3,
        Type::Time => 4,
        Type::Text => 5,
        Type::Bytes => 6,
        Type::Json => 7,
    }
}

/// A type in a message for somebody who writes SQL.
pub(crate) fn word(kind: Type) -> &'static str {
    match kind {
        Type::Bool => "boolean",
        Type::Int => "bigint",
        Type::Float => "float",
        Type::Time => "datetime",
        Type::Text => "string",
        Type::Bytes => "bytea",
        Type::Json => "array or struct",
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.kinds == other.kinds && self.node == other.node
    }
}

impl Value {
    /// A constant.
    pub(crate) fn constant(literal: Literal) -> Self {
        let source = match &literal {
            Literal::Text(text) => format!("{text:?}"),
            other => other.to_string(),
        };
        Value {
            kinds: literal.type_of().map_or(Kinds::NONE, Kinds::of),
            node: Node::Constant(literal),
            source,
        }
    }

    /// A column.
    pub(crate) fn column(column: Column, kind: Type, source: impl Into<String>) -> Self {
        Value {
            node: Node::Column(column, kind),
            kinds: Kinds::of(kind),
            source: source.into(),
        }
    }
}

impl Value {
    /// Adds the columns that it names to those that are there.
    pub(crate) fn columns(&self, found: &mut Vec<(Column, Type)>) {
        let mut add = |column: Column, kind: Type| {
            if !found.contains(&(column, kind)) {
                found.push((column, kind));
            }
        };
        match &self.node {
            Node::Constant(_) => {}
            Node::Column(column, kind) => add(*column, *kind),
            Node::Dynamic { parts, present } => {
                parts.iter().for_each(|(kind, column)| add(*column, *kind));
                present.iter().for_each(|column| add(*column, Type::Json));
            }
            Node::Negate(inner)
            | Node::Not(inner)
            | Node::IsNull(inner)
            | Node::ToFloat(inner)
            | Node::ToMillis(inner)
            | Node::Require(_, inner) => inner.columns(found),
            Node::And(left, right)
            | Node::Or(left, right)
            | Node::Arithmetic(_, left, right)
            | Node::Compare(_, left, right)
            | Node::Like(_, left, right) => {
                left.columns(found);
                right.columns(found);
            }
            Node::Between(_, inner, low, high) => [inner, low, high].iter().for_each(|value| value.columns(found)),
            Node::In(_, inner, options) => {
                inner.columns(found);
                options.iter().for_each(|value| value.columns(found));
            }
            Node::Coalesce(values) => values.iter().for_each(|value| value.columns(found)),
            Node::Case(case) => {
                case.operand.iter().for_each(|value| value.columns(found));
                for (when, then) in &case.branches {
                    when.columns(found);
                    then.columns(found);
                }
                case.otherwise.iter().for_each(|value| value.columns(found));
            }
        }
    }
}
