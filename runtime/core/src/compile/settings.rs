//! The settings of a rule: what the deployment sets, checked against what the plan declares.

use rulemill_plan::{Literal, Problem, Setting, Type};
use std::collections::BTreeMap;

/// The value of every declared setting; those with a problem are left out.
pub(super) fn resolve(
    declared: &[Setting],
    given: &BTreeMap<String, Literal>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Literal> {
    let mut values = BTreeMap::new();
    let mut seen: Vec<&str> = Vec::new();
    for (position, setting) in declared.iter().enumerate() {
        let at = format!("settings[{position}]");
        if seen.contains(&setting.name.as_str()) {
            let message = format!("the setting {:?} is declared twice", setting.name);
            problems.push(Problem { at, message });
            continue;
        }
        seen.push(&setting.name);
        match value(setting, given.get(&setting.name)) {
            Ok(value) => {
                values.insert(setting.name.clone(), value);
            }
            Err(message) => problems.push(Problem { at, message }),
        }
    }
    for name in given.keys().filter(|name| !seen.contains(&name.as_str())) {
        let message = match seen.as_slice() {
            [] => "the rule has no settings".to_owned(),
            names => format!("there is no such setting; the rule's settings are {}", names.join(", ")),
        };
        problems.push(Problem {
            at: format!("settings.{name}"),
            message,
        });
    }
    values
}

fn value(setting: &Setting, given: Option<&Literal>) -> Result<Literal, String> {
    let Setting { name, kind, .. } = setting;
    match kind {
        Type::Bool | Type::Int | Type::Float | Type::Text => {}
        Type::Time | Type::Bytes | Type::Json => {
            return Err(format!(
                "the setting {name:?} must be bool, int, float or text, not {kind}"
            ));
        }
    }
    if let Some(default) = &setting.default
        && !default.fits(*kind)
    {
        return Err(format!(
            "the default of the setting {name:?} must be of type {kind}, got {default}"
        ));
    }
    let value = given
        .or(setting.default.as_ref())
        .ok_or_else(|| format!("the setting {name:?} has no default and must be set, to a value of type {kind}"))?;
    if !value.fits(*kind) {
        return Err(format!("the setting {name:?} must be of type {kind}, got {value}"));
    }
    Ok(widened(value, *kind))
}

/// An int where a float is wanted becomes one, so that a function sees the declared type.
#[expect(
    clippy::cast_precision_loss,
    reason = "a float setting written as an int is meant as a float"
)]
fn widened(value: &Literal, kind: Type) -> Literal {
    match (value, kind) {
        (Literal::Int(value), Type::Float) => Literal::Float(*value as f64),
        _ => value.clone(),
    }
}
