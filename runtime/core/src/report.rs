//! From what folds have made to the output of each rule that shares them.

use crate::closing::Closing;
use crate::emit;
use crate::fold::Ready;
use crate::folds::{FoldId, Folds};
use crate::program::Timing;
use crate::rule::{Rule, Version};
use crate::{Cells, Column, DeadRow, Guests, Micros, Output};
use std::sync::Arc;

/// Reports what folds have made, rule by rule.
pub(crate) fn report_news(
    (rules, news): (&[Rule], &mut Vec<FoldId>),
    ready: Option<&Ready<'_>>,
    (folds, closing): (&mut Folds, &mut Closing),
    guests: &mut dyn Guests,
    out: &mut Output,
) {
    if news.is_empty() {
        return;
    }
    let members = news.iter().flat_map(|&id| &folds.get(id).members);
    let mut positions: Vec<usize> = members
        .filter_map(|member| rules.binary_search_by(|rule| rule.id.cmp(member)).ok())
        .collect();
    positions.sort_unstable();
    positions.dedup();
    for position in positions {
        for version in rules[position].versions() {
            report(version, ready, (&mut *folds, &mut *closing), guests, out);
        }
    }
    for id in news.drain(..) {
        folds.get_mut(id).clear_news();
    }
}

/// Reports what the fold of a version has made, for the version's rule.
pub(crate) fn report(
    version: &Version,
    ready: Option<&Ready<'_>>,
    (folds, closing): (&mut Folds, &mut Closing),
    guests: &mut dyn Guests,
    out: &mut Output,
) {
    let fold = folds.get_mut(version.fold);
    if let (Timing::PerBatch, Some(ready)) = (fold.timing, ready) {
        emit::emit_batch(&version.program, fold, ready, guests, out);
    }
    let rows = fold.late.iter().chain(&fold.losses.dead);
    out.dead.extend(rows.map(|lost| DeadRow::Message {
        rule: Arc::clone(&version.program.id),
        row: lost.row,
        fault: lost.fault,
        reason: lost.reason.clone(),
    }));
    for stray in &fold.strays {
        let known = stray.keys.len() + 2;
        let times = [stray.window.0, stray.window.1].map(|time| Column::new(Cells::Times(vec![time])));
        out.dead.push(DeadRow::Group {
            rule: Arc::clone(&version.program.id),
            window: (Micros(stray.window.0), Micros(stray.window.1)),
            names: version.program.group_names.iter().take(known).cloned().collect(),
            columns: stray.keys.iter().cloned().chain(times).collect(),
            fault: stray.fault,
            reason: stray.reason.clone(),
        });
    }
    for window in &fold.closed {
        closing.push(&version.program, version.fold, window);
    }
}
