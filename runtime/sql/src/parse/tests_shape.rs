//! Expressions as text with all their parentheses, for the tests.

use crate::ast::{Argument, Expr, ExprKind, Literal, Sense};

pub(super) fn of(expr: &Expr) -> String {
    let list = |exprs: &[Expr]| exprs.iter().map(of).collect::<Vec<_>>().join(", ");
    let bound = |bound: &Option<Box<Expr>>| bound.as_deref().map(of).unwrap_or_default();
    match &expr.kind {
        ExprKind::Literal(literal) => of_literal(literal),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Member(inner, name) => format!("({}->{})", of(inner), name.text),
        ExprKind::Index(inner, index) => format!("{}[{}]", of(inner), of(index)),
        ExprKind::Slice(inner, from, to) => format!("{}[{}:{}]", of(inner), bound(from), bound(to)),
        ExprKind::Negate(inner) => format!("(-{})", of(inner)),
        ExprKind::Not(inner) => format!("(NOT {})", of(inner)),
        ExprKind::Binary(operator, left, right) => format!("({} {} {})", of(left), operator.sign(), of(right)),
        ExprKind::IsNull(inner) => format!("({} IS NULL)", of(inner)),
        ExprKind::Between(sense, inner, low, high) => {
            format!("({} {}BETWEEN {} AND {})", of(inner), not(*sense), of(low), of(high))
        }
        ExprKind::In(sense, inner, options) => format!("({} {}IN ({}))", of(inner), not(*sense), list(options)),
        ExprKind::InArray(sense, inner, array) => format!("({} {}IN {})", of(inner), not(*sense), of(array)),
        ExprKind::Like(sense, inner, pattern) => format!("({} {}LIKE {})", of(inner), not(*sense), of(pattern)),
        ExprKind::Case(case) => {
            let operand = case.operand.as_ref().map(|operand| format!(" {}", of(operand)));
            let branches: String = case
                .branches
                .iter()
                .map(|(when, then)| format!(" WHEN {} THEN {}", of(when), of(then)))
                .collect();
            let otherwise = case.otherwise.as_ref().map(|expr| format!(" ELSE {}", of(expr)));
            format!(
                "CASE{}{branches}{} END",
                operand.unwrap_or_default(),
                otherwise.unwrap_or_default()
            )
        }
        ExprKind::Call(call) => {
            let arguments: Vec<String> = call
                .arguments
                .iter()
                .map(|argument| match argument {
                    Argument::Expr(expr) => of(expr),
                    Argument::Star(_) => "*".to_owned(),
                })
                .collect();
            let over = call.over.as_ref().map(|over| {
                let when = over.when.as_ref().map(|when| format!(" WHEN {}", of(when)));
                format!(
                    " OVER (PARTITION BY {}{})",
                    list(&over.partition_by),
                    when.unwrap_or_default()
                )
            });
            format!(
                "{}({}){}",
                call.function.text,
                arguments.join(", "),
                over.unwrap_or_default()
            )
        }
    }
}

fn not(sense: Sense) -> &'static str {
    match sense {
        Sense::Plain => "",
        Sense::Negated => "NOT ",
    }
}

fn of_literal(literal: &Literal) -> String {
    match literal {
        Literal::Null => "null".to_owned(),
        Literal::Bool(value) => value.to_string(),
        Literal::Int(value) => value.to_string(),
        Literal::Float(value) => format!("{value:?}"),
        Literal::Text(value) => format!("{value:?}"),
    }
}
