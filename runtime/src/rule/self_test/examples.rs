//! The examples of a library's functions: each holds, with columns and with constants, in fresh and in used instances.

use super::cell::{Cell, list};
use super::{SelfTest, SelfTestError, Time};
use crate::rule::engine::GuestEngine;
use crate::rule::instance::Occasion;
use crate::rule::library::{Binding, LibraryGuest, LimitedLibrary};
use crate::rule::load::LoadedLibrary;
use rulemill_core::{AccumulatorId, CallError, Cells, Column, Rows, SiteId};
use rulemill_plan::{BoundArgument, Example, Expected, Literal, Parameter, Type};

/// Runs every example.
pub(super) fn check(
    engine: &GuestEngine,
    library: &LimitedLibrary,
    time: &mut Time,
) -> Result<SelfTest, SelfTestError> {
    let start = || LibraryGuest::new(engine, library.clone(), Occasion::Load);
    let mut used = start();
    let mut results: Vec<(Case<'_>, Outcome)> = Vec::new();
    let mut examples = 0;
    let mut memory_bytes_peak = 0;
    for function in functions(&library.loaded) {
        if function.examples.is_empty() {
            continue;
        }
        let mut fresh = start();
        for case in function.cases(results.len()) {
            time.call()?;
            let outcome = case.run(&mut fresh);
            if let Err(error) = case.check(&outcome) {
                // The examples before it may be to blame.
                case.agree(&case.run(&mut start()), &outcome)?;
                return Err(error);
            }
            time.call()?;
            case.agree(&outcome, &case.run(&mut used))?;
            results.push((case, outcome));
        }
        examples += function.examples.len();
        memory_bytes_peak = memory_bytes_peak.max(fresh.meter().memory_bytes_peak());
    }
    // Now the used instance has seen everything; what came last comes first.
    for (case, outcome) in results.iter().rev() {
        time.call()?;
        case.agree(outcome, &case.run(&mut used))?;
    }
    Ok(SelfTest {
        examples,
        kernels: Vec::new(),
        memory_bytes_peak: memory_bytes_peak.max(used.meter().memory_bytes_peak()),
    })
}

/// A function or an aggregate.
struct FunctionOf<'l> {
    name: &'l str,
    parameters: &'l [Parameter],
    returns: Type,
    /// 0: a scalar function.
    state_words: usize,
    examples: &'l [Example],
}

/// One way to run one example.
struct Case<'l> {
    name: &'l str,
    returns: Type,
    state_words: usize,
    example: &'l Example,
    kinds: Vec<Type>,
    /// Whether the arguments are constants, which a function gets when it is bound, and not columns.
    constants: bool,
    number: u32,
}

/// What came of an example.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Value(Cell),
    Error(String),
    Failed(CallError),
}

fn functions(library: &LoadedLibrary) -> impl Iterator<Item = FunctionOf<'_>> {
    let description = &library.description;
    let scalars = description.scalars.iter().map(|scalar| FunctionOf {
        name: &scalar.name,
        parameters: &scalar.parameters,
        returns: scalar.returns,
        state_words: 0,
        examples: &scalar.examples,
    });
    let aggregates = description.aggregates.iter().map(|aggregate| FunctionOf {
        name: &aggregate.name,
        parameters: &aggregate.parameters,
        returns: aggregate.returns,
        state_words: aggregate.state_words as usize,
        examples: &aggregate.examples,
    });
    scalars.chain(aggregates)
}

impl<'l> FunctionOf<'l> {
    /// The ways to run its examples, numbered from `first` on.
    fn cases(&self, first: usize) -> impl Iterator<Item = Case<'l>> {
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        let ways: &[bool] = if self.state_words == 0 {
            &[false, true]
        } else {
            &[false]
        };
        let examples = self
            .examples
            .iter()
            .flat_map(|example| ways.iter().map(move |way| (example, *way)));
        let (name, parameters, returns, state_words) = (self.name, self.parameters, self.returns, self.state_words);
        (first..).zip(examples).map(move |(number, (example, constants))| {
            let width = example.rows.first().map_or(parameters.len(), Vec::len);
            // The last parameter stands for all arguments beyond it.
            let parameter = |position: usize| parameters.get(position).or(parameters.last());
            Case {
                name,
                returns,
                state_words,
                example,
                kinds: (0..width)
                    .filter_map(|position| Some(parameter(position)?.kind))
                    .collect(),
                constants,
                number,
            }
        })
    }
}

