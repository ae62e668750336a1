//! What is kept of rows whose windows depend on the rows before them or after them.

use super::Compiler;
use super::file::File;
use crate::program::{AggregateUse, Cut, FoldProgram, Kept, Slot, Timing};
use rulemill_plan::{Argument, ColumnIndex, Type};

/// The columns to keep, each once.
#[derive(Default)]
struct Columns {
    slots: Vec<Slot>,
    kinds: Vec<Type>,
    /// By slot of the program: equal slots, or slots of equal origin, are one column.
    places: Vec<(Slot, usize)>,
    origins: Vec<usize>,
}

impl Compiler<'_> {
    /// What a program keeps of rows; `None` when it keeps none.
    pub(super) fn kept(&self, file: &File, program: &FoldProgram) -> Option<Box<Kept>> {
        match program.cut? {
            Cut::Aligned(_) => return None,
            Cut::Session { .. } | Cut::Count { .. } | Cut::Sliding { .. } | Cut::State => {}
        }
        let mut columns = Columns::default();
        for index in self.kept_columns() {
            columns.add(file, index)?;
        }
        let slot = |slot: Slot| columns.place(slot);
        let local = |index: ColumnIndex| match file.get(index).map(|(mark, _)| slot(mark)) {
            Some(Slot::Local(local)) => Some(local),
            Some(Slot::Source(_)) | None => None,
        };
        let marks = self.marks().into_iter().filter_map(local).collect();
        let content = self.plan.content.and_then(local);
        let aggregates = program.aggregates.iter().map(|aggregate| AggregateUse {
            arguments: aggregate.arguments.iter().map(|&argument| slot(argument)).collect(),
            ..aggregate.clone()
        });
        let inner = FoldProgram {
            kernels: None,
            sources: Vec::new(),
            requirements: Vec::new(),
            before: Vec::new(),
            keys: program.keys.iter().map(|&key| slot(key)).collect(),
            keys_by_topic: false,
            timing: Timing::PerBatch,
            cut: None,
            kept: None,
            aggregates: aggregates.collect(),
            states: program.states.with_slots(slot),
            ..program.clone()
        };
        Some(Box::new(Kept {
            program: inner,
            marks,
            content,
            slots: columns.slots,
            kinds: columns.kinds,
        }))
    }

    /// The columns that windows are made of.
    fn kept_columns(&self) -> Vec<ColumnIndex> {
        let arguments = self.plan.aggregates.iter().flat_map(|aggregate| &aggregate.arguments);
        let arguments = arguments.filter_map(|argument| match argument {
            Argument::Column(index) => Some(*index),
            Argument::Literal(_) | Argument::Setting(_) => None,
        });
        self.plan
            .keys
            .iter()
            .copied()
            .chain(arguments)
            .chain(self.conditions())
            .collect()
    }
}

impl Columns {
    /// Adds a column; `None` after a problem, which has been reported.
    fn add(&mut self, file: &File, index: ColumnIndex) -> Option<()> {
        let ((slot, kind), origin) = (file.get(index)?, file.origin(index)?);
        // By origin, as two versions of one layout must keep the same columns, wherever these stand.
        let known = self.origins.iter().position(|&known| known == origin);
        let place = known.unwrap_or(self.slots.len());
        if known.is_none() {
            self.slots.push(slot);
            self.kinds.push(kind?);
            self.origins.push(origin);
        }
        self.places.push((slot, place));
        Some(())
    }

    fn place(&self, slot: Slot) -> Slot {
        let found = self.places.iter().find(|(known, _)| *known == slot);
        Slot::Local(found.map_or(0, |&(_, place)| place))
    }
}
