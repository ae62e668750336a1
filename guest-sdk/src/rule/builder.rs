//! The two stages of a rule, and what both can do.

use super::call::{CallArguments, Drafts};
use super::column::{After, Before, Col, ColumnId};
use super::draft::{Draft, StepDraft};
use super::inputs::Inputs;
use super::prepared::{KernelDraft, Rule};
use super::setting::{Setting, SettingValue};
use crate::kind::Kind;
use crate::output::{KindOf, Return};
use std::cell::RefCell;
use std::marker::PhantomData;

/// A rule in the making: [`Messages`], and after a window [`Groups`].
///
/// Every method takes `&self`, so that columns can be made where they are used:
/// `groups.emit("t_av", groups.avg(temperature))`.
pub struct Stage<P> {
    pub(crate) draft: RefCell<Draft>,
    stage: PhantomData<P>,
}

/// The stage of messages: fields, steps per message, the filter.
pub type Messages = Stage<Before>;

/// The stage of groups whose window has closed: aggregates, steps per group, what is emitted.
pub type Groups = Stage<After>;

/// A stage that knows how its steps are kept.
pub trait Phase {
    #[doc(hidden)]
    const AFTER_WINDOW: bool;
}

impl Phase for Before {
    const AFTER_WINDOW: bool = false;
}

impl Phase for After {
    const AFTER_WINDOW: bool = true;
}

impl<P: Phase> Stage<P> {
    pub(crate) fn with(draft: Draft) -> Self {
        Stage {
            draft: RefCell::new(draft),
            stage: PhantomData,
        }
    }

    /// Calls a scalar function of a library over whole columns: `rule.call::<str>("split_value", (topic, "/", 1))`.
    /// The arguments are columns, settings and literals. `library.function` asks for a library; without it, it is the
    /// only loaded library that has the function. A library whose function returns another type than `T` is refused
    /// when the rule is loaded.
    pub fn call<T: Kind + ?Sized>(&self, function: &str, arguments: impl CallArguments<P>) -> Col<T, P> {
        let step = StepDraft::Call {
            function: function.into(),
            arguments: arguments.drafts(),
            returns: T::TYPE,
        };
        self.add_step(step)
    }

    /// Computes a column with a closure, in the rule's own code: `rule.compute("area", (a, b), |(a, b)| a * b)`. The
    /// inputs are columns and settings: one, or several in a tuple. A row where an input is null gives null, unless
    /// the input is [`Col::nullable`]. The closure returns a value, an `Option` for null, or a `Result` with
    /// [`crate::RowError`] for a row that cannot be computed.
    pub fn compute<I, R, F>(&self, name: &str, inputs: I, closure: F) -> Col<KindOf<R>, P>
    where
        I: Inputs<P>,
        R: Return,
        F: for<'r> Fn(I::Item<'r>) -> R + 'static,
    {
        let kernel = KernelDraft::new(inputs, closure);
        let mut draft = self.draft.borrow_mut();
        draft.kernels.push(kernel);
        let step = StepDraft::Kernel {
            name: name.to_owned(),
            kernel: draft.kernels.len() - 1,
        };
        drop(draft);
        self.add_step(step)
    }

    /// Something the deployment may set, with the value when it does not: `rule.setting("threshold", 80.0, "degrees
    /// Celsius")`.
    pub fn setting<V: SettingValue>(&self, name: &str, default: V, doc: &str) -> Setting<V::Kind> {
        self.add_setting(name, Some(default.literal()), doc)
    }

    /// Something the deployment must set; without it the rule is not loaded.
    pub fn required_setting<T: Kind + ?Sized>(&self, name: &str, doc: &str) -> Setting<T> {
        self.add_setting(name, None, doc)
    }

    /// Puts a column into the result under this name. A null is left out of its object.
    pub fn emit<T: ?Sized>(&self, name: &str, column: Col<T, P>) {
        self.draft.borrow_mut().emits.push((name.to_owned(), column.id));
    }

    /// Orders the rows of an emission by this column, smallest first, after what earlier calls asked for. Nulls last.
    pub fn order_by<T: ?Sized>(&self, column: Col<T, P>) {
        self.draft.borrow_mut().order.push((column.id, false));
    }

    /// Orders the rows of an emission by this column, largest first, after what earlier calls asked for. Nulls last.
    pub fn order_by_descending<T: ?Sized>(&self, column: Col<T, P>) {
        self.draft.borrow_mut().order.push((column.id, true));
    }

    /// Emits at most so many rows, the first in order.
    pub fn limit(&self, rows: u32) {
        self.draft.borrow_mut().limit = Some(rows);
    }

    /// The finished rule.
    pub fn done(self) -> Rule {
        Rule::new(self.draft.into_inner())
    }

    fn add_setting<T: Kind + ?Sized>(
        &self,
        name: &str,
        default: Option<rulemill_plan::Literal>,
        doc: &str,
    ) -> Setting<T> {
        self.draft.borrow_mut().settings.push(rulemill_plan::Setting {
            name: name.to_owned(),
            kind: T::TYPE,
            default,
            doc: doc.to_owned(),
        });
        Setting::new(name)
    }

    pub(super) fn add_step<T: ?Sized>(&self, step: StepDraft) -> Col<T, P> {
        let mut draft = self.draft.borrow_mut();
        let steps = if P::AFTER_WINDOW {
            &mut draft.after
        } else {
            &mut draft.before
        };
        steps.push(step);
        let position = steps.len() - 1;
        Col::new(if P::AFTER_WINDOW {
            ColumnId::AfterStep(position)
        } else {
            ColumnId::BeforeStep(position)
        })
    }
}
