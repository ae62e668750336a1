//! Steps that remember.

use super::Problems;
use super::steps::{Columns, file_of};
use crate::remember::LAG_ROWS_MAX;
use crate::{Accumulation, Argument, Literal, Recall, Remember, Setting, Type};

impl Problems {
    pub(super) fn check_remember(
        &mut self,
        at: &str,
        remember: &Remember,
        settings: &[Setting],
        columns: &mut Columns,
    ) {
        if file_of(columns) == "after" {
            self.add(at, "only a step of `before` can remember rows");
        }
        self.check_not_empty(&format!("{at}.name"), &remember.name);
        self.check_value(at, remember, columns);
        for (position, key) in remember.partition.iter().enumerate() {
            self.check_column(&format!("{at}.partition[{position}]"), *key, columns, &[]);
        }
        if let Some(when) = remember.when {
            self.check_column(&format!("{at}.when"), when, columns, &[Type::Bool]);
        }
        for condition in remember.recall.conditions() {
            self.check_column(&format!("{at}.recall"), condition, columns, &[Type::Bool]);
        }
        self.check_arguments(&format!("{at}.defaults"), &remember.defaults, settings, columns);
        self.check_defaults(at, remember, columns);
        for kind in remember.returns(|column| columns.type_of(column)) {
            columns.push(kind);
        }
    }

    fn check_value(&mut self, at: &str, remember: &Remember, columns: &Columns) {
        let most = match remember.recall {
            Recall::Lag { rows, .. } => {
                if rows == 0 || rows > LAG_ROWS_MAX {
                    let message = format!("must be 1 to {LAG_ROWS_MAX}, got {rows}");
                    self.add(format!("{at}.recall.rows"), message);
                }
                usize::MAX
            }
            Recall::Latest | Recall::Changed { .. } => usize::MAX,
            Recall::Accumulate { .. } => 1,
        };
        let given = remember.columns.len();
        if given == 0 || given > most {
            let wanted = if most == 1 { "one column" } else { "at least one column" };
            let name = remember.recall.name();
            self.add(format!("{at}.columns"), format!("{name} is of {wanted}, got {given}"));
        }
        let types: &[Type] = match remember.recall {
            Recall::Accumulate { function, .. } => match function {
                Accumulation::Count => &[],
                Accumulation::Sum | Accumulation::Avg => &[Type::Int, Type::Float],
                Accumulation::Min | Accumulation::Max => &[Type::Bool, Type::Int, Type::Float, Type::Time, Type::Text],
            },
            Recall::Lag { .. } | Recall::Latest | Recall::Changed { .. } => &[],
        };
        for (position, column) in remember.columns.iter().enumerate() {
            self.check_column(&format!("{at}.columns[{position}]"), *column, columns, types);
        }
    }

    fn check_defaults(&mut self, at: &str, remember: &Remember, columns: &Columns) {
        let (given, wanted) = (remember.defaults.len(), remember.columns.len());
        let may = matches!(remember.recall, Recall::Lag { .. } | Recall::Latest);
        if given > 0 && (!may || given != wanted) {
            let message = match may {
                true => format!("there must be one for each of the {wanted} columns, got {given}"),
                false => format!("{} has no defaults", remember.recall.name()),
            };
            self.add(format!("{at}.defaults"), message);
        }
        for (position, (default, column)) in remember.defaults.iter().zip(&remember.columns).enumerate() {
            let Some(kind) = columns.type_of(*column) else { continue };
            let fits = match default {
                Argument::Column(default) => columns.type_of(*default).is_none_or(|other| other == kind),
                // A text that is no JSON would come out as it is.
                Argument::Literal(Literal::Text(text)) if kind == Type::Json => {
                    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
                }
                Argument::Literal(literal) => literal.fits(kind),
                // Its value is not known yet.
                Argument::Setting(_) => true,
            };
            if !fits {
                let at = format!("{at}.defaults[{position}]");
                self.add(at, format!("the default must be {kind}, as its column is"));
            }
        }
    }
}
