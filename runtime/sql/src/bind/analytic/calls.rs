//! Where a query calls analytic functions.

use crate::ast::{Argument, Call, Expr, ExprKind, Item, Select, WindowKind};
use crate::bind::functions::ANALYTIC;

/// Whether an expression is a call of `changed_cols`.
pub(in crate::bind) fn changed_cols_of(expr: &Expr) -> Option<&Call> {
    match &expr.kind {
        ExprKind::Call(call) if call.function.text.eq_ignore_ascii_case("changed_cols") => Some(call),
        _ => None,
    }
}

/// The expressions of a query, each whole.
pub(super) fn each_expr<'q>(select: &'q Select, each: &mut dyn FnMut(&'q Expr)) {
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
pub(super) fn find_calls<'q>(expr: &'q Expr, found: &mut Vec<&'q Expr>) {
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
