//! Arithmetic: two ints give an int of 64 bits or an error, other numbers a float.
//!
//! A float that is no number in JSON, for it is beyond what a double holds, is null.

use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{Kind, Number, Value, json_of_float};

/// `left + right`.
#[function(immutable)]
#[example("1", "2" => "3")]
#[example("1", "2.5" => "3.5")]
#[example("0.5", "0.5" => "1.0")]
#[example("9223372036854775807", "1" => error)]
#[example("\"a\"", "1" => error)]
#[example("true", "1" => error)]
#[example("null", "1" => null)]
#[example("null", "\"a\"" => null)]
#[example(null, "1" => null)]
pub fn any_add(left: Json<'_>, right: Json<'_>) -> Result<Option<JsonString>, RowError> {
    PLUS.compute(left, right)
}

/// `left - right`.
#[function(immutable)]
#[example("1", "2" => "-1")]
#[example("1", "2.5" => "-1.5")]
#[example("-9223372036854775808", "1" => error)]
#[example("[1]", "1" => error)]
#[example("1", null => null)]
pub fn any_sub(left: Json<'_>, right: Json<'_>) -> Result<Option<JsonString>, RowError> {
    MINUS.compute(left, right)
}

/// `left * right`.
#[function(immutable)]
#[example("3", "-2" => "-6")]
#[example("3", "0.5" => "1.5")]
#[example("1e300", "1e300" => null)]
#[example("-9223372036854775808", "-1" => error)]
#[example("\"x\"", "5" => error)]
#[example("1", null => null)]
pub fn any_mul(left: Json<'_>, right: Json<'_>) -> Result<Option<JsonString>, RowError> {
    TIMES.compute(left, right)
}

/// `left / right`; of two ints the int without the fraction. A division by 0 is an error.
#[function(immutable)]
#[example("7", "2" => "3")]
#[example("-7", "2" => "-3")]
#[example("7", "2.0" => "3.5")]
#[example("7", "0" => error)]
#[example("7.0", "0.0" => error)]
#[example("-9223372036854775808", "-1" => error)]
#[example("1", null => null)]
pub fn any_div(left: Json<'_>, right: Json<'_>) -> Result<Option<JsonString>, RowError> {
    OVER.compute(left, right)
}

/// The remainder of `left` divided by `right`, with the sign of `left`. A division by 0 is an error.
#[function(immutable)]
#[example("7", "3" => "1")]
#[example("-7", "3" => "-1")]
#[example("5.5", "2" => "1.5")]
#[example("7", "0" => error)]
#[example("-9223372036854775808", "-1" => "0")]
#[example("1", null => null)]
pub fn any_mod(left: Json<'_>, right: Json<'_>) -> Result<Option<JsonString>, RowError> {
    REMAINDER.compute(left, right)
}

/// `-value`.
#[function(immutable)]
#[example("7" => "-7")]
#[example("-0.5" => "0.5")]
#[example("-9223372036854775808" => error)]
#[example("\"a\"" => error)]
#[example("null" => null)]
#[example(null => null)]
pub fn any_neg(value: Json<'_>) -> Result<Option<JsonString>, RowError> {
    let value = Value::of(value)?;
    match value.kind() {
        Kind::Null => Ok(None),
        Kind::Number(Number::Int(int)) => match int.checked_neg() {
            Some(int) => Ok(Some(JsonString(int.to_string()))),
            None => Err(RowError::new(format!("-({int}) is beyond the 64 bits of a bigint"))),
        },
        Kind::Number(Number::Float(float)) => Ok(json_of_float(-float)),
        Kind::Bool(_) | Kind::Text(_) | Kind::Array(_) | Kind::Object(_) => {
            Err(RowError::new(format!("- needs a number, got {value}")))
        }
    }
}

/// An operator of two numbers.
struct Operator {
    sign: &'static str,
    /// `None`: beyond 64 bits.
    ints: fn(i64, i64) -> Option<i64>,
    floats: fn(f64, f64) -> f64,
    divides: bool,
}

impl Operator {
    fn compute(&self, left: Json<'_>, right: Json<'_>) -> Result<Option<JsonString>, RowError> {
        let (left, right) = (Value::of(left)?, Value::of(right)?);
        let (one, other) = match (left.kind(), right.kind()) {
            (Kind::Null, _) | (_, Kind::Null) => return Ok(None),
            (Kind::Number(one), Kind::Number(other)) => (one, other),
            _ => {
                let sign = self.sign;
                return Err(RowError::new(format!(
                    "{sign} needs two numbers, got {left} and {right}"
                )));
            }
        };
        if self.divides && other.float() == 0.0 {
            return Err(self.error(left, right, "divides by zero"));
        }
        if let (Number::Int(one), Number::Int(other)) = (one, other) {
            return match (self.ints)(one, other) {
                Some(int) => Ok(Some(JsonString(int.to_string()))),
                None => Err(self.error(left, right, "is beyond the 64 bits of a bigint")),
            };
        }
        Ok(json_of_float((self.floats)(one.float(), other.float())))
    }

    fn error(&self, left: Value<'_>, right: Value<'_>, what: &str) -> RowError {
        RowError::new(format!("{} {} {} {what}", left.raw(), self.sign, right.raw()))
    }
}

const PLUS: Operator = Operator {
    sign: "+",
    ints: i64::checked_add,
    floats: |left, right| left + right,
    divides: false,
};

const MINUS: Operator = Operator {
    sign: "-",
    ints: i64::checked_sub,
    floats: |left, right| left - right,
    divides: false,
};

const TIMES: Operator = Operator {
    sign: "*",
    ints: i64::checked_mul,
    floats: |left, right| left * right,
    divides: false,
};

const OVER: Operator = Operator {
    sign: "/",
    ints: i64::checked_div,
    floats: |left, right| left / right,
    divides: true,
};

const REMAINDER: Operator = Operator {
    sign: "%",
    // The least int by -1 has the remainder 0, although the quotient is beyond 64 bits.
    ints: |left, right| Some(left.wrapping_rem(right)),
    floats: |left, right| left % right,
    divides: true,
};
