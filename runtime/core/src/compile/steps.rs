//! The steps of a plan: which of them the stream's rules can share, and what the others do to the rule's own frame.

use super::{Compiler, File, Filter};
use crate::program::{Action, Node, SharedCall, Slot, Source};
use crate::{BindError, Bounds};
use rulemill_plan::{Argument, Call, ColumnIndex, Kernel, Problem, Step, Type};

impl Compiler<'_> {
    /// Compiles the steps of `before` or `after`, with the filter as soon as its column exists.
    pub(super) fn steps(
        &mut self,
        (steps, part): (&[Step], &str),
        file: &mut File,
        filter: Filter,
        bounds: Bounds,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut filtered = self.filter(file, filter, &mut actions);
        for (position, step) in steps.iter().enumerate() {
            match step {
                Step::Call(call) => {
                    let at = format!("{part}[{position}].call");
                    // With a window, the frame of `after` has no sources, so nothing in it is shareable by itself;
                    // without one, a call in `after` sees only what `keep` left.
                    let shareable = !filtered && part == "before";
                    actions.extend(self.call(call, file, shareable, &at));
                }
                Step::Kernel(kernel) => {
                    let at = format!("{part}[{position}].kernel");
                    actions.extend(self.kernel(kernel, file, &at));
                }
                Step::Remember(remember) => {
                    let at = format!("{part}[{position}].remember");
                    if part != "before" {
                        self.problem(&at, "only a step of `before` can remember rows".to_owned());
                    }
                    let kept = filter.column.filter(|_| filtered);
                    actions.extend(self.remember(remember, file, (kept, bounds), &at));
                }
            }
            filtered = filtered || self.filter(file, filter, &mut actions);
        }
        if let Some(index) = filter.column
            && !filtered
        {
            self.column(file, index, filter.name);
        }
        actions
    }

    /// Adds the filter if its column exists.
    fn filter(&mut self, file: &File, filter: Filter, actions: &mut Vec<Action>) -> bool {
        let Some((index, (slot, kind))) = filter.column.and_then(|index| Some((index, file.get(index)?))) else {
            return false;
        };
        match kind {
            Some(Type::Bool) | None => {}
            Some(kind) => {
                let message = format!(
                    "{} must be a bool, and {} is of type {kind}",
                    filter.name,
                    file.name(index)
                );
                self.problem(filter.name, message);
            }
        }
        actions.push(Action::Keep(slot));
        true
    }

    fn call(&mut self, call: &Call, file: &mut File, shareable: bool, at: &str) -> Option<Action> {
        let bound = self
            .arguments(&call.arguments, file, at)
            .and_then(|(arguments, slots)| self.bind(call, &arguments, at).map(|bound| (bound, slots)));
        let Some(((site, returns, immutable), inputs)) = bound else {
            file.push_local(&call.name, call.returns, None);
            return None;
        };
        if let Some(promised) = call.returns
            && promised != returns
        {
            let message = format!("{} returns {returns}, and the rule relies on {promised}", call.function);
            self.problem(&format!("{at}.returns"), message);
        }
        let label = call.function.clone();
        let columns = call.arguments.iter().filter_map(|argument| match argument {
            Argument::Column(index) => Some(*index),
            Argument::Literal(_) | Argument::Setting(_) => None,
        });
        let origin = origins_of(file, columns).map(|inputs| self.origins.number(Node::Call { site, inputs }));
        if let Some(sources) = self.shared_inputs(&inputs, shareable, immutable) {
            let by_topic = immutable && self.all_by_topic(&sources);
            let source = self.source(Source::Call(SharedCall {
                site,
                inputs: sources,
                returns,
                by_topic,
            }));
            file.push(&call.name, Slot::Source(source), Some(returns), origin);
            return Some(Action::Check { source, label });
        }
        file.push_local(&call.name, Some(returns), origin);
        Some(Action::Call {
            site,
            inputs,
            returns,
            label,
        })
    }

    /// The sources of a call that can be shared: all its inputs are the stream's, and it sees all rows. What depends on
    /// the topic alone can always be shared, because nobody can tell for which rows an immutable function ran.
    fn shared_inputs(&self, inputs: &[Slot], shareable: bool, immutable: bool) -> Option<Vec<usize>> {
        let sources: Option<Vec<usize>> = inputs
            .iter()
            .map(|&slot| match slot {
                Slot::Source(source) => Some(source),
                Slot::Local(_) => None,
            })
            .collect();
        let by_topic = |sources: &[usize]| immutable && !sources.is_empty() && self.all_by_topic(sources);
        sources.filter(|sources| shareable || by_topic(sources))
    }

    fn all_by_topic(&self, sources: &[usize]) -> bool {
        sources.iter().all(|&source| self.sources[source].by_topic())
    }

    fn bind(
        &mut self,
        call: &Call,
        arguments: &[rulemill_plan::BoundArgument],
        at: &str,
    ) -> Option<(crate::SiteId, Type, bool)> {
        match self
            .guests
            .bind_scalar(call.library.as_deref(), &call.function, arguments)
        {
            Ok(bound) => Some((bound.site, bound.returns, bound.immutable)),
            Err(error) => {
                self.bind_error(error, &format!("{at}.function"));
                None
            }
        }
    }

    /// Notes a function that could not be bound.
    pub(super) fn bind_error(&mut self, error: BindError, at: &str) {
        let at = at.to_owned();
        match error {
            BindError::Missing(message) => self.missing.push(Problem { at, message }),
            BindError::Refused(message) => self.problems.push(Problem { at, message }),
        }
    }

    fn kernel(&mut self, kernel: &Kernel, file: &mut File, at: &str) -> Option<Action> {
        let mut inputs = Vec::new();
        for (position, &index) in kernel.inputs.iter().enumerate() {
            let found = self.column(file, index, &format!("{at}.inputs[{position}]"));
            inputs.extend(found.map(|(slot, _)| slot));
        }
        if self.kernels.is_none() {
            self.problem(
                at,
                "the rule has kernel steps, and its kernels were not prepared".to_owned(),
            );
        }
        if kernel.outputs.is_empty() {
            self.problem(at, "a kernel returns at least one column".to_owned());
        }
        let run = origins_of(file, kernel.inputs.iter().copied()).map(|inputs| {
            let kernel = kernel.kernel;
            self.origins.number(Node::Kernel { kernel, inputs })
        });
        for (position, output) in kernel.outputs.iter().enumerate() {
            let kind = output.kind;
            let origin = run.map(|run| {
                self.origins.number(Node::Output {
                    kernel: [run],
                    position,
                    kind,
                })
            });
            file.push_local(&output.name, Some(kind), origin);
        }
        Some(Action::Kernel {
            kernel: kernel.kernel,
            inputs,
            outputs: kernel.outputs.iter().map(|output| output.kind).collect(),
            label: format!("kernel {}", kernel.kernel),
        })
    }
}

/// The origins of columns, unless one has none.
fn origins_of(file: &File, columns: impl Iterator<Item = ColumnIndex>) -> Option<Vec<usize>> {
    columns.map(|index| file.origin(index)).collect()
}

/// A column by its position, for messages.
pub(super) fn described(file: &File, index: ColumnIndex) -> String {
    format!("column {} ({})", index.0, file.name(index))
}
