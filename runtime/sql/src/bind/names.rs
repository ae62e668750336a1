//! Names, paths and keys.

use super::scope::{Aggregate, Scope, Stage, Told};
use super::steps::Given;
use crate::ast::{Argument, Expr, ExprKind, FieldType, Literal};
use crate::column::Column;
use crate::kernel::{Kinds, Node, Value};
use crate::problem::{Span, nearest};
use rulemill_plan::{Fallback, Need, Origin, PathSegment, Type};

impl<'q> Scope<'q> {
    /// An alias, or else a field.
    pub(super) fn name(&mut self, name: &str, span: Span, stage: Stage) -> Result<Value, Told> {
        if let Some((alias, expr)) = self.alias(name) {
            let innermost = self.open_aliases.last() == Some(&alias);
            if !self.open_aliases.contains(&alias) {
                return self.value_of_alias(alias, expr, stage);
            }
            let is_field = self.stream.is_schemaless() || self.stream.field(name).is_some();
            if !innermost || !is_field {
                return Err(self.tell(
                    span,
                    format!("the alias {name:?} stands for itself, by way of other aliases or directly"),
                ));
            }
        }
        self.field(&[PathSegment::Name(name.to_owned())], span, stage)
    }

    fn value_of_alias(&mut self, alias: &'q str, expr: &'q Expr, stage: Stage) -> Result<Value, Told> {
        if let Some(value) = self.bound_aliases.get(&(stage, alias)) {
            return Ok(value.clone());
        }
        self.open_aliases.push(alias);
        let value = self.expr(expr, stage);
        self.open_aliases.pop();
        if self.filtering {
            // Shared, it would be computed for rows that the filter may leave out before they fail.
            return value;
        }
        let value = self.shared(value?, stage);
        self.bound_aliases.insert((stage, alias), value.clone());
        Ok(value)
    }

    /// `a->b[0]` and the like: a path into a message, or a call for what a path cannot say.
    pub(super) fn path(&mut self, expr: &'q Expr, stage: Stage) -> Result<Value, Told> {
        if let Some((root, path)) = self.static_path(expr) {
            let aliased = self.alias(root).is_some() && !self.open_aliases.contains(&root);
            if !aliased {
                return self.field(&path, expr.span, stage);
            }
        }
        match &expr.kind {
            ExprKind::Member(inner, name) => {
                let name = Value::constant(name.text.as_str().into());
                self.look_into("any_get", inner, vec![name], expr, stage)
            }
            ExprKind::Index(inner, index) => {
                let index = self.expr(index, stage)?;
                self.look_into("any_index", inner, vec![index], expr, stage)
            }
            ExprKind::Slice(inner, from, to) => {
                let mut bounds = Vec::new();
                for bound in [from, to] {
                    bounds.push(match bound {
                        Some(bound) => self.expr(bound, stage)?,
                        None => Value::constant(rulemill_plan::Literal::Null),
                    });
                }
                self.look_into("any_slice", inner, bounds, expr, stage)
            }
            _ => self.expr(expr, stage),
        }
    }

    fn look_into(
        &mut self,
        function: &str,
        inner: &'q Expr,
        rest: Vec<Value>,
        expr: &'q Expr,
        stage: Stage,
    ) -> Result<Value, Told> {
        let inner = self.expr(inner, stage)?;
        let mut arguments = vec![inner];
        arguments.extend(rest);
        self.scalar(function, arguments, expr, stage)
    }

    /// A path of names and positions that are known, and the name that it begins with.
    fn static_path(&self, expr: &'q Expr) -> Option<(&'q str, Vec<PathSegment>)> {
        let (mut segments, mut at) = (Vec::new(), expr);
        loop {
            match &at.kind {
                ExprKind::Name(name) => {
                    segments.reverse();
                    let qualified = self.is_stream(name) && matches!(segments.first(), Some(PathSegment::Name(_)));
                    if !qualified {
                        segments.insert(0, PathSegment::Name(name.clone()));
                    }
                    return Some((name.as_str(), segments));
                }
                ExprKind::Member(inner, name) => {
                    segments.push(PathSegment::Name(name.text.clone()));
                    at = inner;
                }
                ExprKind::Index(inner, index) => {
                    let ExprKind::Literal(Literal::Int(index)) = index.kind else {
                        return None;
                    };
                    segments.push(PathSegment::Index(u32::try_from(index).ok()?));
                    at = inner;
                }
                _ => return None,
            }
        }
    }

