//! The arguments of a call, checked against the parameters of a function before a guest is asked.

use rulemill_core::BindError;
use rulemill_plan::{BoundArgument, Parameter, Type};

/// Whether a function takes these arguments; the error says what it takes.
pub(super) fn check_arguments(
    function: &str,
    parameters: &[Parameter],
    arguments: &[BoundArgument],
) -> Result<(), BindError> {
    let variadic = parameters.last().is_some_and(|last| last.variadic);
    let fixed = parameters.len() - usize::from(variadic);
    if arguments.len() < fixed || (!variadic && arguments.len() > fixed) {
        let names: Vec<String> = parameters.iter().map(describe_parameter).collect();
        return Err(BindError::Refused(format!(
            "{function} takes ({}), got {} arguments",
            names.join(", "),
            arguments.len()
        )));
    }
    for (position, argument) in arguments.iter().enumerate() {
        let parameter = &parameters[position.min(parameters.len() - 1)];
        let (fits, got) = match argument {
            BoundArgument::Type(kind) => (
                *kind == parameter.kind || (*kind == Type::Int && parameter.kind == Type::Float),
                kind.to_string(),
            ),
            BoundArgument::Literal(literal) => (literal.fits(parameter.kind), literal.to_string()),
        };
        if !fits {
            return Err(BindError::Refused(format!(
                "argument {} of {function}, {}, must be of type {}, got {got}",
                position + 1,
                parameter.name,
                parameter.kind
            )));
        }
    }
    Ok(())
}

fn describe_parameter(parameter: &Parameter) -> String {
    let dots = if parameter.variadic { "..." } else { "" };
    format!("{}: {}{dots}", parameter.name, parameter.kind)
}

/// The arguments as the contract's `bind` takes them.
pub(super) fn arguments_json(arguments: &[BoundArgument]) -> Result<String, BindError> {
    serde_json::to_string(arguments).map_err(|error| BindError::Refused(error.to_string()))
}
