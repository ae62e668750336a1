//! What the core calls when a plan says so.

use super::super::arguments::{arguments_json, check_arguments};
use super::super::conduct::{Call, Operation, Who};
use super::{Kernels, MillGuests, Site, id_of};
use rulemill_core::{
    AccumulatorId, BindError, BoundAggregate, BoundScalar, CallError, Column, Guests, KernelsId, RowError, Rows, SiteId,
};
use rulemill_plan::{BoundArgument, Type, Volatility};

impl Guests for MillGuests {
    fn bind_scalar(
        &mut self,
        library: Option<&str>,
        function: &str,
        arguments: &[BoundArgument],
    ) -> Result<BoundScalar, BindError> {
        let (library, scalar) = self.find(library, function, "function", |loaded| {
            loaded
                .description
                .scalars
                .iter()
                .find(|scalar| scalar.name == function)
                .cloned()
        })?;
        check_arguments(function, &scalar.parameters, arguments)?;
        let text = arguments_json(arguments)?;
        let immutable = scalar.volatility == Volatility::Immutable;
        let key = (library.clone(), function.to_owned(), text.clone());
        let known = self.site_of.get(&key).copied();
        if let Some(site) = known
            && let Some(entry) = self.sites.get(site.0 as usize).filter(|entry| entry.used)
        {
            let returns = entry.binding.returns;
            return Ok(BoundScalar {
                site,
                returns,
                immutable,
            });
        }
        let guest = self.libraries.get_mut(&library).expect("it was found just above");
        let returns = guest
            .try_bind(function, &text)
            .map_err(|error| BindError::Refused(format!("{function}: {error}")))?;
        let site = known.unwrap_or_else(|| {
            self.sites.push(Site::new(library, function, text));
            SiteId(id_of(self.sites.len() - 1))
        });
        self.sites[site.0 as usize].bind(returns, 0);
        self.site_of.insert(key, site);
        Ok(BoundScalar {
            site,
            returns,
            immutable,
        })
    }

    fn bind_aggregate(
        &mut self,
        library: Option<&str>,
        function: &str,
        arguments: &[BoundArgument],
    ) -> Result<BoundAggregate, BindError> {
        let (library, aggregate) = self.find(library, function, "aggregate", |loaded| {
            loaded
                .description
                .aggregates
                .iter()
                .find(|aggregate| aggregate.name == function)
                .cloned()
        })?;
        check_arguments(function, &aggregate.parameters, arguments)?;
        let text = arguments_json(arguments)?;
        let fingerprint = u64::from_str_radix(&aggregate.fingerprint, 16)
            .map_err(|_| BindError::Refused(format!("{function}: its fingerprint is not a hexadecimal number")))?;
        let guest = self.libraries.get_mut(&library).expect("it was found just above");
        let returns = guest
            .try_bind_aggregate(function, &text)
            .map_err(|error| BindError::Refused(format!("{function}: {error}")))?;
        let known = self.accumulators.iter().position(|site| {
            site.library == library && site.binding.function == function && site.binding.arguments == text
        });
        let position = known.unwrap_or(self.accumulators.len());
        if known.is_none() {
            self.accumulators.push(Site::new(library, function, text));
        }
        self.accumulators[position].bind(returns, aggregate.state_words as usize);
        Ok(BoundAggregate {
            accumulator: AccumulatorId(id_of(position)),
            returns,
            state_words: aggregate.state_words,
            fingerprint,
        })
    }

    fn evaluate(&mut self, site: SiteId, arguments: Rows<'_>) -> Result<(Column, Vec<RowError>), CallError> {
        let call = Call {
            who: Who::Site(site.0 as usize),
            operation: Operation::Evaluate,
            rows: arguments.rows,
        };
        let Site {
            library,
            binding,
            conduct,
            ..
        } = &mut self.sites[site.0 as usize];
        let guest = self
            .libraries
            .get_mut(library)
            .ok_or_else(|| binding.unavailable(library))?;
        conduct.make(
            call,
            &mut self.turn,
            guest,
            |guest| guest.evaluate(site, binding, arguments),
            |(_, errors)| errors.len(),
        )
    }

    fn run(
        &mut self,
        kernels: KernelsId,
        kernel: u32,
        input: Rows<'_>,
        outputs: &[Type],
    ) -> Result<(Vec<Column>, Vec<RowError>), CallError> {
        let call = Call {
            who: Who::Kernels(kernels),
            operation: Operation::Kernel(kernel),
            rows: input.rows,
        };
        let Kernels { guest, conduct, .. } = self
            .kernels
            .get_mut(&kernels)
            .ok_or_else(|| CallError::Unavailable("the rule's kernels have been removed".to_owned()))?;
        conduct.make(
            call,
            &mut self.turn,
            guest,
            |guest| guest.run(kernel, input, outputs),
            |(_, errors)| errors.len(),
        )
    }

    fn initial(&mut self, accumulator: AccumulatorId) -> Result<Vec<u64>, CallError> {
        let call = call_of(accumulator, Operation::Initial, 0);
        let Site {
            library,
            binding,
            conduct,
            ..
        } = &mut self.accumulators[accumulator.0 as usize];
        let guest = self
            .libraries
            .get_mut(library)
            .ok_or_else(|| binding.unavailable(library))?;
        conduct.make(
            call,
            &mut self.turn,
            guest,
            |guest| guest.initial(accumulator, binding),
            |_| 0,
        )
    }

    fn accumulate(
        &mut self,
        accumulator: AccumulatorId,
        states: &[u64],
        group_of_row: &[u32],
        arguments: Rows<'_>,
    ) -> Result<(Vec<u64>, Vec<RowError>), CallError> {
        let call = call_of(accumulator, Operation::Accumulate, arguments.rows);
        let Site {
            library,
            binding,
            conduct,
            ..
        } = &mut self.accumulators[accumulator.0 as usize];
        let guest = self
            .libraries
            .get_mut(library)
            .ok_or_else(|| binding.unavailable(library))?;
        conduct.make(
            call,
            &mut self.turn,
            guest,
            |guest| guest.accumulate(accumulator, binding, states, group_of_row, arguments),
            |(_, errors)| errors.len(),
        )
    }

    fn finish(&mut self, accumulator: AccumulatorId, states: &[u64]) -> Result<Column, CallError> {
        let Site {
            library,
            binding,
            conduct,
            ..
        } = &mut self.accumulators[accumulator.0 as usize];
        let guest = self
            .libraries
            .get_mut(library)
            .ok_or_else(|| binding.unavailable(library))?;
        let call = call_of(accumulator, Operation::Finish, states.len() / binding.state_words);
        conduct.make(
            call,
            &mut self.turn,
            guest,
            |guest| guest.finish(accumulator, binding, states),
            |_| 0,
        )
    }
}

fn call_of(accumulator: AccumulatorId, operation: Operation, rows: usize) -> Call {
    Call {
        who: Who::Accumulator(accumulator.0 as usize),
        operation,
        rows,
    }
}