    fn is_stream(&self, name: &str) -> bool {
        let from = &self.select.from;
        from.stream.text == name || from.alias.as_ref().is_some_and(|alias| alias.text == name)
    }

    /// A field of a message, or for a group that of its first message.
    pub(super) fn field(&mut self, path: &[PathSegment], span: Span, stage: Stage) -> Result<Value, Told> {
        let value = self.field_of_message(path, span)?;
        Ok(match stage {
            Stage::Message => value,
            Stage::Group => self.first(value),
        })
    }

    fn field_of_message(&mut self, path: &[PathSegment], span: Span) -> Result<Value, Told> {
        let source = self.source(span);
        let label = label(path);
        if self.stream.is_schemaless() {
            return Ok(self.dynamic_field(path, &label, source));
        }
        let kind = self.declared(path, span)?;
        let mistyped = Fallback::Reject;
        let column = self.need(need(&label, kind, path, mistyped));
        Ok(Value::column(column, kind, source))
    }

    /// A field of a type that only the message tells.
    fn dynamic_field(&mut self, path: &[PathSegment], label: &str, source: String) -> Value {
        let mut part = |kind: Type| (kind, self.need(need(label, kind, path, Fallback::Null)));
        let parts = [Type::Int, Type::Float, Type::Text, Type::Bool].map(&mut part).to_vec();
        let (_, present) = part(Type::Json);
        Value {
            node: Node::Dynamic {
                parts,
                present: Some(present),
            },
            kinds: Kinds::ANY,
            source,
        }
    }

    /// The type of what a path leads to, by the definition of the stream.
    fn declared(&mut self, path: &[PathSegment], span: Span) -> Result<Type, Told> {
        let Some((PathSegment::Name(first), rest)) = path.split_first() else {
            return Ok(Type::Json);
        };
        let Some(mut kind) = self.stream.field(first) else {
            let stream = self.stream;
            let names = stream.fields.iter().map(|field| field.name.text.as_str());
            let aliases = self.select.items.iter().filter_map(super::items::alias_of);
            let near = nearest(first, names.chain(aliases));
            return Err(self.tell(
                span,
                format!("unknown column {first:?} in stream {}{near}", stream.name),
            ));
        };
        for segment in rest {
            kind = match (kind, segment) {
                (FieldType::Array(element), PathSegment::Index(_)) => element,
                (FieldType::Struct(fields), PathSegment::Name(name)) => {
                    match fields.iter().find(|field| field.name.text == *name) {
                        Some(field) => &field.kind,
                        None => {
                            let near = nearest(name, fields.iter().map(|field| field.name.text.as_str()));
                            return Err(self.tell(span, format!("unknown member {name:?}{near}")));
                        }
                    }
                }
                (_, PathSegment::Index(_)) => return Err(self.tell(span, "only an array has elements")),
                (_, PathSegment::Name(name)) => {
                    return Err(self.tell(
                        span,
                        format!("only a struct has members, so there is no {name:?} in it"),
                    ));
                }
            };
        }
        match type_of(kind) {
            Some(kind) => Ok(kind),
            None => Err(self.tell(
                span,
                "a field of type bytea cannot be read from JSON; declare it as string",
            )),
        }
    }

    /// What the first message of a group has.
    pub(super) fn first(&mut self, value: Value) -> Value {
        let mut first = |column: Column| {
            self.aggregate(Aggregate {
                function: "first".to_owned(),
                library: None,
                arguments: vec![Given::Column(column)],
            })
        };
        let node = match value.node {
            Node::Column(column, kind) => Node::Column(first(column), kind),
            Node::Dynamic { parts, present } => Node::Dynamic {
                parts: parts.into_iter().map(|(kind, column)| (kind, first(column))).collect(),
                present: present.map(first),
            },
            other => other,
        };
        Value { node, ..value }
    }

    /// The position of the key that an expression is.
    pub(super) fn key_of(&self, expr: &Expr) -> Option<usize> {
        self.keys.iter().position(|key| self.same(key.expr, expr, 0))
    }

