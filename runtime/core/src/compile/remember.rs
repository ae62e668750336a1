//! Steps that remember.

use super::{Compiler, File};
use crate::Bounds;
use crate::memory::{Backup, Conditions, Remembering, Task};
use crate::program::{Action, Node, Slot};
use rulemill_plan::{Accumulation, Argument, ColumnIndex, LAG_ROWS_MAX, Literal, Recall, Remember, Type};

impl Compiler<'_> {
    /// Compiles a step that sees the rows that `kept` leaves, if it is there already.
    pub(super) fn remember(
        &mut self,
        step: &Remember,
        file: &mut File,
        (kept, bounds): (Option<ColumnIndex>, Bounds),
        at: &str,
    ) -> Option<Action> {
        let known = self.problems.len();
        let (task, conditions) = self.task(step, at);
        let (values, kinds) = self.typed(&step.columns, file, &format!("{at}.columns"));
        let (partition, partition_kinds) = self.typed(&step.partition, file, &format!("{at}.partition"));
        self.check_value(step, &kinds, at);
        let conditions = conditions.map(|index| (index, self.condition(file, index, at)));
        let defaults = self.defaults(step, &kinds, file, at);
        let outputs = step.returns(|index| file.kind(index));
        let origin = self.memory_origin(step, task, &defaults, (kept, conditions.map(|(index, _)| index)), file);
        self.memories.extend(origin);
        let place = self.memories.len().saturating_sub(1);
        for (position, kind) in outputs.iter().enumerate() {
            let output = origin.zip(*kind).map(|(memory, kind)| {
                self.origins.number(Node::Output {
                    kernel: [memory],
                    position,
                    kind,
                })
            });
            file.push_local(&step.name, *kind, output);
        }
        if self.problems.len() > known {
            return None;
        }
        let places = task.places().max(1) * values.len().max(1);
        Some(Action::Remember(Box::new(Remembering {
            place,
            task,
            values,
            kinds,
            defaults,
            partition,
            partition_kinds,
            conditions: conditions.map(|(_, slot)| slot),
            outputs: outputs.into_iter().flatten().collect(),
            label: step.recall.name().to_owned(),
            partitions_max: bounds
                .groups_max
                .min(bounds.rows_max / places)
                .max(1.min(bounds.groups_max)),
            bytes_max: bounds.window_bytes_max,
        })))
    }

    fn task(&mut self, step: &Remember, at: &str) -> (Task, Conditions<ColumnIndex>) {
        let mut conditions = Conditions {
            when: step.when,
            begin: None,
            reset: None,
        };
        let task = match step.recall {
            Recall::Lag { rows, ignore_null } => {
                if rows == 0 || rows > LAG_ROWS_MAX {
                    let message = format!("rows must be 1 to {LAG_ROWS_MAX}, got {rows}");
                    self.problem(&format!("{at}.recall.rows"), message);
                }
                Task::Lag {
                    rows: rows.clamp(1, LAG_ROWS_MAX) as usize,
                    ignore_null,
                }
            }
            Recall::Latest => Task::Latest,
            Recall::Changed { ignore_null } => Task::Changed { ignore_null },
            Recall::Accumulate { function, begin, reset } => {
                (conditions.begin, conditions.reset) = (begin, reset);
                Task::Accumulate(function)
            }
        };
        (task, conditions)
    }

    /// The slots and the types of columns; a type is left out after a problem.
    fn typed(&mut self, columns: &[ColumnIndex], file: &File, at: &str) -> (Vec<Slot>, Vec<Type>) {
        let (mut slots, mut kinds) = (Vec::new(), Vec::new());
        for (position, &index) in columns.iter().enumerate() {
            let Some((slot, kind)) = self.column(file, index, &format!("{at}[{position}]")) else {
                continue;
            };
            slots.push(slot);
            kinds.extend(kind);
        }
        (slots, kinds)
    }

    fn check_value(&mut self, step: &Remember, kinds: &[Type], at: &str) {
        let name = step.recall.name();
        let types: &[Type] = match step.recall {
            Recall::Lag { .. } | Recall::Latest | Recall::Changed { .. } => &[],
            Recall::Accumulate { function, .. } => match function {
                Accumulation::Count => &[],
                Accumulation::Sum | Accumulation::Avg => &[Type::Int, Type::Float],
                Accumulation::Min | Accumulation::Max => &[Type::Bool, Type::Int, Type::Float, Type::Time, Type::Text],
            },
        };
        let single = matches!(step.recall, Recall::Accumulate { .. });
        if step.columns.is_empty() || (single && step.columns.len() != 1) {
            let message = format!("{name} is of {} column", if single { "one" } else { "at least one" });
            self.problem(&format!("{at}.columns"), message);
        }
        if let Some(kind) = kinds.iter().find(|kind| !types.is_empty() && !types.contains(kind)) {
            self.problem(&format!("{at}.columns[0]"), format!("there is no {name} of {kind}"));
        }
    }

    /// The slot of a boolean column. After a problem it is any.
    fn condition(&mut self, file: &File, index: ColumnIndex, at: &str) -> Slot {
        let found = self.column(file, index, at);
        if let Some((_, Some(kind))) = found
            && kind != Type::Bool
        {
            let message = format!("a condition must be a bool, and {} is of type {kind}", file.name(index));
            self.problem(at, message);
        }
        found.map_or(Slot::Local(0), |(slot, _)| slot)
    }

    fn defaults(&mut self, step: &Remember, kinds: &[Type], file: &File, at: &str) -> Vec<Backup> {
        let may = matches!(step.recall, Recall::Lag { .. } | Recall::Latest);
        let at = format!("{at}.defaults");
        if !step.defaults.is_empty() && (!may || step.defaults.len() != step.columns.len()) {
            self.problem(
                &at,
                "there is one default for each column of lag and latest, or none".to_owned(),
            );
            return Vec::new();
        }
        let mut defaults = Vec::new();
        for (position, (argument, &kind)) in step.defaults.iter().zip(kinds).enumerate() {
            let at = format!("{at}[{position}]");
            let backup = match argument {
                Argument::Column(index) => match self.column(file, *index, &at) {
                    Some((slot, other)) if other.is_none_or(|other| other == kind) => Some(Backup::Column(slot)),
                    Some(_) | None => None,
                },
                Argument::Literal(literal) => backup_of(literal, kind),
                Argument::Setting(name) => match self.setting(name, &at) {
                    Some(literal) => backup_of(&literal, kind),
                    None => Some(Backup::Null),
                },
            };
            if backup.is_none() {
                self.problem(&at, format!("the default must be {kind}, as its column is"));
            }
            defaults.push(backup.unwrap_or(Backup::Null));
        }
        defaults
    }

    /// What its state is computed from; `None` after a problem.
    fn memory_origin(
        &mut self,
        step: &Remember,
        task: Task,
        defaults: &[Backup],
        (kept, conditions): (Option<ColumnIndex>, Conditions<ColumnIndex>),
        file: &File,
    ) -> Option<usize> {
        let columns_of_defaults = step.defaults.iter().filter_map(|argument| match argument {
            Argument::Column(index) => Some(*index),
            Argument::Literal(_) | Argument::Setting(_) => None,
        });
        let columns = step.columns.iter().chain(&step.partition).copied();
        let columns = columns.chain(conditions.iter()).chain(columns_of_defaults).chain(kept);
        let inputs: Option<Vec<usize>> = columns.map(|index| file.origin(index)).collect();
        // Where a column stands is no part of it.
        let defaults = defaults.iter().map(|default| match default {
            Backup::Column(_) => Backup::Column(Slot::Local(0)),
            Backup::Null | Backup::Word(_) | Backup::Text(_) => default.clone(),
        });
        let node = Node::Memory {
            task,
            parts: [step.columns.len(), step.partition.len(), usize::from(kept.is_some())],
            conditions: [conditions.when, conditions.begin, conditions.reset].map(|there| there.is_some()),
            defaults: defaults.collect(),
            inputs: inputs?,
        };
        Some(self.origins.number(node))
    }
}

/// A constant for a column of a type; `None` when it is of another one.
#[expect(
    clippy::cast_precision_loss,
    reason = "an int stands for a float, as everywhere in plans"
)]
fn backup_of(literal: &Literal, kind: Type) -> Option<Backup> {
    Some(match (literal, kind) {
        (Literal::Null, _) => Backup::Null,
        (Literal::Bool(value), Type::Bool) => Backup::Word(u64::from(*value)),
        (Literal::Int(value), Type::Int | Type::Time) => Backup::Word(value.cast_unsigned()),
        (Literal::Int(value), Type::Float) => Backup::Word((*value as f64).to_bits()),
        (Literal::Float(value), Type::Float) => Backup::Word(value.to_bits()),
        (Literal::Text(text), Type::Text | Type::Json) => Backup::Text(text.clone()),
        (Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) | Literal::Text(_), _) => return None,
    })
}
