//! What must hold in the description of a library.

use super::{FUNCTION_COUNT_MAX, Problem, Problems, STATE_WORDS_MAX};
use crate::{Example, Expected, Library, Literal, Parameter, Type};

impl Library {
    /// Finds everything that is wrong with the description by itself. Empty: every name is valid and differs from the
    /// others, every example fits its function, every aggregate has a state of a legal size.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        problems.check_format(self.format);
        problems.check_guest_name("name", &self.name);
        let count = self.scalars.len() + self.aggregates.len();
        if count > FUNCTION_COUNT_MAX {
            problems.add(
                "scalars",
                format!("a library may have {FUNCTION_COUNT_MAX} functions, got {count}"),
            );
        }
        problems.check_distinct("scalars", self.scalars.iter().map(|scalar| scalar.name.as_str()));
        problems.check_distinct(
            "aggregates",
            self.aggregates.iter().map(|aggregate| aggregate.name.as_str()),
        );
        for (position, scalar) in self.scalars.iter().enumerate() {
            let at = format!("scalars[{position}]");
            problems.check_signature(&at, &scalar.name, &scalar.parameters);
            for (position, example) in scalar.examples.iter().enumerate() {
                let at = format!("{at}.examples[{position}]");
                if example.rows.len() != 1 {
                    let got = example.rows.len();
                    problems.add(
                        format!("{at}.rows"),
                        format!("a scalar function's example has one row, got {got}"),
                    );
                }
                problems.check_example(&at, example, &scalar.parameters, scalar.returns);
            }
        }
        self.check_aggregates(&mut problems);
        problems.found
    }

    fn check_aggregates(&self, problems: &mut Problems) {
        for (position, aggregate) in self.aggregates.iter().enumerate() {
            let at = format!("aggregates[{position}]");
            problems.check_signature(&at, &aggregate.name, &aggregate.parameters);
            if self.scalars.iter().any(|scalar| scalar.name == aggregate.name) {
                let message = format!("{} is a scalar function already; names must differ", aggregate.name);
                problems.add(format!("{at}.name"), message);
            }
            if !(1..=STATE_WORDS_MAX).contains(&aggregate.state_words) {
                let got = aggregate.state_words;
                problems.add(
                    format!("{at}.state_words"),
                    format!("must be 1 to {STATE_WORDS_MAX}, got {got}"),
                );
            }
            if aggregate.fingerprint_bits().is_none() {
                let got = &aggregate.fingerprint;
                let message = format!("must be 16 lower-case hexadecimal digits, got {got:?}");
                problems.add(format!("{at}.fingerprint"), message);
            }
            for (position, example) in aggregate.examples.iter().enumerate() {
                let at = format!("{at}.examples[{position}]");
                problems.check_example(&at, example, &aggregate.parameters, aggregate.returns);
            }
        }
    }
}

impl Problems {
    fn check_signature(&mut self, at: &str, name: &str, parameters: &[Parameter]) {
        self.check_identifier(&format!("{at}.name"), name);
        let names = parameters.iter().map(|parameter| parameter.name.as_str());
        self.check_distinct(&format!("{at}.parameters"), names);
        for (position, parameter) in parameters.iter().enumerate() {
            let at = format!("{at}.parameters[{position}]");
            self.check_not_empty(&format!("{at}.name"), &parameter.name);
            if parameter.variadic && position + 1 < parameters.len() {
                self.add(format!("{at}.variadic"), "only the last parameter may be variadic");
            }
        }
    }

    fn check_example(&mut self, at: &str, example: &Example, parameters: &[Parameter], returns: Type) {
        for (position, row) in example.rows.iter().enumerate() {
            self.check_row(&format!("{at}.rows[{position}]"), row, parameters);
        }
        if let Expected::Value(value) = &example.expected
            && !value.fits(returns)
        {
            self.add(
                format!("{at}.expected.value"),
                format!("must be {returns}, got {value}"),
            );
        }
    }

    fn check_row(&mut self, at: &str, row: &[Literal], parameters: &[Parameter]) {
        let variadic = parameters.last().is_some_and(|parameter| parameter.variadic);
        let least = parameters.len() - usize::from(variadic);
        let got = row.len();
        if got != parameters.len() && !(variadic && got >= least) {
            let wanted = if variadic {
                format!("at least {least}")
            } else {
                least.to_string()
            };
            self.add(at, format!("must have {wanted} values, one a parameter, got {got}"));
            return;
        }
        for (position, value) in row.iter().enumerate() {
            let Some(parameter) = parameters.get(position).or(parameters.last()) else {
                continue;
            };
            if !value.fits(parameter.kind) {
                let (name, kind) = (&parameter.name, parameter.kind);
                self.add(
                    format!("{at}[{position}]"),
                    format!("{name} must be {kind}, got {value}"),
                );
            }
        }
    }
}
