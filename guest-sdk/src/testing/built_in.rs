//! The built-in aggregates over the values of one group, as plainly as they can be written.

use crate::kind::float_of;
use rulemill_plan::{Literal, Type};

/// The aggregate `function` of `values`, nulls included; `None` for `count` of rows.
pub(super) fn aggregate(function: &str, values: Option<&[Literal]>, rows: usize) -> Result<Literal, String> {
    let Some(values) = values else {
        return Ok(int(rows));
    };
    let values: Vec<&Literal> = values.iter().filter(|value| **value != Literal::Null).collect();
    let first_or_null = |value: Option<&&Literal>| value.map_or(Literal::Null, |value| (*value).clone());
    Ok(match function {
        "count" => int(values.len()),
        "count_distinct" => int(distinct(&values)),
        "first" => first_or_null(values.first()),
        "last" => first_or_null(values.last()),
        "min" => first_or_null(values.iter().min_by(|a, b| order(a, b))),
        "max" => first_or_null(values.iter().max_by(|a, b| order(a, b))),
        "sum" => sum(&values)?,
        "avg" | "stddev" | "stddevs" | "var" | "vars" => moments(function, &values),
        other => return Err(format!("{other} is no built-in aggregate")),
    })
}

/// The type of the aggregate `function` of a column of `argument`.
pub(super) fn kind(function: &str, argument: Option<Type>) -> Type {
    match (function, argument) {
        ("sum" | "min" | "max" | "first" | "last", Some(kind)) => kind,
        ("count" | "count_distinct", _) => Type::Int,
        _ => Type::Float,
    }
}

fn sum(values: &[&Literal]) -> Result<Literal, String> {
    let mut total: Option<Literal> = None;
    for value in values {
        total = Some(match (total, value) {
            (None, value) => (*value).clone(),
            (Some(Literal::Int(total)), Literal::Int(value)) => {
                Literal::Int(total.checked_add(*value).ok_or("the sum is beyond 64 bits")?)
            }
            (Some(total), value) => Literal::Float(float(&total) + float(value)),
        });
    }
    Ok(total.unwrap_or(Literal::Null))
}

fn moments(function: &str, values: &[&Literal]) -> Literal {
    let count = values.len();
    let least = if function.ends_with('s') { 2 } else { 1 };
    if count < least {
        return Literal::Null;
    }
    let rows = count_as_float(count);
    let mean = values.iter().map(|value| float(value)).sum::<f64>() / rows;
    let squares: f64 = values.iter().map(|value| (float(value) - mean).powi(2)).sum();
    Literal::Float(match function {
        "stddev" => (squares / rows).sqrt(),
        "stddevs" => (squares / (rows - 1.0)).sqrt(),
        "var" => squares / rows,
        "vars" => squares / (rows - 1.0),
        _ => mean,
    })
}

fn distinct(values: &[&Literal]) -> usize {
    let mut seen: Vec<&Literal> = Vec::new();
    for value in values {
        if !seen.contains(value) {
            seen.push(value);
        }
    }
    seen.len()
}

/// The order of two values of one type.
pub(super) fn order(left: &Literal, right: &Literal) -> std::cmp::Ordering {
    match (left, right) {
        (Literal::Text(left), Literal::Text(right)) => left.cmp(right),
        (Literal::Bool(left), Literal::Bool(right)) => left.cmp(right),
        (Literal::Int(left), Literal::Int(right)) => left.cmp(right),
        (left, right) => float(left).total_cmp(&float(right)),
    }
}

fn float(value: &Literal) -> f64 {
    match value {
        Literal::Float(value) => *value,
        Literal::Int(value) => float_of(*value),
        Literal::Null | Literal::Bool(_) | Literal::Text(_) => f64::NAN,
    }
}

fn int(count: usize) -> Literal {
    Literal::Int(i64::try_from(count).expect("a test has fewer than 2^63 rows"))
}

fn count_as_float(count: usize) -> f64 {
    float_of(i64::try_from(count).expect("a test has fewer than 2^63 rows"))
}
