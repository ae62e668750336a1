//! Constant values in plans, settings and examples.

use crate::Type;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A constant. In JSON it is the plain value: `null`, `true`, `5`, `5.0`, `"text"`.
///
/// `5` is an int and `5.0` a float; an int is accepted where a float is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Literal {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text.
    Text(String),
}

impl Literal {
    /// The type of the value; `None` for null, which fits every type.
    pub fn type_of(&self) -> Option<Type> {
        match self {
            Literal::Null => None,
            Literal::Bool(_) => Some(Type::Bool),
            Literal::Int(_) => Some(Type::Int),
            Literal::Float(_) => Some(Type::Float),
            Literal::Text(_) => Some(Type::Text),
        }
    }

    /// Whether the value can stand where `wanted` is asked for. An int fits a float and (as microseconds) a time.
    pub fn fits(&self, wanted: Type) -> bool {
        match (self, wanted) {
            (Literal::Null, _)
            | (Literal::Bool(_), Type::Bool)
            | (Literal::Int(_), Type::Int | Type::Float | Type::Time)
            | (Literal::Float(_), Type::Float)
            | (Literal::Text(_), Type::Text | Type::Json) => true,
            (Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) | Literal::Text(_), _) => false,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => f.write_str("null"),
            Literal::Bool(value) => write!(f, "{value}"),
            Literal::Int(value) => write!(f, "{value}"),
            Literal::Float(value) => write!(f, "{value:?}"),
            Literal::Text(value) => write!(f, "{value:?}"),
        }
    }
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Literal::Bool(value)
    }
}

impl From<i64> for Literal {
    fn from(value: i64) -> Self {
        Literal::Int(value)
    }
}

impl From<i32> for Literal {
    fn from(value: i32) -> Self {
        Literal::Int(value.into())
    }
}

impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Literal::Float(value)
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Literal::Text(value.to_owned())
    }
}

impl From<String> for Literal {
    fn from(value: String) -> Self {
        Literal::Text(value)
    }
}

impl<T: Into<Literal>> From<Option<T>> for Literal {
    fn from(value: Option<T>) -> Self {
        value.map_or(Literal::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_and_floats_keep_their_type_through_json() {
        for literal in [
            Literal::Int(i64::MAX),
            Literal::Int(i64::MIN),
            Literal::Float(5.0),
            Literal::Float(1e300),
            Literal::Null,
            Literal::Text("5".into()),
        ] {
            let text = serde_json::to_string(&literal).unwrap();
            let back: Literal = serde_json::from_str(&text).unwrap();
            assert_eq!(back, literal, "{text}");
        }
    }
}
