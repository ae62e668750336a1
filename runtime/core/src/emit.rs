//! From a frame of results to emitted columns: order and limit, and the emission of a rule without a window.

use crate::fold::{Fold, Ready};
use crate::frame::{Env, Frame};
use crate::isolate::row_number;
use crate::order;
use crate::program::Program;
use crate::{Column, Emission, Guests, Output};
use std::borrow::Cow;
use std::sync::Arc;

/// Emits the rows of a batch, for a rule without a window.
pub(crate) fn emit_batch(
    program: &Program,
    fold: &mut Fold,
    ready: &Ready<'_>,
    guests: &mut dyn Guests,
    out: &mut Output,
) {
    let (mut frame, mut losses) = (std::mem::take(&mut fold.frame), std::mem::take(&mut fold.losses));
    let env = Env {
        shared: ready.shared,
        links: fold.links(),
        columns: ready.columns,
        kernels: program.kernels,
        trapped_max: program.fold.bounds.trapped_calls_max,
    };
    let dead_before = losses.dead.len();
    frame.apply(&program.after, &env, &mut [], guests, &mut losses);
    let rows = frame.len();
    order_and_limit(program, program.limit.unwrap_or(rows), &mut frame, &env);
    let counts = frame.len();
    if counts > 0 {
        out.emissions.push(Emission {
            rule: Arc::clone(&program.id),
            window: None,
            names: Arc::clone(&program.emit_names),
            rows: counts,
            columns: frame.take_columns(&program.emits, &env),
            more: false,
        });
    }
    fold.counts.rows_filtered += (std::mem::take(&mut losses.filtered) + rows - counts) as u64;
    fold.counts.rows_dead += (losses.dead.len() - dead_before) as u64;
    fold.counts.emissions += u64::from(counts > 0);
    fold.counts.rows_out += counts as u64;
    (fold.frame, fold.losses) = (frame, losses);
}

/// Puts the rows in order, and leaves out those beyond the limit.
pub(crate) fn order_and_limit(program: &Program, limit: usize, frame: &mut Frame, env: &Env<'_>) {
    let rows = frame.len();
    if !program.order.is_empty() && rows > 1 {
        let columns: Vec<(Cow<'_, Column>, bool)> = program
            .order
            .iter()
            .map(|&(slot, descending)| (frame.column(slot, env), descending))
            .collect();
        let criteria: Vec<(&Column, bool)> = columns
            .iter()
            .map(|(column, descending)| (column.as_ref(), *descending))
            .collect();
        let mut positions = order::sorted(row_number(rows), &criteria);
        positions.truncate(limit);
        frame.select(&positions);
    } else if limit < rows {
        frame.select(&order::first(limit));
    }
}
