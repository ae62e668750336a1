//! Steps, and the file of columns that they read and append to.

use super::Problems;
use crate::{Argument, ColumnIndex, Setting, Step, Type};

/// The types of a file of columns; `None` for one that is known only when the libraries are.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    file: &'static str,
    types: Vec<Option<Type>>,
}

impl Columns {
    pub(super) fn new(file: &'static str) -> Self {
        Columns {
            file,
            types: Vec::new(),
        }
    }

    pub(super) fn clone_as(&self, file: &'static str) -> Self {
        Columns {
            file,
            types: self.types.clone(),
        }
    }

    pub(super) fn push(&mut self, kind: Option<Type>) {
        self.types.push(kind);
    }

    pub(super) fn len(&self) -> usize {
        self.types.len()
    }

    pub(super) fn type_of(&self, column: ColumnIndex) -> Option<Type> {
        self.types.get(column.position()).copied().flatten()
    }
}

/// The name of the file of columns.
pub(super) fn file_of(columns: &Columns) -> &'static str {
    columns.file
}

impl Problems {
    /// Checks each step against the columns before it, and appends its outputs.
    pub(super) fn check_steps(&mut self, at: &str, steps: &[Step], settings: &[Setting], columns: &mut Columns) {
        for (position, step) in steps.iter().enumerate() {
            match step {
                Step::Call(call) => {
                    let at = format!("{at}[{position}].call");
                    self.check_not_empty(&format!("{at}.name"), &call.name);
                    self.check_function_name(&at, &call.function, call.library.as_deref());
                    self.check_arguments(&at, &call.arguments, settings, columns);
                    columns.push(call.returns);
                }
                Step::Kernel(kernel) => {
                    let at = format!("{at}[{position}].kernel");
                    for (position, input) in kernel.inputs.iter().enumerate() {
                        self.check_column(&format!("{at}.inputs[{position}]"), *input, columns, &[]);
                    }
                    if kernel.outputs.is_empty() {
                        self.add(format!("{at}.outputs"), "a kernel must return at least one column");
                    }
                    for (position, output) in kernel.outputs.iter().enumerate() {
                        self.check_not_empty(&format!("{at}.outputs[{position}].name"), &output.name);
                        columns.push(Some(output.kind));
                    }
                }
                Step::Remember(remember) => {
                    self.check_remember(&format!("{at}[{position}].remember"), remember, settings, columns);
                }
            }
        }
    }

    pub(super) fn check_function_name(&mut self, at: &str, function: &str, library: Option<&str>) {
        self.check_identifier(&format!("{at}.function"), function);
        if let Some(library) = library {
            self.check_guest_name(&format!("{at}.library"), library);
        }
    }

    pub(super) fn check_arguments(
        &mut self,
        at: &str,
        arguments: &[Argument],
        settings: &[Setting],
        columns: &Columns,
    ) {
        for (position, argument) in arguments.iter().enumerate() {
            let at = format!("{at}.arguments[{position}]");
            match argument {
                Argument::Column(column) => self.check_column(&at, *column, columns, &[]),
                Argument::Setting(name) if !settings.iter().any(|setting| setting.name == *name) => {
                    self.add(at, format!("there is no setting {name:?}; add it to `settings`"));
                }
                Argument::Setting(_) | Argument::Literal(_) => {}
            }
        }
    }
}
