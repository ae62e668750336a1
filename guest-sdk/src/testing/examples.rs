//! Functions and aggregates by their name or type, over rows of plain values.

use super::cells::{column_of, value_of};
use crate::aggregate::{Accumulator, Aggregate, AggregateEntry};
use crate::columns::{Batch, Failure};
use crate::function::{CallSite, Function, FunctionEntry};
use crate::library::LibraryDefinition;
use rulemill_plan::{BoundArgument, Example, Expected, Literal, Parameter};

/// What comes of one row: a value, or the text of the row error.
pub type Outcome = Result<Literal, String>;

/// Calls a scalar function of a library for each row of arguments. Panics when there is no such function, or when it
/// does not take these arguments.
///
/// Times are given and returned as ints of microseconds; bytes are returned as text.
pub fn call<const N: usize>(library: &LibraryDefinition, function: &str, rows: &[[Literal; N]]) -> Vec<Outcome> {
    let entry = library.functions.iter().find(|entry| entry.text.name == function);
    let entry = entry.unwrap_or_else(|| panic!("{} has no function {function}", library.name));
    let rows: Vec<&[Literal]> = rows.iter().map(<[Literal; N]>::as_slice).collect();
    evaluate(*entry, &rows).unwrap_or_else(|failure| panic!("{}", failure.message))
}

/// Aggregates the rows of one group by an aggregate of a library. Panics when there is no such aggregate, or when it
/// does not take these arguments.
pub fn aggregate<const N: usize>(library: &LibraryDefinition, aggregate: &str, rows: &[[Literal; N]]) -> Outcome {
    let entry = library.aggregates.iter().find(|entry| entry.text.name == aggregate);
    let entry = entry.unwrap_or_else(|| panic!("{} has no aggregate {aggregate}", library.name));
    let rows: Vec<&[Literal]> = rows.iter().map(<[Literal; N]>::as_slice).collect();
    accumulate(*entry, &rows).unwrap_or_else(|failure| panic!("{}", failure.message))
}

/// Runs the examples of a function, with columns and with literals; panics with all that do not hold. `#[function]`
/// makes a test that calls it.
pub fn check_examples<F: Function>() {
    let entry = FunctionEntry::of::<F>();
    let description = entry.describe();
    check_all(&description.name, &description.examples, |example| {
        let row = example.rows.first().map_or(&[][..], Vec::as_slice);
        let as_columns = evaluate(entry, &[row]).map(|mut outcomes| outcomes.remove(0));
        let as_literals = evaluate_literals(entry, row);
        assert_eq!(
            as_columns, as_literals,
            "{}: columns and literals differ",
            description.name
        );
        as_columns
    });
}

