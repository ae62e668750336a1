//! The kernels of a rule over invented rows: fresh and used instances must agree, whatever they give.

use super::cell::{Cell, RowOutcome, list, rows_of};
use super::types::{self, ColumnTypes};
use super::{SelfTest, SelfTestError, Time, invent};
use crate::rule::kernels::KernelsGuest;
use crate::rule::meter::Limit;
use rulemill_core::{CallError, Column, Rows};
use rulemill_plan::{ColumnIndex, Kernel, Literal, Plan, Step, Type};
use std::collections::BTreeMap;
use std::fmt;

/// What was found about a kernel at one place of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelTest {
    /// Its number.
    pub kernel: u32,
    /// Where the plan runs it, such as `before[1]`.
    pub at: String,
    /// What came of it.
    pub outcome: KernelOutcome,
}

/// What came of running a kernel over invented rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelOutcome {
    /// It gave the same in fresh and in used instances, for so many rows.
    Pure {
        /// Rows that were given to it.
        rows: usize,
        /// Those of them that it could not compute.
        row_errors: usize,
    },
    /// A call trapped, failed or gave what was not agreed, for some of the rows. That is allowed, as nobody need know
    /// what to do with invented rows.
    Failed(String),
    /// It could not be tried, for this reason.
    Untested(String),
}

/// Runs the kernels at every place of the plan. `start` makes a guest without an instance.
pub(super) fn check(
    start: impl Fn() -> KernelsGuest,
    places: &[Place<'_>],
    time: &mut Time,
) -> Result<SelfTest, SelfTestError> {
    let mut used = start();
    time.call()?;
    used.check().map_err(SelfTestError::Prepare)?;
    let mut memory_bytes_peak = 0;
    let mut runs: Vec<(Run<'_>, Outcome)> = Vec::new();
    for place in places {
        for run in place.runs() {
            let mut fresh = start();
            time.call()?;
            let outcome = run.run(&mut fresh);
            memory_bytes_peak = memory_bytes_peak.max(fresh.meter().memory_bytes_peak());
            if matches!(outcome, Outcome::Overran(_)) {
                // The others would take as long.
                runs.push((run, outcome));
                break;
            }
            time.call()?;
            run.agree(&outcome, &run.run(&mut used))?;
            runs.push((run, outcome));
        }
    }
    // Now the used instance has seen everything; what came last comes first.
    let comparable = runs
        .iter()
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Overran(_)));
    for (run, outcome) in comparable.rev() {
        time.call()?;
        run.agree(outcome, &run.run(&mut used))?;
    }
    Ok(SelfTest {
        examples: 0,
        kernels: places.iter().map(|place| place.sum_up(&runs)).collect(),
        memory_bytes_peak: memory_bytes_peak.max(used.meter().memory_bytes_peak()),
    })
}

/// One place of the plan that runs a kernel.
pub(super) struct Place<'p> {
    at: String,
    kernel: &'p Kernel,
    /// The types of its inputs, or the input whose type is not known.
    inputs: Result<Vec<Type>, ColumnIndex>,
}

/// One call of a kernel.
struct Run<'p> {
    place: &'p Place<'p>,
    outputs: Vec<Type>,
    columns: Vec<Column>,
    rows: usize,
}

/// What came of a call.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Rows(Vec<RowOutcome>),
    Failed(CallError),
    /// It took too long, which says more about the machine than about the guest.
    Overran(String),
}

/// Where the plan runs kernels.
pub(super) fn places(plan: &Plan) -> Vec<Place<'_>> {
    let types = ColumnTypes::of(plan);
    let parts = [
        ("before", &plan.before, &types.before),
        ("after", &plan.after, &types.after),
    ];
    let mut places = Vec::new();
    for (part, steps, kinds) in parts {
        for (position, step) in steps.iter().enumerate() {
            let Step::Kernel(kernel) = step else { continue };
            let kind = |index: &ColumnIndex| types::kind(kinds, index.position()).ok_or(*index);
            places.push(Place {
                at: format!("{part}[{position}]"),
                kernel,
                inputs: kernel.inputs.iter().map(kind).collect(),
            });
        }
    }
    places
}

/// The contract's JSON of the settings: those given, else the defaults.
pub(super) fn settings(plan: &Plan, given: &BTreeMap<String, Literal>) -> Result<String, String> {
    let mut settings = BTreeMap::new();
    for setting in &plan.settings {
        let value = given.get(&setting.name).or(setting.default.as_ref());
        let Some(value) = value.filter(|value| value.fits(setting.kind)) else {
            return Err(format!(
                "its setting {} ({}) must be set first",
                setting.name, setting.kind
            ));
        };
        settings.insert(setting.name.as_str(), widened(value, setting.kind));
    }
    serde_json::to_string(&settings).map_err(|error| error.to_string())
}

