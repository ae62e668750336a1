//! The check of a plan against types, settings and loaded libraries; it makes the [`Program`] that the engine runs.
//!
//! All problems are reported at once, each with its place in the plan. Nothing here touches rows.

mod aggregates;
mod file;
mod kept;
mod lineage;
mod remember;
mod results;
mod settings;
mod size;
mod steps;
mod window;

pub use aggregates::built_in_aggregate_type;

use crate::program::{
    Action, AggregateLayout, Cut, FoldProgram, Layout, Lineage, Node, Program, Requirement, Slot, Source, TimeLayout,
};
use crate::{Bounds, Field, Guests, KernelsId};
use file::File;
use lineage::Origins;
use rulemill_plan::{Argument, BoundArgument, ColumnIndex, FORMAT, Fallback, Literal, Origin, Plan, Problem, Type};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One version of a rule, as the host wants it to run.
#[derive(Clone, Debug)]
pub struct RuleVersion {
    /// The rule's id; a version replaces the one with the same id.
    pub id: Arc<str>,
    /// What it does.
    pub plan: Arc<Plan>,
    /// Its prepared kernels; needed if the plan has kernel steps.
    pub kernels: Option<KernelsId>,
    /// What the deployment sets.
    pub settings: BTreeMap<String, Literal>,
    /// Another size for its windows, in milliseconds. Means nothing to a rule without a window.
    pub window_override_ms: Option<u64>,
    /// Its bounds.
    pub bounds: Bounds,
    /// What becomes of open windows when it replaces a version of another layout.
    pub on_change: OnChange,
    /// What the host knows this version by; it is asked for the version under this number when a snapshot is restored.
    pub tag: u64,
}

/// When a version of another layout begins. One of the same layout takes over the open windows in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// With the next window: the version before it finishes those that are open.
    #[default]
    Boundary,
    /// At once: the open windows of the version before it are closed as they are. The window that the change falls into
    /// is emitted twice, each time with a part of its rows.
    Now,
}

/// A plan that cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// Nothing is wrong but that these functions are not loaded; it may run once a library appears.
    Missing(Vec<Problem>),
    /// The plan, or what the deployment set, is wrong. These are all the problems found, missing functions included.
    Refused(Vec<Problem>),
}

impl CompileError {
    /// The problems, at least one.
    pub fn problems(&self) -> &[Problem] {
        match self {
            CompileError::Missing(problems) | CompileError::Refused(problems) => problems,
        }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems = self.problems();
        for (position, problem) in problems.iter().take(SHOWN_MAX).enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        match problems.len().checked_sub(SHOWN_MAX) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for CompileError {}

/// Checks a version and makes it executable.
pub(crate) fn compile(version: &RuleVersion, guests: &mut dyn Guests) -> Result<Program, CompileError> {
    let mut compiler = Compiler {
        plan: &version.plan,
        kernels: version.kernels,
        guests,
        problems: Vec::new(),
        missing: Vec::new(),
        sources: Vec::new(),
        origins: Origins::default(),
        memories: Vec::new(),
        settings: BTreeMap::new(),
    };
    size::check(&version.plan, &mut compiler.problems);
    if !compiler.problems.is_empty() {
        // What is too large is not looked at any further: that takes time and memory without end.
        return Err(CompileError::Refused(compiler.problems));
    }
    compiler.check_shape();
    compiler.settings = settings::resolve(&version.plan.settings, &version.settings, &mut compiler.problems);
    let program = compiler.program(version);
    let Compiler {
        mut problems, missing, ..
    } = compiler;
    if problems.is_empty() && missing.is_empty() {
        return Ok(program);
    }
    if problems.is_empty() {
        return Err(CompileError::Missing(missing));
    }
    problems.extend(missing);
    Err(CompileError::Refused(problems))
}

struct Compiler<'a> {
    plan: &'a Plan,
    kernels: Option<KernelsId>,
    guests: &'a mut dyn Guests,
    problems: Vec<Problem>,
    missing: Vec<Problem>,
    sources: Vec<Source>,
    origins: Origins,
    /// The origins of the steps that remember.
    memories: Vec<usize>,
    settings: BTreeMap<String, Literal>,
}

impl Compiler<'_> {
    /// Makes the program. Where there was a problem, it holds a stand-in, and is thrown away.
    fn program(&mut self, version: &RuleVersion) -> Program {
        let plan = self.plan;
        let (mut file, requirements) = self.needs();
        let before = self.steps((&plan.before, "before"), &mut file, Filter::keep(plan), version.bounds);
        let cut = self.cut(version.window_override_ms, version.bounds);
        self.check_conditions(&file);
        let keys = self.keys(&file);
        let (timing, time) = self.timing(&file, cut, version.bounds);
        let aggregates = self.aggregates(&file);
        let mut after_file = match plan.window {
            Some(_) => self.group_file(&file, &aggregates.kinds),
            None => file.clone(),
        };
        let group_names = after_file.names();
        let after = self.steps(
            (&plan.after, "after"),
            &mut after_file,
            Filter::having(plan),
            version.bounds,
        );
        let (emit_names, emits) = self.emits(&after_file);
        let mut layout = self.layout(&file, cut, time, aggregates.layouts);
        let bounds = size::shared(version.bounds, cut);
        let key_kinds: Vec<Type> = plan.keys.iter().filter_map(|&key| file.kind(key)).collect();
        let has_kernels = before.iter().any(|action| matches!(action, Action::Kernel { .. }));
        let mut fold = FoldProgram {
            kernels: version.kernels.filter(|_| has_kernels),
            requirements,
            before,
            keys_by_topic: !keys.is_empty() && keys.iter().all(|&key| self.by_topic(key)),
            groups_max: size::groups_max(bounds.groups_max, key_kinds.len(), &aggregates.uses),
            key_kinds,
            each_row: plan.each_row,
            keys,
            timing,
            cut,
            kept: None,
            aggregates: aggregates.uses,
            states: aggregates.states,
            bounds,
            sources: std::mem::take(&mut self.sources),
        };
        fold.kept = self.kept(&file, &fold);
        layout.kept = fold.kept.as_ref().map_or_else(Vec::new, |kept| kept.kinds.clone());
        Program {
            id: Arc::clone(&version.id),
            tag: version.tag,
            fold: Arc::new(fold),
            kernels: version.kernels,
            after,
            order: self.order(&after_file),
            limit: plan.limit.map(|limit| limit as usize),
            emit_names,
            emits,
            group_names,
            layout,
        }
    }