/// Runs the examples of an aggregate, in one state and merged from one state a row; panics with all that do not hold.
/// `#[aggregate]` makes a test that calls it.
pub fn check_aggregate_examples<A: Aggregate>() {
    let entry = AggregateEntry::of::<A>();
    let description = entry.describe();
    let rows_of = |example: &Example| -> Vec<Vec<Literal>> { example.rows.clone() };
    check_all(&description.name, &description.examples, |example| {
        let rows = rows_of(example);
        accumulate(entry, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    });
    check_all(
        &format!("{} (merged)", description.name),
        &description.examples,
        |example| {
            let rows = rows_of(example);
            accumulate_merged(entry, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
        },
    );
}

fn check_all(name: &str, examples: &[Example], run: impl Fn(&Example) -> Result<Outcome, Failure>) {
    let mut problems = Vec::new();
    for (position, example) in examples.iter().enumerate() {
        let outcome = run(example).unwrap_or_else(|failure| panic!("{name}: {}", failure.message));
        let holds = match (&example.expected, &outcome) {
            (Expected::Value(expected), Ok(value)) => same(expected, value),
            (Expected::Error, Err(_)) => true,
            (Expected::Value(_), Err(_)) | (Expected::Error, Ok(_)) => false,
        };
        if !holds {
            let expected = match &example.expected {
                Expected::Value(value) => value.to_string(),
                Expected::Error => "an error".to_owned(),
            };
            let got = outcome.map_or_else(|error| format!("the error {error:?}"), |value| value.to_string());
            problems.push(format!("example {}: expected {expected}, got {got}", position + 1));
        }
    }
    assert!(problems.is_empty(), "{name}: {}", problems.join("; "));
}

/// Equal; an int stands for a float where the author wrote one.
fn same(expected: &Literal, value: &Literal) -> bool {
    match (expected, value) {
        (Literal::Int(expected), Literal::Float(value)) => crate::kind::float_of(*expected) == *value,
        (expected, value) => expected == value,
    }
}

fn evaluate(entry: FunctionEntry, rows: &[&[Literal]]) -> Result<Vec<Outcome>, Failure> {
    let description = entry.describe();
    let width = rows.first().map_or(description.parameters.len(), |row| row.len());
    let site = CallSite::bind(entry, &types_of(&description.parameters, width))?;
    let (column, errors) = site.evaluate(&batch_of(&description.parameters, width, rows))?;
    let outcome = |row: usize| match errors.iter().find(|error| error.row as usize == row) {
        Some(error) => Err(error.message.clone()),
        None => Ok(value_of(&column, row)),
    };
    Ok((0..rows.len()).map(outcome).collect())
}

fn evaluate_literals(entry: FunctionEntry, row: &[Literal]) -> Result<Outcome, Failure> {
    let literals: Vec<BoundArgument> = row.iter().cloned().map(BoundArgument::Literal).collect();
    let empty = Batch {
        rows: 1,
        columns: Vec::new(),
    };
    let (column, errors) = CallSite::bind(entry, &literals)?.evaluate(&empty)?;
    Ok(match errors.first() {
        Some(error) => Err(error.message.clone()),
        None => Ok(value_of(&column, 0)),
    })
}

fn accumulate(entry: AggregateEntry, rows: &[&[Literal]]) -> Result<Outcome, Failure> {
    let (accumulator, batch) = bind_aggregate(entry, rows)?;
    let mut states = accumulator.initial();
    let errors = accumulator.accumulate(&mut states, &vec![0; rows.len()], &batch)?;
    if let Some(error) = errors.first() {
        return Ok(Err(error.message.clone()));
    }
    Ok(Ok(value_of(&accumulator.finish(&states)?, 0)))
}

fn accumulate_merged(entry: AggregateEntry, rows: &[&[Literal]]) -> Result<Outcome, Failure> {
    let (accumulator, batch) = bind_aggregate(entry, rows)?;
    let initial = accumulator.initial();
    let mut states = initial.repeat(rows.len());
    let errors = accumulator.accumulate(&mut states, &(0..batch.rows).collect::<Vec<_>>(), &batch)?;
    if let Some(error) = errors.first() {
        return Ok(Err(error.message.clone()));
    }
    let mut whole = initial.clone();
    for state in states.chunks_exact(initial.len()) {
        accumulator.merge(&mut whole, state)?;
    }
    Ok(Ok(value_of(&accumulator.finish(&whole)?, 0)))
}

fn bind_aggregate(entry: AggregateEntry, rows: &[&[Literal]]) -> Result<(Accumulator, Batch), Failure> {
    let description = entry.describe();
    let width = rows.first().map_or(description.parameters.len(), |row| row.len());
    let accumulator = Accumulator::bind(entry, &types_of(&description.parameters, width))?;
    Ok((accumulator, batch_of(&description.parameters, width, rows)))
}

fn types_of(parameters: &[Parameter], width: usize) -> Vec<BoundArgument> {
    (0..width)
        .filter_map(|position| parameter_at(parameters, position))
        .map(|parameter| BoundArgument::Type(parameter.kind))
        .collect()
}

fn batch_of(parameters: &[Parameter], width: usize, rows: &[&[Literal]]) -> Batch {
    let column = |position: usize| {
        let kind = parameter_at(parameters, position)?.kind;
        let values: Vec<&Literal> = rows.iter().map(|row| &row[position]).collect();
        Some(column_of(kind, &values))
    };
    Batch {
        rows: u32::try_from(rows.len()).expect("a test has fewer than 2^32 rows"),
        columns: (0..width).filter_map(column).collect(),
    }
}

/// The last parameter stands for all arguments beyond it.
fn parameter_at(parameters: &[Parameter], position: usize) -> Option<&Parameter> {
    parameters.get(position).or(parameters.last())
}
