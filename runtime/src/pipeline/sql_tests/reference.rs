//! What an expression is, computed in the plainest way: value by value, over the tree. The oracle of the tests.

use rulemill_sql::ast::{Argument, Expr, ExprKind, Literal, Operator, Sense};
use serde_json::{Map, Value as Json};
use std::cmp::Ordering;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// An array or an object.
    Nested(Json),
}

/// The row cannot be computed.
#[derive(Debug, PartialEq)]
pub(super) struct Failed;

type Computed = Result<Value, Failed>;

impl Value {
    /// A member of a message.
    pub(super) fn of(json: Option<&Json>) -> Self {
        match json {
            None | Some(Json::Null) => Value::Null,
            Some(Json::Bool(value)) => Value::Bool(*value),
            Some(Json::Number(number)) => match number.as_i64() {
                Some(int) => Value::Int(int),
                None => Value::Float(number.as_f64().expect("a number is an integer or a float")),
            },
            Some(Json::String(text)) => Value::Text(text.clone()),
            Some(nested) => Value::Nested(nested.clone()),
        }
    }

    /// Whether what came out is this value. A float without a fraction comes out as an integer, and what is no number in
    /// JSON does not come out.
    pub(super) fn is(&self, out: Option<&Json>) -> bool {
        match self {
            Value::Null => out.is_none(),
            Value::Bool(value) => out == Some(&Json::Bool(*value)),
            Value::Int(value) => out.and_then(Json::as_i64) == Some(*value),
            Value::Float(value) if !value.is_finite() => out.is_none(),
            Value::Float(value) => out.and_then(Json::as_f64) == Some(*value),
            Value::Text(value) => out.and_then(Json::as_str) == Some(value),
            Value::Nested(value) => out == Some(value),
        }
    }
}

/// What an expression is for a message.
pub(super) fn evaluate(expr: &Expr, message: &Map<String, Json>) -> Computed {
    let eval = |expr: &Expr| evaluate(expr, message);
    match &expr.kind {
        ExprKind::Literal(literal) => Ok(constant(literal)),
        ExprKind::Name(name) => Ok(Value::of(message.get(name))),
        ExprKind::Member(inner, name) => match eval(inner)? {
            Value::Nested(Json::Object(members)) => Ok(Value::of(members.get(&name.text))),
            _ => Ok(Value::Null),
        },
        ExprKind::Negate(inner) => match eval(inner)? {
            Value::Null => Ok(Value::Null),
            Value::Int(value) => value.checked_neg().map(Value::Int).ok_or(Failed),
            Value::Float(value) => Ok(Value::Float(-value)),
            _ => Err(Failed),
        },
        ExprKind::Not(inner) => match eval(inner)? {
            Value::Null => Ok(Value::Null),
            Value::Bool(value) => Ok(Value::Bool(!value)),
            _ => Err(Failed),
        },
        ExprKind::Binary(operator, left, right) => binary(*operator, left, right, message),
        ExprKind::IsNull(inner) => Ok(Value::Bool(eval(inner)? == Value::Null)),
        ExprKind::Between(sense, inner, low, high) => {
            let (inner, low, high) = (eval(inner)?, eval(low)?, eval(high)?);
            if [&inner, &low, &high].contains(&&Value::Null) {
                return Ok(Value::Bool(false));
            }
            let (from, to) = (order(&inner, &low)?, order(&inner, &high)?);
            let within = matches!(from, Some(Ordering::Greater | Ordering::Equal))
                && matches!(to, Some(Ordering::Less | Ordering::Equal));
            Ok(Value::Bool(within == (*sense == Sense::Plain)))
        }
        ExprKind::In(sense, inner, options) => {
            let inner = eval(inner)?;
            if inner == Value::Null {
                return Ok(Value::Bool(false));
            }
            let mut found = false;
            for option in options {
                let option = eval(option)?;
                if option != Value::Null && order(&inner, &option) == Ok(Some(Ordering::Equal)) {
                    found = true;
                    break;
                }
            }
            Ok(Value::Bool(found == (*sense == Sense::Plain)))
        }
        ExprKind::Like(sense, inner, pattern) => match (eval(inner)?, eval(pattern)?) {
            (Value::Null, _) | (Value::Text(_), Value::Null) => Ok(Value::Bool(false)),
            (Value::Text(text), Value::Text(pattern)) => {
                let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
                Ok(Value::Bool(fits(&text, &pattern) == (*sense == Sense::Plain)))
            }
            _ => Err(Failed),
        },
        ExprKind::Case(case) => {
            let operand = case.operand.as_ref().map(eval).transpose()?;
            for (when, then) in &case.branches {
                let when = eval(when)?;
                let holds = match &operand {
                    None => truth(&when)? == Some(true),
                    Some(operand) if *operand == Value::Null || when == Value::Null => false,
                    Some(operand) => order(operand, &when)? == Some(Ordering::Equal),
                };
                if holds {
                    return eval(then);
                }
            }
            case.otherwise.as_ref().map_or(Ok(Value::Null), eval)
        }
        ExprKind::Call(call) if call.function.text == "coalesce" => {
            for argument in &call.arguments {
                let Argument::Expr(expr) = argument else {
                    return Err(Failed);
                };
                let value = eval(expr)?;
                if value != Value::Null {
                    return Ok(value);
                }
            }
            Ok(Value::Null)
        }
        other => panic!("the tests have no {other:?}"),
    }
}

