//! A library: functions and aggregates under one name.

use crate::aggregate::{Accumulator, AggregateEntry};
use crate::columns::Failure;
use crate::function::{CallSite, FunctionEntry};
use rulemill_plan::{BoundArgument, FORMAT, Library};
use std::collections::BTreeMap;

/// What `library!` makes of its parts.
#[derive(Clone, Copy, Debug)]
pub struct LibraryDefinition {
    /// The library's name.
    pub name: &'static str,
    /// The library's own version.
    pub version: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// The scalar functions.
    pub functions: &'static [FunctionEntry],
    /// The aggregate functions.
    pub aggregates: &'static [AggregateEntry],
}

impl LibraryDefinition {
    /// What the library says about itself.
    pub fn describe(&self) -> Library {
        Library {
            format: FORMAT,
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            doc: self.doc.to_owned(),
            scalars: self.functions.iter().map(FunctionEntry::describe).collect(),
            aggregates: self.aggregates.iter().map(AggregateEntry::describe).collect(),
            annotations: BTreeMap::new(),
        }
    }

    /// Whether there is a scalar function of this name.
    pub fn has_function(&self, name: &str) -> bool {
        self.functions.iter().any(|entry| entry.text.name == name)
    }

    /// Whether there is an aggregate of this name.
    pub fn has_aggregate(&self, name: &str) -> bool {
        self.aggregates.iter().any(|entry| entry.text.name == name)
    }

    /// Binds a call of one of the functions.
    pub fn bind(&self, function: &str, arguments: &[BoundArgument]) -> Result<CallSite, Failure> {
        let entry = self.functions.iter().find(|entry| entry.text.name == function);
        match entry {
            Some(entry) => CallSite::bind(*entry, arguments),
            None => Err(Failure::new(format!("{} has no function {function}", self.name))),
        }
    }

    /// Binds one of the aggregates.
    pub fn bind_aggregate(&self, aggregate: &str, arguments: &[BoundArgument]) -> Result<Accumulator, Failure> {
        let entry = self.aggregates.iter().find(|entry| entry.text.name == aggregate);
        match entry {
            Some(entry) => Accumulator::bind(*entry, arguments),
            None => Err(Failure::new(format!("{} has no aggregate {aggregate}", self.name))),
        }
    }
}
