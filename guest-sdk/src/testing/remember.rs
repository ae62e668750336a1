//! Steps that remember, row by row and with all rows at hand: slow, and plain to see.

use super::table::Table;
use rulemill_plan::{Accumulation, Argument, ColumnIndex, Literal, Recall, Remember, Type};
use std::collections::BTreeMap;

/// Appends what a step recalls. Rows whose sum does not fit are dropped.
pub(super) fn remember(step: &Remember, settings: &BTreeMap<String, Literal>, table: &mut Table) {
    let mut known: BTreeMap<String, Partition> = BTreeMap::new();
    let kinds: Vec<Type> = step
        .returns(|column| Some(table.kind(column)))
        .into_iter()
        .flatten()
        .collect();
    let wide = |column: ColumnIndex| table.kinds[column.position()] == Type::Float;
    let floats = step.columns.first().is_some_and(|&column| wide(column));
    table.rows.retain_mut(|row| {
        let cells = |columns: &[ColumnIndex]| -> Vec<Literal> {
            columns.iter().map(|column| row[column.position()].clone()).collect()
        };
        let is_true =
            |column: Option<ColumnIndex>| column.is_some_and(|column| row[column.position()] == Literal::Bool(true));
        let given = Row {
            value: cells(&step.columns),
            counts: step.when.is_none() || is_true(step.when),
            defaults: step
                .columns
                .iter()
                .enumerate()
                .map(|(position, _)| match step.defaults.get(position) {
                    None => Literal::Null,
                    Some(Argument::Column(column)) => row[column.position()].clone(),
                    Some(Argument::Literal(literal)) => literal.clone(),
                    Some(Argument::Setting(name)) => settings.get(name).cloned().unwrap_or(Literal::Null),
                })
                .collect(),
        };
        let partition = known.entry(format!("{:?}", cells(&step.partition))).or_default();
        let recalled = match step.recall {
            Recall::Lag { rows, ignore_null } => Some(partition.lag(given, rows as usize, ignore_null)),
            Recall::Latest => Some(partition.latest(given)),
            Recall::Changed { ignore_null } => Some(vec![Literal::Bool(partition.change(given, ignore_null))]),
            Recall::Accumulate { function, begin, reset } => {
                let begins = begin.map(|begin| is_true(Some(begin)));
                partition
                    .accumulate(given, (function, floats), (begins, is_true(reset)))
                    .map(|value| vec![value])
            }
        };
        match recalled {
            Some(values) => row.extend(values),
            None => return false,
        }
        true
    });
    table.kinds.extend(kinds);
}

/// What one partition remembers.
#[derive(Default)]
struct Partition {
    values: Vec<Vec<Literal>>,
    begun: bool,
}

/// A row as the step sees it.
struct Row {
    value: Vec<Literal>,
    counts: bool,
    defaults: Vec<Literal>,
}

impl Row {
    fn is_null(&self) -> bool {
        self.value.iter().all(|value| *value == Literal::Null)
    }
}

impl Partition {
    fn lag(&mut self, row: Row, rows: usize, ignore_null: bool) -> Vec<Literal> {
        let place = self.values.len().checked_sub(rows);
        let recalled = place.map_or_else(|| row.defaults.clone(), |place| self.values[place].clone());
        if row.counts && !(ignore_null && row.is_null()) {
            self.values.push(row.value);
        }
        recalled
    }

    fn latest(&mut self, row: Row) -> Vec<Literal> {
        if row.counts && !row.is_null() {
            self.values.push(row.value);
        }
        self.values.last().cloned().unwrap_or(row.defaults)
    }

    fn change(&mut self, row: Row, ignore_null: bool) -> bool {
        if !row.counts || (ignore_null && row.is_null()) {
            return false;
        }
        let same = match self.values.last() {
            Some(before) => *before == row.value,
            None => row.is_null(),
        };
        if !same {
            self.values.push(row.value);
        }
        !same
    }

    /// `None`: the sum does not fit an int.
    fn accumulate(
        &mut self,
        row: Row,
        (function, floats): (Accumulation, bool),
        (begins, resets): (Option<bool>, bool),
    ) -> Option<Literal> {
        let runs = begins.is_none_or(|begins| begins || self.begun) && row.counts;
        if runs && !row.is_null() {
            self.values.push(row.value);
        }
        let values = || self.values.iter().filter_map(|value| value.first());
        let recalled = match function {
            Accumulation::Count => Literal::from(i64::try_from(self.values.len()).unwrap_or(i64::MAX)),
            Accumulation::Sum if floats => Literal::Float(values().filter_map(float).sum()),
            Accumulation::Sum => {
                let sum = values().map(int).try_fold(0_i64, |sum, value| sum.checked_add(value?));
                let Some(sum) = sum else {
                    self.values.pop();
                    return None;
                };
                Literal::Int(sum)
            }
            Accumulation::Avg if self.values.is_empty() => Literal::Float(0.0),
            Accumulation::Avg => {
                let sum: f64 = values().filter_map(float).sum();
                Literal::Float(sum / values().map(|_| 1.0).sum::<f64>())
            }
            Accumulation::Min => values()
                .cloned()
                .reduce(|old, new| if is_less(&new, &old) { new } else { old })
                .unwrap_or(Literal::Null),
            Accumulation::Max => values()
                .cloned()
                .reduce(|old, new| if is_less(&old, &new) { new } else { old })
                .unwrap_or(Literal::Null),
        };
        if runs {
            self.begun = begins.is_some();
            if resets {
                *self = Partition::default();
            }
        }
        Some(recalled)
    }
}

fn float(value: &Literal) -> Option<f64> {
    match value {
        Literal::Float(value) => Some(*value),
        Literal::Int(value) => Some(crate::kind::float_of(*value)),
        Literal::Null | Literal::Bool(_) | Literal::Text(_) => None,
    }
}

fn int(value: &Literal) -> Option<i64> {
    match value {
        Literal::Int(value) => Some(*value),
        Literal::Null | Literal::Bool(_) | Literal::Float(_) | Literal::Text(_) => None,
    }
}

fn is_less(left: &Literal, right: &Literal) -> bool {
    match (left, right) {
        (Literal::Int(left), Literal::Int(right)) => left < right,
        (Literal::Float(left), Literal::Float(right)) => left < right || right.is_nan() && !left.is_nan(),
        (Literal::Text(left), Literal::Text(right)) => left < right,
        (Literal::Bool(left), Literal::Bool(right)) => !left & right,
        _ => false,
    }
}
