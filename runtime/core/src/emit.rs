//! From a frame of results to an emission: the after-steps, having, order, limit, and the emitted columns.

use crate::aggregate::FailedGroup;
use crate::frame::{Env, Frame, Loss, Losses};
use crate::isolate::row_number;
use crate::order;
use crate::program::{Action, Program};
use crate::{Column, Counts, DeadRow, Emission, Guests, Micros, Output};
use std::borrow::Cow;
use std::sync::Arc;

/// Emits the groups of a closed window.
pub(crate) fn emit_window(
    program: &Program,
    window: (i64, i64),
    (columns, failed): (Vec<Column>, Vec<FailedGroup>),
    env: &Env<'_>,
    guests: &mut dyn Guests,
    (out, counts): (&mut Output, &mut Counts),
) {
    let window = (Micros(window.0), Micros(window.1));
    let groups = row_number(columns.first().map_or(0, Column::len));
    let may_fail = !failed.is_empty() || program.after.iter().any(|action| !matches!(action, Action::Keep(_)));
    // The after-steps consume the columns, and a dead group is reported with what was known before them.
    let known = if may_fail { columns.clone() } else { Vec::new() };
    let mut frame = Frame::of_groups(columns, groups);
    let mut losses = Losses::default();
    lose_failed(&mut frame, failed, &mut losses);
    frame.apply(&program.after, env, guests, &mut losses);
    counts.groups_filtered += losses.filtered as u64;
    counts.groups_dead += losses.dead.len() as u64;
    for Loss { row, fault, reason } in losses.dead {
        out.dead.push(DeadRow::Group {
            rule: Arc::clone(&program.id),
            window,
            names: Arc::clone(&program.group_names),
            columns: known.iter().map(|column| column.gather(&[row])).collect(),
            fault,
            reason,
        });
    }
    counts.groups_filtered += order_and_limit(program, &mut frame, env);
    emit(program, Some(window), &mut frame, env, (out, counts));
}

/// Emits the rows of a batch, for a rule without a window.
pub(crate) fn emit_batch(
    program: &Program,
    frame: &mut Frame,
    env: &Env<'_>,
    guests: &mut dyn Guests,
    losses: &mut Losses,
    (out, counts): (&mut Output, &mut Counts),
) {
    frame.apply(&program.after, env, guests, losses);
    counts.rows_filtered += order_and_limit(program, frame, env);
    emit(program, None, frame, env, (out, counts));
}

/// Takes the groups without a result out, each once.
fn lose_failed(frame: &mut Frame, mut failed: Vec<FailedGroup>, losses: &mut Losses) {
    failed.sort_by_key(|failed| failed.group);
    failed.dedup_by_key(|failed| failed.group);
    let positions: Vec<u32> = failed.iter().map(|failed| failed.group).collect();
    frame.remove(&positions);
    losses.dead.extend(failed.into_iter().map(|failed| Loss {
        row: failed.group,
        fault: failed.fault,
        reason: failed.message,
    }));
}

/// Gives how many rows the limit left out.
fn order_and_limit(program: &Program, frame: &mut Frame, env: &Env<'_>) -> u64 {
    let rows = frame.len();
    let limit = program.limit.unwrap_or(rows).min(rows);
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
        let positions: Vec<u32> = (0..row_number(limit)).collect();
        frame.select(&positions);
    }
    (rows - limit) as u64
}

fn emit(
    program: &Program,
    window: Option<(Micros, Micros)>,
    frame: &mut Frame,
    env: &Env<'_>,
    (out, counts): (&mut Output, &mut Counts),
) {
    if frame.is_empty() {
        return;
    }
    counts.emissions += 1;
    counts.rows_out += frame.len() as u64;
    out.emissions.push(Emission {
        rule: Arc::clone(&program.id),
        window,
        names: Arc::clone(&program.emit_names),
        rows: frame.len(),
        columns: frame.take_columns(&program.emits, env),
    });
}
