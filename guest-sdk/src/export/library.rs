//! The contract's `functions`, for what `library!` defines.

use super::panic::report_panics;
use crate::aggregate::Accumulator;
use crate::bindings::library::exports::rulemill::guest::functions;
use crate::columns::{Batch, Column, Failure, RowErrorAt};
use crate::function::CallSite;
use crate::library::LibraryDefinition;
use rulemill_plan::BoundArgument;
use std::marker::PhantomData;

/// The library that a guest exports.
pub trait ExportedLibrary {
    /// Its definition.
    const DEFINITION: LibraryDefinition;
}

/// The contract's `functions`, for the library `L`.
pub struct LibraryGuest<L>(PhantomData<L>);

impl<L: ExportedLibrary + 'static> functions::Guest for LibraryGuest<L> {
    type CallSite = CallSite;
    type Accumulator = Accumulator;

    fn describe() -> String {
        report_panics();
        L::DEFINITION.describe().to_json()
    }

    fn bind(name: String, arguments: String) -> Result<(functions::CallSite, String), Failure> {
        report_panics();
        let site = L::DEFINITION.bind(&name, &parse_arguments(&arguments)?)?;
        let returns = site.returns().name().to_owned();
        Ok((functions::CallSite::new(site), returns))
    }

    fn bind_aggregate(name: String, arguments: String) -> Result<(functions::Accumulator, String), Failure> {
        report_panics();
        let accumulator = L::DEFINITION.bind_aggregate(&name, &parse_arguments(&arguments)?)?;
        let returns = accumulator.returns().name().to_owned();
        Ok((functions::Accumulator::new(accumulator), returns))
    }
}

impl functions::GuestCallSite for CallSite {
    fn evaluate(&self, arguments: Batch) -> Result<(Column, Vec<RowErrorAt>), Failure> {
        CallSite::evaluate(self, &arguments)
    }
}

impl functions::GuestAccumulator for Accumulator {
    fn initial(&self) -> Vec<u64> {
        Accumulator::initial(self)
    }

    fn accumulate(
        &self,
        mut states: Vec<u64>,
        group_of_row: Vec<u32>,
        arguments: Batch,
    ) -> Result<(Vec<u64>, Vec<RowErrorAt>), Failure> {
        let errors = Accumulator::accumulate(self, &mut states, &group_of_row, &arguments)?;
        Ok((states, errors))
    }

    fn merge(&self, mut into: Vec<u64>, other: Vec<u64>) -> Result<Vec<u64>, Failure> {
        Accumulator::merge(self, &mut into, &other)?;
        Ok(into)
    }

    fn finish(&self, states: Vec<u64>) -> Result<Column, Failure> {
        Accumulator::finish(self, &states)
    }

    fn migrate(&self, from_fingerprint: u64, states: Vec<u64>) -> Option<Vec<u64>> {
        Accumulator::migrate(self, from_fingerprint, &states)
    }
}

fn parse_arguments(json: &str) -> Result<Vec<BoundArgument>, Failure> {
    serde_json::from_str(json).map_err(|error| {
        Failure::new(format!(
            r#"the arguments must be a JSON array of {{"type": "text"}} or {{"literal": "/"}}: {error}"#
        ))
    })
}