    fn layout(&self, file: &File, cut: Option<Cut>, time: TimeLayout, aggregates: Vec<AggregateLayout>) -> Layout {
        let plan = self.plan;
        let origin = |&index: &ColumnIndex| file.origin(index);
        let arguments = plan.aggregates.iter().flat_map(|aggregate| &aggregate.arguments);
        // Without a window, only what steps remember is state, and what filters rows before these is part of them.
        let of_windows = plan.window.is_some() || self.memories.is_empty();
        Layout {
            keys: plan.keys.iter().filter_map(|&key| file.kind(key)).collect(),
            each_row: plan.each_row,
            keep: self.lineage(plan.keep.iter().filter(|_| of_windows).filter_map(origin)),
            groups: self.lineage(plan.keys.iter().filter_map(origin)),
            arguments: self.lineage(arguments.filter_map(|argument| match argument {
                Argument::Column(index) => origin(index),
                Argument::Literal(_) | Argument::Setting(_) => None,
            })),
            cut,
            marks: self.lineage(self.marks().iter().filter_map(origin)),
            content: self.lineage(plan.content.iter().filter_map(origin)),
            kept: Vec::new(),
            memories: self.lineage(self.memories.iter().copied()),
            time,
            aggregates,
        }
    }

    fn lineage(&self, columns: impl IntoIterator<Item = usize>) -> Lineage {
        let mut lineage = self.origins.lineage(columns);
        if lineage.has_kernel() {
            // As text, in which a NaN is like another one.
            lineage.settings = Some(format!("{:?}", self.settings).into());
        }
        lineage
    }

    /// What is wrong without looking at any column.
    fn check_shape(&mut self) {
        let plan = self.plan;
        if plan.format == 0 || plan.format > FORMAT {
            let message = format!("format must be 1 to {FORMAT}, got {}", plan.format);
            self.problem("format", message);
        }
        if plan.each_row && !plan.keys.is_empty() {
            self.problem(
                "each_row",
                "every row is a group of its own, so there can be no keys".to_owned(),
            );
        }
        if plan.window.is_none() {
            for (name, there) in [
                ("keys", !plan.keys.is_empty()),
                ("each_row", plan.each_row),
                ("aggregates", !plan.aggregates.is_empty()),
                ("event_time", plan.event_time.is_some()),
                ("content", plan.content.is_some()),
            ] {
                if there {
                    self.problem(name, format!("{name} need a window, and the plan has none"));
                }
            }
        }
    }

