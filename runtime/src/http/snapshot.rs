//! What the pipeline publishes for the answers: the rules, the functions, and whether everything works.

use crate::config::Sidecar;
use crate::telemetry::guest::GuestMetrics;
use crate::telemetry::rule::{FunctionMetrics, RuleMetrics};
use crate::telemetry::shadow::ShadowMetrics;
use rulemill_core::Micros;
use rulemill_plan::{AggregateFunction, Plan, ScalarFunction};
use std::sync::Arc;

/// The state at one moment. A new one is published when anything in it changes; counters change without.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The rules and libraries, by id.
    pub rules: Vec<RuleStatus>,
    /// The functions of the loaded libraries.
    pub functions: Vec<FunctionStatus>,
    /// The streams that queries can name.
    pub streams: Vec<StreamStatus>,
    /// Whether everything works.
    pub readiness: Readiness,
}

/// A stream that a file of SQL defines.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamStatus {
    /// Its name.
    pub name: String,
    /// Its name, fields and options as eKuiper describes them.
    pub description: serde_json::Value,
}

/// Whether rulemill is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Readiness {
    /// It has not come so far yet.
    #[default]
    Starting,
    /// Sources are connected and rules are loaded.
    Ready,
    /// What is missing, in words for people: `source default is not connected`. Not empty.
    NotReady(Vec<String>),
}

/// One file of the rules directory.
#[derive(Clone, Debug)]
pub struct RuleStatus {
    /// The name of the file without `.wasm`.
    pub id: Arc<str>,
    /// Whether it is a rule or a library.
    pub kind: GuestKind,
    /// Whether it runs.
    pub state: RunState,
    /// The version that runs, or that finishes its windows, if any does.
    pub running: Option<RunningVersion>,
    /// The latest version, when it was refused.
    pub refused: Option<Refused>,
    /// The version that runs in its shadow, if any does.
    pub shadow: Option<ShadowStatus>,
    /// The rule file as it is written, if it is one.
    pub document: Option<Arc<str>>,
    /// What the file beside it sets.
    pub sidecar: Arc<Sidecar>,
    /// Its counters.
    pub metrics: RuleMetrics,
    /// What it does to its limits.
    pub guest: GuestMetrics,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    /// It exports `rule`.
    Rule,
    /// It exports `functions`.
    Library,
    /// It could not be read so far as to say.
    Unknown,
}

/// Whether a file's code runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It runs.
    Running,
    /// The file is gone, and the rule's last windows are still open.
    Draining,
    /// Only a version that emits nothing runs.
    Shadow,
    /// It will run when something is there that it needs: `function split_value of library text`.
    Waiting(String),
    /// No version of it can run, for this reason.
    Stopped(String),
}

/// The version that runs.
#[derive(Clone, Debug)]
pub struct RunningVersion {
    /// The name it gives itself.
    pub name: String,
    /// The version it gives itself; may be empty.
    pub version: String,
    /// What it says it is for; may be empty.
    pub doc: String,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
    /// When it was taken.
    pub loaded_at: Micros,
    /// The plan of a rule; `None` for a library.
    pub plan: Option<Arc<Plan>>,
}

/// A version that runs without emitting.
#[derive(Clone, Debug)]
pub struct ShadowStatus {
    /// The version.
    pub version: RunningVersion,
    /// Why its results are not compared, when they are not.
    pub not_compared: Option<String>,
    /// How its results compare with those of the version that runs.
    pub comparison: ShadowMetrics,
    /// Its counters.
    pub metrics: RuleMetrics,
}

/// A version that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
    /// When.
    pub at: Micros,
    /// Why, for people.
    pub reason: String,
}

/// One function of a loaded library.
#[derive(Clone, Debug)]
pub struct FunctionStatus {
    /// The library's name.
    pub library: Arc<str>,
    /// The library's version; may be empty.
    pub version: String,
    /// The function.
    pub function: Function,
    /// Its counters.
    pub metrics: FunctionMetrics,
}

/// A function as its library describes it.
#[derive(Clone, Debug)]
pub enum Function {
    /// One value a row.
    Scalar(Arc<ScalarFunction>),
    /// One value a group.
    Aggregate(Arc<AggregateFunction>),
}

impl Function {
    /// The name by which rules call it.
    pub fn name(&self) -> &str {
        match self {
            Function::Scalar(scalar) => &scalar.name,
            Function::Aggregate(aggregate) => &aggregate.name,
        }
    }
}
