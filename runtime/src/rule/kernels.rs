//! The kernels of one version of one rule as a mill thread runs them.

use super::allowance::{Allowance, Allowed, CallTime};
use super::bindings::rule;
use super::convert;
use super::engine::GuestEngine;
use super::instance::{Occasion, Running};
use super::library::{batch_of, lower_all};
use super::load::LoadedRule;
use super::meter::{GuestMeter, Limit};
use crate::config::LimitsConfig;
use rulemill_core::{CallError, Column, RowError, Rows};
use rulemill_plan::Type;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::ResourceAny;

/// A rule's kernels. The instance is made at the first call: a rule without kernels never needs one.
pub(super) struct KernelsGuest {
    engine: GuestEngine,
    loaded: Arc<LoadedRule>,
    /// The contract's JSON of the settings, defaults filled in.
    settings: String,
    limits: LimitsConfig,
    occasion: Occasion,
    meter: Arc<GuestMeter>,
    allowance: Allowance,
    /// How long the next call may take.
    time: CallTime,
    live: Option<Live>,
}

struct Live {
    running: Running,
    guest: rule::Guest,
    prepared: ResourceAny,
}

impl KernelsGuest {
    pub(super) fn new(
        engine: &GuestEngine,
        loaded: Arc<LoadedRule>,
        settings: String,
        limits: LimitsConfig,
        occasion: Occasion,
    ) -> Self {
        KernelsGuest {
            engine: engine.clone(),
            loaded,
            settings,
            limits,
            occasion,
            meter: Arc::default(),
            allowance: Allowance::default(),
            time: CallTime::Full,
            live: None,
        }
    }

    /// Its limits.
    pub(super) fn limits(&self) -> &LimitsConfig {
        &self.limits
    }

    /// The account of its limits.
    pub(super) fn meter(&self) -> &Arc<GuestMeter> {
        &self.meter
    }

    /// Starts the guest and applies the settings, so that a rule that refuses them is refused at load.
    pub(super) fn check(&mut self) -> Result<(), CallError> {
        self.live().map(|_| ())
    }

    pub(super) fn run(
        &mut self,
        kernel: u32,
        input: Rows<'_>,
        outputs: &[Type],
    ) -> Result<(Vec<Column>, Vec<RowError>), CallError> {
        let columns = lower_all(input);
        let texts_max = self.limits.row_errors_max;
        let time = self.time;
        let live = self.live()?;
        live.running.allow(time);
        let (guest, prepared) = (&live.guest, live.prepared);
        let result = live.running.call(|store| {
            guest
                .prepared()
                .call_run(store, prepared, kernel, batch_of(input.rows, &columns))
        });
        let checked = match result {
            Ok(Ok((batch, errors))) => check(batch, outputs, input.rows)
                .and_then(|columns| Ok((columns, convert::lift_errors(errors, input.rows, texts_max)?))),
            Ok(Err(failure)) => return Err(CallError::Failure(convert::shorten(failure.message))),
            Err(trap) => Err(trap),
        };
        match checked {
            Ok((columns, (errors, silenced))) => {
                self.meter.hit(Limit::RowErrors, silenced);
                Ok((columns, errors))
            }
            Err(error) => {
                self.live = None;
                Err(error)
            }
        }
    }

    fn live(&mut self) -> Result<&mut Live, CallError> {
        if self.live.is_none() {
            let loaded = &self.loaded;
            let code = loaded.code.as_ref();
            let code = code.ok_or_else(|| CallError::Unavailable("the rule has no kernels".to_owned()))?;
            let occasion = (self.occasion, self.time.to_start());
            let (mut running, instance) = Running::start(&self.engine, &code.pre, &self.limits, occasion, &self.meter)?;
            let guest = code
                .indices
                .load(running.store(), &instance)
                .map_err(|error| CallError::Failure(error.root_cause().to_string()))?;
            let prepared = running
                .call(|store| guest.call_prepare(store, &self.settings))?
                .map_err(|failure| CallError::Failure(convert::shorten(failure.message)))?;
            self.live = Some(Live {
                running,
                guest,
                prepared,
            });
        }
        Ok(self.live.as_mut().expect("it was made just above"))
    }
}

impl Allowed for KernelsGuest {
    fn allowance(&mut self) -> &mut Allowance {
        &mut self.allowance
    }

    fn call_timeout(&self) -> Duration {
        self.limits.call_timeout
    }

    fn allow(&mut self, time: CallTime) {
        self.time = time;
    }
}

fn check(batch: rule::BatchResult, outputs: &[Type], rows: usize) -> Result<Vec<Column>, CallError> {
    if batch.rows as usize != rows {
        return Err(CallError::BadResult(format!(
            "{rows} rows must be returned, got {}",
            batch.rows
        )));
    }
    if batch.columns.len() != outputs.len() {
        return Err(CallError::BadResult(format!(
            "{} columns must be returned, got {}",
            outputs.len(),
            batch.columns.len()
        )));
    }
    batch
        .columns
        .into_iter()
        .zip(outputs)
        .map(|(column, &kind)| convert::lift(column, kind, rows))
        .collect()
}
