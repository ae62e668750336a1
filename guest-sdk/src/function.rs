//! Scalar functions: what `#[function]` implements, and calls of them.

use crate::arguments::{Argument, Arguments};
use crate::columns::{Batch, Column, Failure};
use crate::describe::{FunctionText, ParameterText};
use crate::output::Evaluated;
use rulemill_plan::{BoundArgument, ScalarFunction, Type, Volatility};

/// A scalar function. `#[function]` on `fn f` implements it for a type `f` that exists beside the function.
pub trait Function {
    /// What the library says about it.
    const TEXT: FunctionText;
    /// What the host may assume when it saves calls.
    const VOLATILITY: Volatility;

    /// Computes it for all rows.
    fn evaluate(arguments: &Arguments<'_>) -> Result<Evaluated, Failure>;
}

/// A scalar function as a value.
#[derive(Clone, Copy, Debug)]
pub struct FunctionEntry {
    pub(crate) text: &'static FunctionText,
    volatility: Volatility,
    evaluate: fn(&Arguments<'_>) -> Result<Evaluated, Failure>,
}

impl FunctionEntry {
    /// The function `F`.
    pub const fn of<F: Function>() -> Self {
        FunctionEntry {
            text: &F::TEXT,
            volatility: F::VOLATILITY,
            evaluate: F::evaluate,
        }
    }

    /// What the library says about it.
    pub fn describe(&self) -> ScalarFunction {
        self.text.scalar(self.volatility)
    }
}

/// A call of a function whose types are resolved and whose literals are parsed.
#[derive(Debug)]
pub struct CallSite {
    function: FunctionEntry,
    returns: Type,
    arguments: BoundArguments,
}

impl CallSite {
    /// Resolves the types and parses the literals. The failure names the argument and says what it must be.
    pub fn bind(function: FunctionEntry, arguments: &[BoundArgument]) -> Result<Self, Failure> {
        Ok(CallSite {
            function,
            returns: function.text.returns,
            arguments: BoundArguments::new(function.text, arguments)?,
        })
    }

    /// The type of the result.
    pub fn returns(&self) -> Type {
        self.returns
    }

    /// Computes the function for a batch of the arguments that are not literals.
    pub fn evaluate(&self, batch: &Batch) -> Result<Evaluated, Failure> {
        (self.function.evaluate)(&self.arguments.with(batch)?)
    }
}

/// The arguments of a call: constants, and the types of the columns that come with each batch.
#[derive(Debug)]
pub(crate) struct BoundArguments {
    slots: Vec<Slot>,
}

/// Where one argument comes from.
#[derive(Debug)]
pub(crate) enum Slot {
    Column,
    Constant(Column),
}

impl BoundArguments {
    pub(crate) fn new(function: &FunctionText, arguments: &[BoundArgument]) -> Result<Self, Failure> {
        let FunctionText { name, parameters, .. } = *function;
        check_count(name, parameters, arguments.len())?;
        let mut slots = Vec::with_capacity(arguments.len());
        for (position, argument) in arguments.iter().enumerate() {
            // The last parameter stands for all arguments beyond it when it is variadic.
            let Some(parameter) = parameters.get(position).or(parameters.last()) else {
                continue;
            };
            slots.push(bind_argument(name, position, parameter, argument)?);
        }
        Ok(BoundArguments { slots })
    }

    pub(crate) fn of(slots: Vec<Slot>) -> Self {
        BoundArguments { slots }
    }

    /// All arguments of one evaluation: the constants, and the columns of the batch in between.
    pub(crate) fn with<'r>(&'r self, batch: &'r Batch) -> Result<Arguments<'r>, Failure> {
        let wanted = self.slots.iter().filter(|slot| matches!(slot, Slot::Column)).count();
        if batch.columns.len() != wanted {
            let got = batch.columns.len();
            return Err(Failure::new(format!("the batch must have {wanted} columns, got {got}")));
        }
        let mut columns = batch.columns.iter();
        let arguments = self.slots.iter().filter_map(|slot| match slot {
            Slot::Constant(column) => Some(Argument::Constant(column)),
            Slot::Column => columns.next().map(Argument::Column),
        });
        Arguments::new(batch.rows as usize, arguments.collect())
    }
}

fn check_count(function: &str, parameters: &[ParameterText], got: usize) -> Result<(), Failure> {
    let variadic = parameters.last().is_some_and(|parameter| parameter.variadic);
    let least = parameters.len() - usize::from(variadic);
    if got == parameters.len() || (variadic && got >= least) {
        return Ok(());
    }
    let wanted = if variadic {
        format!("at least {least}")
    } else {
        least.to_string()
    };
    Err(Failure::new(format!("{function} takes {wanted} arguments, got {got}")))
}

fn bind_argument(
    function: &str,
    position: usize,
    parameter: &ParameterText,
    argument: &BoundArgument,
) -> Result<Slot, Failure> {
    let (number, name, wanted) = (position + 1, parameter.name, parameter.kind);
    let got = match argument {
        BoundArgument::Literal(literal) => match Column::constant(literal, wanted) {
            Some(column) => return Ok(Slot::Constant(column)),
            None => literal.to_string(),
        },
        BoundArgument::Type(kind) => {
            if *kind == wanted || (*kind == Type::Int && wanted == Type::Float) {
                return Ok(Slot::Column);
            }
            kind.to_string()
        }
    };
    Err(Failure::new(format!(
        "argument {number} ({name}) of {function} must be {wanted}, got {got}"
    )))
}