fn constant(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::Int(*value),
        Literal::Float(value) => Value::Float(*value),
        Literal::Text(value) => Value::Text(value.clone()),
    }
}

fn truth(value: &Value) -> Result<Option<bool>, Failed> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(*value)),
        _ => Err(Failed),
    }
}

fn binary(operator: Operator, left: &Expr, right: &Expr, message: &Map<String, Json>) -> Computed {
    let left = evaluate(left, message)?;
    if let Operator::And | Operator::Or = operator {
        let decisive = operator == Operator::Or;
        let left = truth(&left)?;
        if left == Some(decisive) {
            return Ok(Value::Bool(decisive));
        }
        let right = truth(&evaluate(right, message)?)?;
        return Ok(match (left, right) {
            (_, Some(right)) if right == decisive => Value::Bool(decisive),
            (None, _) | (_, None) => Value::Null,
            _ => Value::Bool(!decisive),
        });
    }
    let right = evaluate(right, message)?;
    let null = left == Value::Null || right == Value::Null;
    let test: fn(Option<Ordering>) -> bool = match operator {
        Operator::Equal => |order| order == Some(Ordering::Equal),
        Operator::NotEqual => |order| order != Some(Ordering::Equal),
        Operator::Less => |order| order == Some(Ordering::Less),
        Operator::LessEqual => |order| matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => |order| order == Some(Ordering::Greater),
        Operator::GreaterEqual => |order| matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        _ if null => return Ok(Value::Null),
        _ => return arithmetic(operator, &left, &right),
    };
    if null {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(test(order(&left, &right)?)))
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Computed {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        let (wide_left, wide_right) = (i128::from(*left), i128::from(*right));
        let wide = match operator {
            Operator::Add => wide_left + wide_right,
            Operator::Subtract => wide_left - wide_right,
            Operator::Multiply => wide_left * wide_right,
            Operator::Divide | Operator::Remainder if *right == 0 => return Err(Failed),
            Operator::Divide => wide_left / wide_right,
            Operator::Remainder => wide_left % wide_right,
            Operator::BitAnd => wide_left & wide_right,
            Operator::BitOr => wide_left | wide_right,
            _ => wide_left ^ wide_right,
        };
        return i64::try_from(wide).map(Value::Int).map_err(|_| Failed);
    }
    let (left, right) = (number(left)?, number(right)?);
    Ok(Value::Float(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide if right != 0.0 => left / right,
        _ => return Err(Failed),
    }))
}

#[expect(clippy::cast_precision_loss, reason = "an int beside a float is one")]
fn number(value: &Value) -> Result<f64, Failed> {
    match value {
        Value::Int(value) => Ok(*value as f64),
        Value::Float(value) => Ok(*value),
        _ => Err(Failed),
    }
}

/// The order of two values, none with a NaN.
fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, Failed> {
    Ok(match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Int(left), Value::Float(right)) => exact(*left, *right),
        (Value::Float(left), Value::Int(right)) => exact(*right, *left).map(Ordering::reverse),
        (Value::Text(left), Value::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => return Err(Failed),
    })
}

/// The order of an int and a float, with the fraction last.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond i128 is beyond every int too"
)]
fn exact(int: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let whole = float.trunc();
    let order = i128::from(int).cmp(&(whole as i128));
    Some(order.then_with(|| 0.0_f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal)))
}

fn fits(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|from| fits(&text[from..], rest)),
        ['_', rest @ ..] => !text.is_empty() && fits(&text[1..], rest),
        ['\\', kept, rest @ ..] => text.first() == Some(kept) && fits(&text[1..], rest),
        [sign, rest @ ..] => text.first() == Some(sign) && fits(&text[1..], rest),
    }
}
