//! The contract's `functions`, for what `library!` defines.

use super::panic::report_panics;
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
    type Accumulator = NoAccumulator;

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

    fn bind_aggregate(name: String, _arguments: String) -> Result<(functions::Accumulator, String), Failure> {
        report_panics();
        Err(Failure::new(format!("{} has no aggregate {name}", L::DEFINITION.name)))
    }
}

impl functions::GuestCallSite for CallSite {
    fn evaluate(&self, arguments: Batch) -> Result<(Column, Vec<RowErrorAt>), Failure> {
        CallSite::evaluate(self, &arguments)
    }
}

/// x
pub struct NoAccumulator;

impl functions::GuestAccumulator for NoAccumulator {
    fn initial(&self) -> Vec<u64> {
        Vec::new()
    }
    fn accumulate(&self, _: Vec<u64>, _: Vec<u32>, _: Batch) -> Result<(Vec<u64>, Vec<RowErrorAt>), Failure> {
        Err(Failure::new("none"))
    }
    fn merge(&self, _: Vec<u64>, _: Vec<u64>) -> Result<Vec<u64>, Failure> {
        Err(Failure::new("none"))
    }
    fn finish(&self, _: Vec<u64>) -> Result<Column, Failure> {
        Err(Failure::new("none"))
    }
    fn migrate(&self, _: u64, _: Vec<u64>) -> Option<Vec<u64>> {
        None
    }
}

fn parse_arguments(json: &str) -> Result<Vec<BoundArgument>, Failure> {
    serde_json::from_str(json).map_err(|error| {
        Failure::new(format!(
            r#"the arguments must be a JSON array of {{"type": "text"}} or {{"literal": "/"}}: {error}"#
        ))
    })
}
