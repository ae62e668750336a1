//! From the text of a query to a file that runs.

use crate::ast::{Select, Statement};
use crate::bind::bind;
use crate::catalog::{Catalog, Stream};
use crate::component::component;
use crate::parse::parse;
use crate::problem::{Problem, Span};
use rulemill_plan::Plan;

/// A query that has become a rule.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What the host does.
    pub plan: Plan,
    /// The `.wasm` file: it describes itself with the plan, and has its kernels.
    pub wasm: Vec<u8>,
    /// How many kernels it has.
    pub kernels: usize,
}

/// What a text of definitions and queries says.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The streams that it defines.
    pub streams: Vec<Stream>,
    /// Its query.
    pub query: Option<Select>,
}

/// Reads a text that defines streams, and may have one query.
pub fn script(text: &str) -> Result<Script, Vec<Problem>> {
    let statements = parse(text).map_err(|problem| vec![problem])?;
    let mut script = Script::default();
    let mut problems = Vec::new();
    for statement in statements {
        match statement {
            Statement::Create(create) => match Stream::from_definition(&create) {
                Ok(stream) if script.streams.iter().any(|other| other.name == stream.name) => {
                    let message = format!("the stream {:?} is there already", stream.name);
                    problems.push(Problem::new(create.name.span, message));
                }
                Ok(stream) => script.streams.push(stream),
                Err(more) => problems.extend(more),
            },
            Statement::Select(select) if script.query.is_none() => script.query = Some(*select),
            Statement::Select(select) => {
                problems.push(Problem::new(
                    select.span,
                    "a file has one query; put this one into a file of its own",
                ));
            }
            Statement::Show(_) | Statement::Describe(..) | Statement::Explain(..) | Statement::Drop(..) => {
                let message = "a file defines streams and has a query; this is a statement for the command line";
                problems.push(Problem::new(Span::default(), message));
            }
        }
    }
    match problems.is_empty() {
        true => Ok(script),
        false => Err(problems),
    }
}

/// Compiles a query, which is part of `text`, into the rule of that name.
pub fn compile(text: &str, query: &Select, rule: &str, catalog: &Catalog) -> Result<Compiled, Vec<Problem>> {
    let bound = bind(text, query, rule, catalog)?;
    let description = bound.plan.to_json();
    Ok(Compiled {
        wasm: component(&description, &bound.kernels),
        kernels: bound.kernels.len(),
        plan: bound.plan,
    })
}
