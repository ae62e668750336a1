//! The contract's `rule`, for what `rule!` defines.

use super::panic::report_panics;
use crate::bindings::plain_rule::exports::rulemill::guest::rule;
use crate::columns::{Batch, Failure, RowErrorAt};
use crate::rule::{Prepared, Rule};
use std::marker::PhantomData;

/// The rule that a guest exports.
pub trait ExportedRule {
    /// Makes it anew.
    fn build() -> Rule;
}

/// The contract's `rule`, for the rule `R`.
pub struct RuleGuest<R>(PhantomData<R>);

impl<R: ExportedRule + 'static> rule::Guest for RuleGuest<R> {
    type Prepared = Prepared;

    fn describe() -> String {
        report_panics();
        R::build().plan().to_json()
    }

    fn prepare(settings: String) -> Result<rule::Prepared, Failure> {
        report_panics();
        Ok(rule::Prepared::new(R::build().prepare_json(&settings)?))
    }
}

impl rule::GuestPrepared for Prepared {
    fn run(&self, kernel: u32, input: Batch) -> Result<(Batch, Vec<RowErrorAt>), Failure> {
        Prepared::run(self, kernel, &input)
    }
}
