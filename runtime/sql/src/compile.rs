//! From the text of a query to a file that runs.

use crate::ast::{Select, Statement};
use crate::bind::{Bound, bind};
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

/// Which time the windows of a query go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timing {
    /// The time in the messages where the stream has a `TIMESTAMP`, else the time of arrival.
    #[default]
    AsDefined,
    /// The time of arrival, whatever the stream has.
    Arrival,
    /// The time in the messages, of which some may be late by so many milliseconds.
    Event {
        /// How late they may be.
        lateness_ms: u64,
    },
}

/// The same as [`compile`], with windows that go by this time.
pub fn compile_timed(
    text: &str,
    query: &Select,
    rule: &str,
    catalog: &Catalog,
    timing: Timing,
) -> Result<Compiled, Vec<Problem>> {
    let streams = || {
        let joined = query.joins.iter().map(|join| &join.source.stream);
        std::iter::once(&query.from.stream).chain(joined)
    };
    let has_time = |name: &str| {
        catalog
            .streams
            .get(name)
            .is_some_and(|stream| stream.timestamp.is_some())
    };
    match timing {
        Timing::Arrival if streams().any(|name| has_time(&name.text)) => {
            let mut catalog = catalog.clone();
            for name in streams() {
                if let Some(stream) = catalog.streams.get_mut(&name.text) {
                    stream.timestamp = None;
                }
            }
            compile(text, query, rule, &catalog)
        }
        Timing::AsDefined | Timing::Arrival => compile(text, query, rule, catalog),
        Timing::Event { lateness_ms } => {
            let known = |name: &str| catalog.streams.contains_key(name);
            if let Some(name) = streams().find(|name| known(&name.text) && !has_time(&name.text)) {
                let message = format!(
                    "the rule goes by the time in the messages, and the stream {:?} has no TIMESTAMP that names its field",
                    name.text
                );
                return Err(vec![Problem::new(name.span, message)]);
            }
            let mut bound = bind(text, query, rule, catalog)?;
            if let Some(event_time) = &mut bound.plan.event_time {
                event_time.lateness_ms = lateness_ms;
            }
            Ok(compiled(bound))
        }
    }
}

/// Compiles a query, which is part of `text`, into the rule of that name.
pub fn compile(text: &str, query: &Select, rule: &str, catalog: &Catalog) -> Result<Compiled, Vec<Problem>> {
    Ok(compiled(bind(text, query, rule, catalog)?))
}

fn compiled(bound: Bound) -> Compiled {
    let description = bound.plan.to_json();
    Compiled {
        wasm: component(&description, &bound.kernels),
        kernels: bound.kernels.len(),
        plan: bound.plan,
    }
}