impl Case<'_> {
    fn run(&self, guest: &mut LibraryGuest) -> Outcome {
        let result = if self.state_words == 0 {
            self.evaluate(guest)
        } else {
            self.aggregate(guest)
        };
        result.unwrap_or_else(Outcome::Failed)
    }

    fn evaluate(&self, guest: &mut LibraryGuest) -> Result<Outcome, CallError> {
        let row = self.example.rows.first().map_or(&[][..], Vec::as_slice);
        let bound = if self.constants {
            row.iter().cloned().map(BoundArgument::Literal).collect()
        } else {
            self.types()
        };
        let binding = self.binding(&bound)?;
        let returns = guest.try_bind(self.name, &binding.arguments)?;
        self.check_type(returns)?;
        let columns = if self.constants { Vec::new() } else { self.columns() };
        let columns: Vec<&Column> = columns.iter().collect();
        let rows = Rows {
            rows: 1,
            columns: &columns,
        };
        let (column, errors) = guest.evaluate(self.site(), &binding, rows)?;
        Ok(match errors.first() {
            Some(error) => Outcome::Error(error.message.clone()),
            None => Outcome::Value(Cell::of(&column, 0)),
        })
    }

    fn aggregate(&self, guest: &mut LibraryGuest) -> Result<Outcome, CallError> {
        let binding = self.binding(&self.types())?;
        let returns = guest.try_bind_aggregate(self.name, &binding.arguments)?;
        self.check_type(returns)?;
        let id = AccumulatorId(self.site().0);
        let columns = self.columns();
        let columns: Vec<&Column> = columns.iter().collect();
        let rows = Rows {
            rows: self.example.rows.len(),
            columns: &columns,
        };
        let state = guest.initial(id, &binding)?;
        let (states, errors) = guest.accumulate(id, &binding, &state, &vec![0; rows.rows], rows)?;
        if let Some(error) = errors.first() {
            return Ok(Outcome::Error(error.message.clone()));
        }
        match guest.finish(id, &binding, &states) {
            Ok(column) => Ok(Outcome::Value(Cell::of(&column, 0))),
            // `finish` has no other way to say that there is no result.
            Err(CallError::Failure(message)) => Ok(Outcome::Error(message)),
            Err(error) => Err(error),
        }
    }

    /// Fails unless the outcome is what the example says.
    fn check(&self, outcome: &Outcome) -> Result<(), SelfTestError> {
        let (holds, expected) = match (&self.example.expected, outcome) {
            (Expected::Value(expected), Outcome::Value(cell)) => (cell.is(expected), expected.to_string()),
            (Expected::Value(expected), Outcome::Error(_) | Outcome::Failed(_)) => (false, expected.to_string()),
            (Expected::Error, Outcome::Error(_)) => (true, String::new()),
            // A constant that makes no sense may be refused when it is bound.
            (Expected::Error, Outcome::Failed(CallError::Failure(_))) if self.constants => (true, String::new()),
            (Expected::Error, Outcome::Value(_) | Outcome::Failed(_)) => (false, "an error".to_owned()),
        };
        if holds {
            return Ok(());
        }
        Err(SelfTestError::Example {
            call: self.to_string(),
            expected,
            got: outcome.to_string(),
        })
    }

    fn agree(&self, fresh: &Outcome, used: &Outcome) -> Result<(), SelfTestError> {
        if fresh == used {
            return Ok(());
        }
        Err(SelfTestError::NotPure {
            call: self.to_string(),
            fresh: fresh.to_string(),
            used: used.to_string(),
        })
    }

    fn types(&self) -> Vec<BoundArgument> {
        self.kinds.iter().copied().map(BoundArgument::Type).collect()
    }

    fn binding(&self, arguments: &[BoundArgument]) -> Result<Binding, CallError> {
        let arguments = serde_json::to_string(arguments).map_err(|error| CallError::Failure(error.to_string()))?;
        Ok(Binding {
            function: self.name.to_owned(),
            arguments,
            returns: self.returns,
            state_words: self.state_words,
        })
    }

    fn check_type(&self, returns: Type) -> Result<(), CallError> {
        if returns == self.returns {
            return Ok(());
        }
        let described = self.returns;
        Err(CallError::BadResult(format!(
            "bind says that it returns {returns}, the description says {described}"
        )))
    }

    /// Every case is a place of its own that calls the function.
    fn site(&self) -> SiteId {
        SiteId(self.number)
    }

    fn columns(&self) -> Vec<Column> {
        let column = |(position, kind): (usize, &Type)| {
            let mut column = Column::empty(*kind);
            for row in &self.example.rows {
                push(&mut column, row.get(position).unwrap_or(&Literal::Null));
            }
            column
        };
        self.kinds.iter().enumerate().map(column).collect()
    }
}

/// Appends a value that fits, as the check of the description has found; null in place of one that does not.
fn push(column: &mut Column, value: &Literal) {
    let mut one = Column::empty(column.kind());
    match (&mut one.cells, value) {
        (Cells::Bools(bits), Literal::Bool(value)) => bits.push(*value),
        (Cells::Ints(values) | Cells::Times(values), Literal::Int(value)) => values.push(*value),
        (Cells::Floats(values), Literal::Float(value)) => values.push(*value),
        #[expect(
            clippy::cast_precision_loss,
            reason = "an int for a float means the float nearest to it"
        )]
        (Cells::Floats(values), Literal::Int(value)) => values.push(*value as f64),
        (Cells::Texts(texts) | Cells::Json(texts), Literal::Text(value)) => texts.push(value),
        _ => one.push_null(),
    }
    column.push_from(&one, 0);
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Value(cell) => write!(f, "{cell}"),
            Outcome::Error(message) => write!(f, "the error {message:?}"),
            Outcome::Failed(error) => write!(f, "no result ({error})"),
        }
    }
}

impl std::fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows: Vec<String> = self
            .example
            .rows
            .iter()
            .take(ROWS_SHOWN_MAX)
            .map(|row| format!("({})", list(&row.iter().map(Cell::from).collect::<Vec<_>>())))
            .collect();
        let dots = if self.example.rows.len() > ROWS_SHOWN_MAX {
            ", ..."
        } else {
            ""
        };
        let how = if self.constants { " with constants" } else { "" };
        write!(f, "{}{}{dots}{how}", self.name, rows.join(", "))
    }
}

impl From<&Literal> for Cell {
    fn from(value: &Literal) -> Self {
        match value {
            Literal::Null => Cell::Null,
            Literal::Bool(value) => Cell::Bool(*value),
            Literal::Int(value) => Cell::Int(*value),
            Literal::Float(value) => Cell::Float(value.to_bits()),
            Literal::Text(value) => Cell::Text(value.clone()),
        }
    }
}

/// The most rows of an aggregate's example that are shown.
const ROWS_SHOWN_MAX: usize = 5;
