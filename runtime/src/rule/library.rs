//! A library as one mill thread runs it: one instance, and the call sites bound in it.

use super::allowance::{Allowance, Allowed, CallTime};
use super::bindings::columns::{BatchParam, ColumnParam, RowError as GuestRowError};
use super::bindings::functions;
use super::convert;
use super::engine::GuestEngine;
use super::instance::{Occasion, Running};
use super::load::LoadedLibrary;
use super::meter::{GuestMeter, Limit};
use crate::config::LimitsConfig;
use rulemill_core::{AccumulatorId, CallError, Column, RowError, Rows, SiteId};
use rulemill_plan::Type;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::ResourceAny;

/// What a call site or an accumulator is bound to.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) function: String,
    /// The contract's JSON of the arguments.
    pub(super) arguments: String,
    pub(super) returns: Type,
    /// Words of a state; 0 for a scalar function.
    pub(super) state_words: usize,
}

/// A library with the limits of its calls.
#[derive(Clone)]
pub struct LimitedLibrary {
    /// The library.
    pub loaded: Arc<LoadedLibrary>,
    /// The limits.
    pub limits: LimitsConfig,
}

/// A library, running or ready to run.
pub(super) struct LibraryGuest {
    engine: GuestEngine,
    library: LimitedLibrary,
    occasion: Occasion,
    meter: Arc<GuestMeter>,
    allowance: Allowance,
    /// How long the next call may take.
    time: CallTime,
    live: Option<Live>,
}

struct Live {
    running: Running,
    guest: functions::Guest,
    sites: HashMap<SiteId, ResourceAny>,
    accumulators: HashMap<AccumulatorId, ResourceAny>,
}

impl Binding {
    /// What a call says when the library is not there.
    pub(super) fn unavailable(&self, library: &str) -> CallError {
        CallError::Unavailable(format!(
            "the library {library}, which has {}, is not loaded",
            self.function
        ))
    }
}

impl LibraryGuest {
    pub(super) fn new(engine: &GuestEngine, library: LimitedLibrary, occasion: Occasion) -> Self {
        LibraryGuest {
            engine: engine.clone(),
            library,
            occasion,
            meter: Arc::default(),
            allowance: Allowance::default(),
            time: CallTime::Full,
            live: None,
        }
    }

    /// The account of its limits.
    pub(super) fn meter(&self) -> &Arc<GuestMeter> {
        &self.meter
    }

    pub(super) fn loaded(&self) -> &Arc<LoadedLibrary> {
        &self.library.loaded
    }

    pub(super) fn library(&self) -> &LimitedLibrary {
        &self.library
    }

    /// Whether this version can stand behind a binding: it takes the arguments and returns the same type.
    pub(super) fn check(&mut self, binding: &Binding) -> Result<(), String> {
        let returns = if binding.state_words == 0 {
            self.try_bind(&binding.function, &binding.arguments)
        } else {
            self.try_bind_aggregate(&binding.function, &binding.arguments)
        }
        .map_err(|error| error.to_string())?;
        if returns == binding.returns {
            Ok(())
        } else {
            Err(format!(
                "{} must return {}, got {returns}",
                binding.function, binding.returns
            ))
        }
    }

    /// Binds a scalar function for the sake of its type.
    pub(super) fn try_bind(&mut self, function: &str, arguments: &str) -> Result<Type, CallError> {
        let (_, kind) = self.bind_scalar(function, arguments)?;
        Ok(kind)
    }

    /// Binds an aggregate function for the sake of its type.
    pub(super) fn try_bind_aggregate(&mut self, function: &str, arguments: &str) -> Result<Type, CallError> {
        let (_, kind) = self.bind_accumulator(function, arguments)?;
        Ok(kind)
    }

    pub(super) fn evaluate(
        &mut self,
        site: SiteId,
        binding: &Binding,
        arguments: Rows<'_>,
    ) -> Result<(Column, Vec<RowError>), CallError> {
        let handle = match self.live()?.sites.get(&site) {
            Some(handle) => *handle,
            None => {
                let (handle, _) = self.bind_scalar(&binding.function, &binding.arguments)?;
                self.live()?.sites.insert(site, handle);
                handle
            }
        };
        let columns = lower_all(arguments);
        let (column, errors) = self.fallible(|live, running| {
            live.call_site()
                .call_evaluate(running, handle, batch_of(arguments.rows, &columns))
        })?;
        let column = self.checked(convert::lift(column, binding.returns, arguments.rows))?;
        let errors = self.row_errors(errors, arguments.rows)?;
        Ok((column, errors))
    }

    pub(super) fn initial(&mut self, id: AccumulatorId, binding: &Binding) -> Result<Vec<u64>, CallError> {
        let handle = self.accumulator(id, binding)?;
        let state = self.call(|guest, store| guest.accumulator().call_initial(store, handle))?;
        self.checked(check_words(&state, 1, binding))?;
        Ok(state)
    }

    pub(super) fn accumulate(
        &mut self,
        id: AccumulatorId,
        binding: &Binding,
        states: &[u64],
        group_of_row: &[u32],
        arguments: Rows<'_>,
    ) -> Result<(Vec<u64>, Vec<RowError>), CallError> {
        let handle = self.accumulator(id, binding)?;
        let columns = lower_all(arguments);
        let (after, errors) = self.fallible(|guest, store| {
            let batch = batch_of(arguments.rows, &columns);
            guest
                .accumulator()
                .call_accumulate(store, handle, states, group_of_row, batch)
        })?;
        self.checked(check_words(&after, states.len() / binding.state_words, binding))?;
        let errors = self.row_errors(errors, arguments.rows)?;
        Ok((after, errors))
    }