    /// The value of a key.
    pub(super) fn value_of_key(&mut self, position: usize) -> Value {
        let key = &self.keys[position];
        let source = self.source(key.expr.span);
        let parts = key.parts.clone();
        let field = match key.field.clone() {
            Some(field) => field,
            None => {
                return match parts[..] {
                    [(kind, column)] => Value::column(column, kind, source),
                    _ => Value {
                        kinds: parts.iter().fold(Kinds::NONE, |kinds, (kind, _)| kinds.with(*kind)),
                        node: Node::Dynamic { parts, present: None },
                        source,
                    },
                };
            }
        };
        // All messages of the group have the same value, so that of the first one will do.
        let mut value = self.first(field);
        if let Node::Dynamic { present, .. } = &mut value.node {
            *present = parts.first().map(|(_, column)| *column);
        }
        value
    }

    /// Whether two expressions say the same, with aliases for what they stand for.
    fn same(&self, one: &Expr, other: &Expr, depth: usize) -> bool {
        if depth > ALIASES_DEEP_MAX {
            return false;
        }
        let resolve = |expr: &Expr| match &expr.kind {
            ExprKind::Name(name) => self.alias(name).map(|(_, expr)| expr),
            _ => None,
        };
        if let (ExprKind::Name(left), ExprKind::Name(right)) = (&one.kind, &other.kind)
            && left == right
        {
            return true;
        }
        match (resolve(one), resolve(other)) {
            (Some(inner), _) if !std::ptr::eq(inner, one) => return self.same(inner, other, depth + 1),
            (_, Some(inner)) if !std::ptr::eq(inner, other) => return self.same(one, inner, depth + 1),
            _ => {}
        }
        self.same_shape(one, other, depth)
    }

    fn same_shape(&self, one: &Expr, other: &Expr, depth: usize) -> bool {
        let same = |one: &Expr, other: &Expr| self.same(one, other, depth + 1);
        match (&one.kind, &other.kind) {
            (ExprKind::Literal(left), ExprKind::Literal(right)) => left == right,
            (ExprKind::Member(left, name), ExprKind::Member(right, other)) => {
                name.text == other.text && same(left, right)
            }
            (ExprKind::Index(left, at), ExprKind::Index(right, other)) => same(left, right) && same(at, other),
            (ExprKind::Negate(left), ExprKind::Negate(right)) | (ExprKind::Not(left), ExprKind::Not(right)) => {
                same(left, right)
            }
            (ExprKind::Binary(sign, a, b), ExprKind::Binary(other, c, d)) => sign == other && same(a, c) && same(b, d),
            (ExprKind::Call(left), ExprKind::Call(right)) => {
                left.function.text.eq_ignore_ascii_case(&right.function.text)
                    && left.over.is_none()
                    && right.over.is_none()
                    && left.arguments.len() == right.arguments.len()
                    && left.arguments.iter().zip(&right.arguments).all(|pair| match pair {
                        (Argument::Expr(left), Argument::Expr(right)) => same(left, right),
                        _ => false,
                    })
            }
            _ => false,
        }
    }
}

fn need(label: &str, kind: Type, path: &[PathSegment], mistyped: Fallback) -> Need {
    Need {
        name: label.to_owned(),
        kind,
        origin: Origin::Field(path.to_vec()),
        missing: Fallback::Null,
        mistyped,
    }
}

/// A path for people: `a.b[0]`.
fn label(path: &[PathSegment]) -> String {
    let mut label = String::new();
    if path.is_empty() {
        return "payload".to_owned();
    }
    for segment in path {
        match segment {
            PathSegment::Name(name) if label.is_empty() => label.push_str(name),
            PathSegment::Name(name) => {
                label.push('.');
                label.push_str(name);
            }
            PathSegment::Index(index) => label.push_str(&format!("[{index}]")),
        }
    }
    label
}

/// The type of a column with such a field.
pub(super) fn type_of(kind: &FieldType) -> Option<Type> {
    match kind {
        FieldType::Bigint => Some(Type::Int),
        FieldType::Float => Some(Type::Float),
        FieldType::String => Some(Type::Text),
        FieldType::Datetime => Some(Type::Time),
        FieldType::Boolean => Some(Type::Bool),
        FieldType::Array(_) | FieldType::Struct(_) => Some(Type::Json),
        FieldType::Bytea => None,
    }
}

/// Two aliases that stand for each other would be compared for ever.
const ALIASES_DEEP_MAX: usize = 64;