    fn needs(&mut self) -> (File, Vec<Requirement>) {
        let mut file = File::default();
        let mut requirements = Vec::new();
        for (position, need) in self.plan.needs.iter().enumerate() {
            let allowed = need.origin.types();
            if !allowed.contains(&need.kind) {
                let allowed: Vec<&str> = allowed.iter().map(|kind| kind.name()).collect();
                let message = format!(
                    "{} can be read as {}, not as {}",
                    need.origin,
                    allowed.join(" or "),
                    need.kind
                );
                self.problem(&format!("needs[{position}].type"), message);
            }
            let source = match need.origin {
                Origin::Topic => Source::Topic,
                _ => Source::Field(Field {
                    origin: need.origin.clone(),
                    kind: need.kind,
                }),
            };
            if let Source::Field(field) = &source
                && (need.missing == Fallback::Reject || need.mistyped == Fallback::Reject)
            {
                let field = field.clone();
                requirements.push(Requirement {
                    source: self.source(source.clone()),
                    field,
                    missing: need.missing,
                    mistyped: need.mistyped,
                });
            }
            let origin = self.origins.number(match &source {
                Source::Field(field) => Node::Field(field.clone()),
                Source::Topic | Source::Call(_) => Node::Topic,
            });
            let slot = Slot::Source(self.source(source));
            file.push(&need.name, slot, Some(need.kind), Some(origin));
        }
        (file, requirements)
    }

    fn keys(&mut self, file: &File) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (position, &key) in self.plan.keys.iter().enumerate() {
            slots.extend(
                self.column(file, key, &format!("keys[{position}]"))
                    .map(|(slot, _)| slot),
            );
        }
        slots
    }

    /// The slot and the type of a column; a problem if there is none. The type is unknown after an earlier problem.
    fn column(&mut self, file: &File, index: ColumnIndex, at: &str) -> Option<(Slot, Option<Type>)> {
        let found = file.get(index);
        if found.is_none() {
            let message = match file.len() {
                0 => format!("there is no column {}: no column exists at this point", index.0),
                len => format!(
                    "there is no column {}: the columns at this point are 0 to {}",
                    index.0,
                    len - 1
                ),
            };
            self.problem(at, message);
        }
        found
    }

    /// What `bind` is told of the arguments, and the slots of those that are columns. `None` after a problem.
    fn arguments(&mut self, arguments: &[Argument], file: &File, at: &str) -> Option<(Vec<BoundArgument>, Vec<Slot>)> {
        let mut bound = Vec::new();
        let mut slots = Vec::new();
        let mut complete = true;
        for (position, argument) in arguments.iter().enumerate() {
            let at = format!("{at}.arguments[{position}]");
            let one = match argument {
                Argument::Column(index) => self.column(file, *index, &at).and_then(|(slot, kind)| {
                    slots.push(slot);
                    kind.map(BoundArgument::Type)
                }),
                Argument::Literal(literal) => Some(BoundArgument::Literal(literal.clone())),
                Argument::Setting(name) => self.setting(name, &at).map(BoundArgument::Literal),
            };
            complete &= one.is_some();
            bound.extend(one);
        }
        complete.then_some((bound, slots))
    }

    fn setting(&mut self, name: &str, at: &str) -> Option<Literal> {
        let value = self.settings.get(name).cloned();
        // A declared setting without a value has been reported already.
        if value.is_none() && !self.plan.settings.iter().any(|setting| setting.name == name) {
            self.problem(at, format!("the plan declares no setting {name:?}"));
        }
        value
    }

    /// The position of a source in the program, new or known.
    fn source(&mut self, source: Source) -> usize {
        match self.sources.iter().position(|known| *known == source) {
            Some(position) => position,
            None => {
                self.sources.push(source);
                self.sources.len() - 1
            }
        }
    }

    fn by_topic(&self, slot: Slot) -> bool {
        match slot {
            Slot::Source(source) => self.sources[source].by_topic(),
            Slot::Local(_) => false,
        }
    }

    fn problem(&mut self, at: &str, message: String) {
        self.problems.push(Problem {
            at: at.to_owned(),
            message,
        });
    }
}

/// The boolean column that filters rows once it exists.
#[derive(Clone, Copy)]
struct Filter {
    column: Option<ColumnIndex>,
    name: &'static str,
}

impl Filter {
    fn keep(plan: &Plan) -> Self {
        Filter {
            column: plan.keep,
            name: "keep",
        }
    }

    fn having(plan: &Plan) -> Self {
        Filter {
            column: plan.having,
            name: "having",
        }
    }
}

/// The most problems in the text of an error.
const SHOWN_MAX: usize = 20;

/// Milliseconds from outside as microseconds; a quarter of the range leaves room for sums.
fn micros(millis: u64) -> i64 {
    i64::try_from(millis.saturating_mul(1000))
        .unwrap_or(i64::MAX)
        .min(i64::MAX / 4)
}