    pub(super) fn finish(&mut self, id: AccumulatorId, binding: &Binding, states: &[u64]) -> Result<Column, CallError> {
        let handle = self.accumulator(id, binding)?;
        let column = self.fallible(|guest, store| guest.accumulator().call_finish(store, handle, states))?;
        self.checked(convert::lift(
            column,
            binding.returns,
            states.len() / binding.state_words,
        ))
    }

    fn row_errors(&mut self, errors: Vec<GuestRowError>, rows: usize) -> Result<Vec<RowError>, CallError> {
        let texts_max = self.library.limits.row_errors_max;
        let (errors, silenced) = self.checked(convert::lift_errors(errors, rows, texts_max))?;
        self.meter.hit(Limit::RowErrors, silenced);
        Ok(errors)
    }

    fn accumulator(&mut self, id: AccumulatorId, binding: &Binding) -> Result<ResourceAny, CallError> {
        if let Some(handle) = self.live()?.accumulators.get(&id) {
            return Ok(*handle);
        }
        let (handle, _) = self.bind_accumulator(&binding.function, &binding.arguments)?;
        self.live()?.accumulators.insert(id, handle);
        Ok(handle)
    }

    fn bind_scalar(&mut self, function: &str, arguments: &str) -> Result<(ResourceAny, Type), CallError> {
        let (handle, kind) = self.fallible(|guest, store| guest.call_bind(store, function, arguments))?;
        Ok((handle, parse_type(&kind)?))
    }

    fn bind_accumulator(&mut self, function: &str, arguments: &str) -> Result<(ResourceAny, Type), CallError> {
        let (handle, kind) = self.fallible(|guest, store| guest.call_bind_aggregate(store, function, arguments))?;
        Ok((handle, parse_type(&kind)?))
    }

    fn live(&mut self) -> Result<&mut Live, CallError> {
        if self.live.is_none() {
            let LimitedLibrary { loaded, limits } = &self.library;
            let occasion = (self.occasion, self.time.to_start());
            let (mut running, instance) = Running::start(&self.engine, &loaded.pre, limits, occasion, &self.meter)?;
            let guest = loaded
                .indices
                .load(running.store(), &instance)
                .map_err(|error| CallError::Failure(error.root_cause().to_string()))?;
            self.live = Some(Live {
                running,
                guest,
                sites: HashMap::new(),
                accumulators: HashMap::new(),
            });
        }
        Ok(self.live.as_mut().expect("it was made just above"))
    }

    /// Calls into the guest. After a trap its instance is dropped; the next call starts a fresh one.
    fn call<R>(
        &mut self,
        call: impl FnOnce(&functions::Guest, &mut super::instance::GuestStore) -> wasmtime::Result<R>,
    ) -> Result<R, CallError> {
        let time = self.time;
        let live = self.live()?;
        live.running.allow(time);
        let guest = &live.guest;
        let result = live.running.call(|store| call(guest, store));
        if result.is_err() {
            self.live = None;
        }
        result
    }

    fn fallible<R>(
        &mut self,
        call: impl FnOnce(
            &functions::Guest,
            &mut super::instance::GuestStore,
        ) -> wasmtime::Result<Result<R, functions::Failure>>,
    ) -> Result<R, CallError> {
        self.call(call)?
            .map_err(|failure| CallError::Failure(convert::shorten(failure.message)))
    }

    /// A guest that breaks the contract is not trusted any further: it starts afresh.
    fn checked<R>(&mut self, result: Result<R, CallError>) -> Result<R, CallError> {
        if result.is_err() {
            self.live = None;
        }
        result
    }
}

impl Allowed for LibraryGuest {
    fn allowance(&mut self) -> &mut Allowance {
        &mut self.allowance
    }

    fn call_timeout(&self) -> Duration {
        self.library.limits.call_timeout
    }

    fn allow(&mut self, time: CallTime) {
        self.time = time;
    }
}

pub(super) fn lower_all<'a>(rows: Rows<'a>) -> Vec<ColumnParam<'a>> {
    rows.columns.iter().map(|column| convert::lower(column)).collect()
}

pub(super) fn batch_of<'a>(rows: usize, columns: &'a [ColumnParam<'a>]) -> BatchParam<'a> {
    BatchParam {
        rows: u32::try_from(rows).expect("a batch has far fewer rows than 2^32"),
        columns,
    }
}

fn check_words(states: &[u64], count: usize, binding: &Binding) -> Result<(), CallError> {
    let wanted = count * binding.state_words;
    if states.len() == wanted {
        Ok(())
    } else {
        Err(CallError::BadResult(format!(
            "{count} states of {} words each must be returned, got {} words",
            binding.state_words,
            states.len()
        )))
    }
}

/// The name of a type, as the contract's `bind` returns it.
fn parse_type(text: &str) -> Result<Type, CallError> {
    let name = text.trim_matches('"');
    Type::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| CallError::BadResult(convert::shorten(format!("{text} is not a type"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_name_of_a_type_is_cut() {
        let error = parse_type(&"x".repeat(1 << 20)).unwrap_err();
        assert!(error.to_string().len() < 2 * convert::MESSAGE_BYTES_MAX);
    }
}
