//! A finished rule, and its kernels with the settings applied.

use super::column::ColumnId;
use super::draft::Draft;
use super::inputs::Inputs;
use crate::arguments::{Arguments, Skipped};
use crate::columns::{Batch, Column, Failure, RowErrorAt};
use crate::function::{BoundArguments, Slot};
use crate::kind::Kind;
use crate::output::{Evaluated, KindOf, Return, column_of};
use rulemill_plan::{Literal, Plan, Type};
use std::collections::BTreeMap;

/// A finished rule: its plan and its kernels.
pub struct Rule {
    plan: Plan,
    kernels: Vec<KernelDraft>,
}

/// The kernels of a rule with the settings applied.
pub struct Prepared {
    kernels: Vec<(BoundArguments, Body)>,
}

/// A closure over rows as a function over columns.
type Body = Box<dyn Fn(&Arguments<'_>) -> Result<Evaluated, Failure>>;

/// A kernel of a rule.
pub(crate) struct KernelDraft {
    sources: Vec<Source>,
    body: Body,
    pub(crate) returns: Type,
}

/// Where an input of a kernel comes from.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Source(SourceKind);

#[derive(Clone, Debug)]
enum SourceKind {
    Column(ColumnId),
    Setting { name: String, kind: Type },
}

impl Source {
    pub(crate) fn column(id: ColumnId) -> Self {
        Source(SourceKind::Column(id))
    }

    pub(crate) fn setting(name: &str, kind: Type) -> Self {
        Source(SourceKind::Setting {
            name: name.to_owned(),
            kind,
        })
    }
}

impl KernelDraft {
    pub(crate) fn new<P, I, R, F>(inputs: I, closure: F) -> Self
    where
        I: Inputs<P>,
        R: Return,
        F: for<'r> Fn(I::Item<'r>) -> R + 'static,
    {
        KernelDraft {
            sources: inputs.sources(),
            body: Box::new(move |arguments| {
                let mut skipped = Skipped::default();
                let readers = I::readers(arguments, &mut skipped)?;
                Ok(column_of(arguments.rows(), &skipped, |row| {
                    closure(I::read(&readers, row))
                }))
            }),
            returns: KindOf::<R>::TYPE,
        }
    }

    /// The columns among the inputs, in order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = ColumnId> + '_ {
        self.sources.iter().filter_map(|source| match &source.0 {
            SourceKind::Column(id) => Some(*id),
            SourceKind::Setting { .. } => None,
        })
    }
}

impl Rule {
    pub(crate) fn new(mut draft: Draft) -> Self {
        let plan = draft.plan();
        Rule {
            plan,
            kernels: std::mem::take(&mut draft.kernels),
        }
    }

    /// Sets the rule's own version unless it has one.
    #[must_use]
    pub fn with_version(mut self, version: &str) -> Self {
        if self.plan.version.is_empty() {
            version.clone_into(&mut self.plan.version);
        }
        self
    }

    /// What the host is asked to do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Applies the settings, with defaults for those that are not given.
    pub fn prepare(self, settings: &BTreeMap<String, Literal>) -> Result<Prepared, Failure> {
        let value_of = |name: &str, kind: Type| {
            let described = self.plan.settings.iter().find(|setting| setting.name == name);
            let default = described.and_then(|setting| setting.default.as_ref());
            let literal = settings.get(name).or(default);
            let literal = literal.ok_or_else(|| Failure::new(format!("the setting {name} must be given")))?;
            Column::constant(literal, kind)
                .ok_or_else(|| Failure::new(format!("the setting {name} must be {kind}, got {literal}")))
        };
        let mut kernels = Vec::with_capacity(self.kernels.len());
        for kernel in self.kernels {
            let mut slots = Vec::with_capacity(kernel.sources.len());
            for source in kernel.sources {
                slots.push(match source.0 {
                    SourceKind::Column(_) => Slot::Column,
                    SourceKind::Setting { name, kind } => Slot::Constant(value_of(&name, kind)?),
                });
            }
            kernels.push((BoundArguments::of(slots), kernel.body));
        }
        Ok(Prepared { kernels })
    }

    /// The same, from a JSON object.
    pub(crate) fn prepare_json(self, settings: &str) -> Result<Prepared, Failure> {
        let settings = serde_json::from_str(settings)
            .map_err(|error| Failure::new(format!("the settings must be a JSON object of plain values: {error}")))?;
        self.prepare(&settings)
    }
}

impl Prepared {
    /// How many kernels the rule has. A rule without any needs no instance once it is described.
    pub fn kernel_count(&self) -> usize {
        self.kernels.len()
    }

    /// Runs a kernel over a batch of the columns that the plan names for it.
    pub fn run(&self, kernel: u32, input: &Batch) -> Result<(Batch, Vec<RowErrorAt>), Failure> {
        let Some((arguments, body)) = self.kernels.get(kernel as usize) else {
            let count = self.kernels.len();
            return Err(Failure::new(format!(
                "there is no kernel {kernel}, the rule has {count}"
            )));
        };
        let (column, errors) = body(&arguments.with(input)?)?;
        let output = Batch {
            rows: input.rows,
            columns: vec![column],
        };
        Ok((output, errors))
    }
}