/// An int for a float setting is a float, as it will be when the rule runs.
fn widened(value: &Literal, kind: Type) -> Literal {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a float setting has the precision of a float")]
        Literal::Int(value) if kind == Type::Float => Literal::Float(*value as f64),
        Literal::Null | Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) | Literal::Text(_) => value.clone(),
    }
}

/// No kernel could be tried, for this reason.
pub(super) fn untested(places: &[Place<'_>], reason: &str) -> SelfTest {
    let untested = places.iter().map(|place| KernelTest {
        kernel: place.kernel.kernel,
        at: place.at.clone(),
        outcome: KernelOutcome::Untested(reason.to_owned()),
    });
    SelfTest {
        kernels: untested.collect(),
        ..SelfTest::default()
    }
}

impl<'p> Place<'p> {
    /// Three calls: with all values, with nulls, and without a row.
    fn runs(&'p self) -> Vec<Run<'p>> {
        let Ok(kinds) = &self.inputs else {
            return Vec::new();
        };
        let run = |columns: Vec<Column>, rows: usize| Run {
            place: self,
            outputs: self.kernel.outputs.iter().map(|output| output.kind).collect(),
            columns,
            rows,
        };
        vec![
            run(invent::columns(kinds), invent::ROWS),
            run(invent::columns_with_nulls(kinds), invent::ROWS),
            run(invent::empty_columns(kinds), 0),
        ]
    }

    fn sum_up(&self, runs: &[(Run<'_>, Outcome)]) -> KernelTest {
        let mut of_place = runs.iter().filter(|(run, _)| std::ptr::eq(run.place, self));
        let failed = of_place.clone().find_map(|(_, outcome)| match outcome {
            Outcome::Rows(_) => None,
            Outcome::Failed(error) => Some(error.to_string()),
            Outcome::Overran(reason) => Some(reason.clone()),
        });
        let outcome = match (&self.inputs, failed) {
            (Err(index), _) => KernelOutcome::Untested(format!(
                "the type of its input, column {}, is known only when the library is",
                index.0
            )),
            (Ok(_), Some(reason)) => KernelOutcome::Failed(reason),
            (Ok(_), None) => {
                let (mut rows, mut row_errors) = (0, 0);
                for (_, outcome) in of_place.by_ref() {
                    let Outcome::Rows(outcomes) = outcome else { continue };
                    rows += outcomes.len();
                    let is_error = |row: &&RowOutcome| matches!(row, RowOutcome::Error(_));
                    row_errors += outcomes.iter().filter(is_error).count();
                }
                KernelOutcome::Pure { rows, row_errors }
            }
        };
        KernelTest {
            kernel: self.kernel.kernel,
            at: self.at.clone(),
            outcome,
        }
    }
}

impl Run<'_> {
    fn run(&self, guest: &mut KernelsGuest) -> Outcome {
        let overruns = guest.meter().hits(Limit::CallTimeout);
        let columns: Vec<&Column> = self.columns.iter().collect();
        let input = Rows {
            rows: self.rows,
            columns: &columns,
        };
        match guest.run(self.place.kernel.kernel, input, &self.outputs) {
            Ok((columns, errors)) => Outcome::Rows(rows_of(&columns, &errors, self.rows)),
            Err(error) if guest.meter().hits(Limit::CallTimeout) > overruns => Outcome::Overran(error.to_string()),
            Err(error) => Outcome::Failed(error),
        }
    }

    fn agree(&self, fresh: &Outcome, used: &Outcome) -> Result<(), SelfTestError> {
        let (what, fresh, used) = match (fresh, used) {
            (Outcome::Overran(_), _) | (_, Outcome::Overran(_)) => return Ok(()),
            (Outcome::Rows(fresh), Outcome::Rows(used)) => {
                let differing = (0..self.rows).find(|&row| fresh.get(row) != used.get(row));
                let Some(row) = differing else { return Ok(()) };
                let input: Vec<Cell> = self.columns.iter().map(|column| Cell::of(column, row)).collect();
                (list(&input), fresh[row].to_string(), used[row].to_string())
            }
            // Their texts may tell of addresses; that both fail is enough.
            (Outcome::Failed(_), Outcome::Failed(_)) => return Ok(()),
            (fresh, used) => (format!("{} rows", self.rows), fresh.to_string(), used.to_string()),
        };
        Err(SelfTestError::NotPure {
            call: format!("kernel {} ({}) of ({what})", self.place.kernel.kernel, self.place.at),
            fresh,
            used,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Rows(_) => f.write_str("a result"),
            Outcome::Failed(error) => write!(f, "no result ({error})"),
            Outcome::Overran(reason) => f.write_str(reason),
        }
    }
}
