//! The result side of a plan: the file of a closed group, the order, and what is emitted.

use super::{Compiler, File};
use crate::program::Slot;
use rulemill_plan::Type;
use std::sync::Arc;

impl Compiler<'_> {
    /// The after file of a rule with a window: keys, window start and end, aggregates.
    pub(super) fn group_file(&self, before: &File, aggregate_kinds: &[Option<Type>]) -> File {
        let mut file = File::default();
        for &key in &self.plan.keys {
            file.push_local(before.name(key), before.kind(key), None);
        }
        file.push_local("window_start", Some(Type::Time), None);
        file.push_local("window_end", Some(Type::Time), None);
        for (aggregate, &kind) in self.plan.aggregates.iter().zip(aggregate_kinds) {
            file.push_local(&aggregate.name, kind, None);
        }
        file
    }

    pub(super) fn order(&mut self, file: &File) -> Vec<(Slot, bool)> {
        let plan = self.plan;
        let mut order = Vec::new();
        for (position, criterion) in plan.order.iter().enumerate() {
            let found = self.column(file, criterion.column, &format!("order[{position}].column"));
            order.extend(found.map(|(slot, _)| (slot, criterion.descending)));
        }
        order
    }

    /// The names of the emitted columns, ascending, and the columns in that order. A name with several columns is there
    /// once for each of them.
    pub(super) fn emits(&mut self, file: &File) -> (Arc<[Arc<str>]>, Vec<Slot>) {
        let plan = self.plan;
        if plan.emits.is_empty() {
            self.problem("emits", "a rule emits at least one column".to_owned());
        }
        let mut emits: Vec<(Arc<str>, Slot)> = Vec::new();
        for (position, emit) in plan.emits.iter().enumerate() {
            let name: Arc<str> = Arc::from(emit.name.as_str());
            let column = (emit.column, format!("emits[{position}].column"));
            let otherwise = emit.otherwise.iter().enumerate();
            let otherwise = otherwise.map(|(place, column)| (*column, format!("emits[{position}].otherwise[{place}]")));
            for (column, at) in std::iter::once(column).chain(otherwise) {
                if let Some((slot, kind)) = self.column(file, column, &at) {
                    if let Some(kind) = kind.filter(|kind| name.is_empty() && *kind != Type::Json) {
                        self.problem(
                            &at,
                            format!("the members of an object can come out of a json column only, and this is {kind}"),
                        );
                    }
                    emits.push((name.clone(), slot));
                }
            }
            if plan.emits[..position].iter().any(|earlier| earlier.name == emit.name) {
                let message = format!("{:?} is emitted twice; the names must be distinct", emit.name);
                self.problem(&format!("emits[{position}].name"), message);
            }
        }
        for (position, (_, slot)) in emits.iter().enumerate() {
            let before = emits[..position].iter().filter(|(_, other)| other == slot).count();
            if before == COPIES_MAX {
                let message = format!("a column may be emitted {COPIES_MAX} times, under different names");
                self.problem("emits", message);
                break;
            }
        }
        emits.sort_by(|(left, _), (right, _)| left.cmp(right));
        let (names, slots): (Vec<Arc<str>>, Vec<Slot>) = emits.into_iter().unzip();
        (names.into(), slots)
    }
}

/// Each copy is one of all rows of a batch or a window.
const COPIES_MAX: usize = 16;
