//! The aggregates of a plan: argument types of the built-in ones, bindings of those from libraries.

use super::steps::described;
use super::{Compiler, File};
use crate::aggregate::{Operand, StateLayout};
use crate::program::{AggregateLayout, AggregateUse, Function, Slot};
use rulemill_plan::{Aggregate, Argument, BUILT_IN_AGGREGATES, Literal, Type};

impl Compiler<'_> {
    /// The aggregates of a plan.
    pub(super) fn aggregates(&mut self, file: &File) -> Aggregates {
        let plan = self.plan;
        let (mut uses, mut kinds, mut layouts) = (Vec::new(), Vec::new(), Vec::new());
        let mut operands = Vec::new();
        for (position, aggregate) in plan.aggregates.iter().enumerate() {
            let at = format!("aggregates[{position}]");
            let built_in = aggregate.library.is_none() && BUILT_IN_AGGREGATES.contains(&aggregate.function.as_str());
            let made = if built_in {
                self.built_in(aggregate, file, &at)
            } else {
                self.library_aggregate(aggregate, file, &at)
            };
            kinds.push(made.as_ref().map(|made| made.returns));
            if let Some(made) = made {
                layouts.push(made.layout);
                operands.push((made.function.clone(), made.operand));
                uses.push(AggregateUse {
                    function: made.function,
                    arguments: made.arguments,
                    label: aggregate.function.clone(),
                });
            }
        }
        Aggregates {
            uses,
            kinds,
            layouts,
            states: StateLayout::new(&operands),
        }
    }

    fn built_in(&mut self, aggregate: &Aggregate, file: &File, at: &str) -> Option<Made> {
        let name = aggregate.function.as_str();
        let argument = match aggregate.arguments.as_slice() {
            [] if name == "count" => return Some(Made::count_rows()),
            [argument] => argument,
            arguments => {
                let wanted = if name == "count" {
                    "at most one argument"
                } else {
                    "one argument"
                };
                let message = format!("{name} takes {wanted}, got {}", arguments.len());
                self.problem(&format!("{at}.arguments"), message);
                return None;
            }
        };
        let at = format!("{at}.arguments[0]");
        let index = match argument {
            Argument::Column(index) => *index,
            Argument::Literal(literal) if name == "count" && *literal != Literal::Null => {
                return Some(Made::count_rows());
            }
            Argument::Literal(_) | Argument::Setting(_) => {
                self.problem(&at, format!("{name} takes a column, not a constant"));
                return None;
            }
        };
        let (slot, kind) = self.column(file, index, &at)?;
        let kind = kind?;
        match function(name, kind) {
            Ok((function, returns)) => {
                // A column without an origin has been reported; the program is thrown away.
                let origin = file.origin(index)?;
                Some(Made::built_in(function, returns, Operand { origin, slot }))
            }
            Err(wanted) => {
                let message = format!(
                    "{name} takes {wanted}, and {} is of type {kind}",
                    described(file, index)
                );
                self.problem(&at, message);
                None
            }
        }
    }

    fn library_aggregate(&mut self, aggregate: &Aggregate, file: &File, at: &str) -> Option<Made> {
        let (bound_arguments, arguments) = self.arguments(&aggregate.arguments, file, at)?;
        let library = aggregate.library.as_deref();
        let bound = match self
            .guests
            .bind_aggregate(library, &aggregate.function, &bound_arguments)
        {
            Ok(bound) => bound,
            Err(error) => {
                self.bind_error(error, &format!("{at}.function"));
                return None;
            }
        };
        if !(1..=64).contains(&bound.state_words) {
            let message = format!(
                "the state of {} must have 1 to 64 words, got {}",
                aggregate.function, bound.state_words
            );
            self.problem(&format!("{at}.function"), message);
            return None;
        }
        Some(Made {
            returns: bound.returns,
            layout: AggregateLayout::Library {
                accumulator: bound.accumulator,
                state_words: bound.state_words,
                fingerprint: bound.fingerprint,
            },
            arguments,
            operand: None,
            function: Function::Library(bound),
        })
    }
}

/// The aggregates of a plan, those left out that have a problem.
pub(super) struct Aggregates {
    pub(super) uses: Vec<AggregateUse>,
    /// The types of the results, unknown after a problem.
    pub(super) kinds: Vec<Option<Type>>,
    pub(super) layouts: Vec<AggregateLayout>,
    pub(super) states: StateLayout,
}

struct Made {
    function: Function,
    arguments: Vec<Slot>,
    /// The argument, if the host reads it.
    operand: Option<Operand>,
    returns: Type,
    layout: AggregateLayout,
}

impl Made {
    fn count_rows() -> Self {
        Made {
            layout: AggregateLayout::BuiltIn(Function::CountRows),
            function: Function::CountRows,
            arguments: Vec::new(),
            operand: None,
            returns: Type::Int,
        }
    }

    fn built_in(function: Function, returns: Type, operand: Operand) -> Self {
        Made {
            layout: AggregateLayout::BuiltIn(function.clone()),
            function,
            arguments: vec![operand.slot],
            operand: Some(operand),
            returns,
        }
    }
}

/// The type that a built-in aggregate gives for an argument of a type, or without one; `None` when it does not take that,
/// or there is no such aggregate.
pub fn built_in_aggregate_type(name: &str, argument: Option<Type>) -> Option<Type> {
    match argument {
        None => (name == "count").then_some(Type::Int),
        Some(kind) => function(name, kind).ok().map(|(_, returns)| returns),
    }
}

/// The function for a type of column and the type of its result; otherwise which types it takes.
fn function(name: &str, kind: Type) -> Result<(Function, Type), &'static str> {
    let numeric = matches!(kind, Type::Int | Type::Float);
    let spread = |root, sample| Function::Spread { kind, root, sample };
    let (function, returns, fits) = match name {
        "count" => (Function::CountValues, Type::Int, true),
        "count_distinct" => (Function::Distinct(kind), Type::Int, true),
        "first" | "last" => (
            Function::Edge {
                kind,
                last: name == "last",
            },
            kind,
            true,
        ),
        "min" | "max" => {
            let function = Function::Extreme {
                kind,
                largest: name == "max",
            };
            let fits = !matches!(kind, Type::Bytes | Type::Json);
            return if fits {
                Ok((function, kind))
            } else {
                Err("a bool, int, float, time or text")
            };
        }
        "sum" => (Function::Sum(kind), kind, numeric),
        "avg" => (Function::Avg(kind), Type::Float, numeric),
        "stddev" => (spread(true, false), Type::Float, numeric),
        "var" => (spread(false, false), Type::Float, numeric),
        "stddevs" => (spread(true, true), Type::Float, numeric),
        "vars" => (spread(false, true), Type::Float, numeric),
        // The caller has looked the name up in BUILT_IN_AGGREGATES; a name added there and not here is refused.
        _ => return Err("nothing: this host does not have it"),
    };
    if fits {
        Ok((function, returns))
    } else {
        Err("an int or a float")
    }
}
