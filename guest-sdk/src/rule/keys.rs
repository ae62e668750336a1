//! Keys of groups: columns of messages that are columns of results too.

use super::builder::{Groups, Stage};
use super::column::{After, Before, Col, ColumnId};
use super::draft::Draft;
use super::windows::{Sliding, count, hopping, session, state, tumbling};
use crate::kind::Kind;
use rulemill_plan::Window;
use std::time::Duration;

/// Messages with the keys they will be grouped by; a window makes groups of them.
pub struct Grouped<K> {
    pub(crate) draft: Draft,
    pub(crate) keys: K,
}

/// The columns whose values form the key of a group: one, or several in a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a group",
    note = "use a column of messages, or several in a tuple"
)]
pub trait Keys {
    /// The same columns after the window.
    type After;

    #[doc(hidden)]
    fn ids(&self) -> Vec<OpaqueColumn>;
    #[doc(hidden)]
    fn after() -> Self::After;
}

/// A column as the builder keeps it.
#[doc(hidden)]
pub struct OpaqueColumn(ColumnId);

impl<K: Keys> Grouped<K> {
    /// Windows of this size, one after the other, aligned to the Unix epoch. Gives the stage of groups, and the keys
    /// as its columns. The size counts in whole milliseconds, at least one.
    pub fn tumbling(self, size: Duration) -> (Groups, K::After) {
        self.window(tumbling(size))
    }

    /// Windows of this size that overlap: one ends at each multiple of `hop` since the Unix epoch, and a message is in
    /// each window around it. Both count in whole milliseconds; `hop` is at least one and at most `size`.
    pub fn hopping(self, size: Duration, hop: Duration) -> (Groups, K::After) {
        self.window(hopping(size, hop))
    }

    /// A window that begins with a message, and ends when no message came for `timeout`, or after `max`. There is one for
    /// all messages of the rule together, not one for each key; its groups are those of the keys that came meanwhile.
    pub fn session(self, timeout: Duration, max: Duration) -> (Groups, K::After) {
        self.window(session(timeout, max))
    }

    /// Windows of the last `messages` of the rule, whichever their keys, one with every `every` of them, which are at least
    /// one and at most `messages`. A window begins and ends with its first and its last message.
    pub fn count(self, messages: u64, every: u64) -> (Groups, K::After) {
        self.window(count(messages, every))
    }

    /// A window around each message of the rule, whichever its key: the messages of the time before it, and with a
    /// [`Sliding::delay`] those that come after it. Give it a size, or a [`Sliding`].
    pub fn sliding(self, sliding: impl Into<Sliding>) -> (Groups, K::After) {
        let window = sliding.into().window(&self.draft);
        self.window(window)
    }

    /// Windows from a message for which `begin` is true to one for which `emit` is, both included. There is one for all
    /// messages of the rule together, not one for each key; those between two windows are left out.
    pub fn state(self, begin: Col<bool, Before>, emit: Col<bool, Before>) -> (Groups, K::After) {
        let window = state(begin, emit, &self.draft);
        self.window(window)
    }

    fn window(self, window: Window) -> (Groups, K::After) {
        let mut draft = self.draft;
        draft.keys = self.keys.ids().into_iter().map(|column| column.0).collect();
        draft.window = Some(window);
        (Stage::with(draft), K::after())
    }
}

/// Messages of which each is a group of its own, before it is said for which window.
#[must_use = "a window must follow, such as `tumbling`"]
pub struct EachRow {
    pub(crate) draft: Draft,
}

impl EachRow {
    /// Windows of this size; see [`Grouped::tumbling`].
    pub fn tumbling(self, size: Duration) -> Groups {
        self.window(tumbling(size))
    }

    /// Overlapping windows; see [`Grouped::hopping`].
    pub fn hopping(self, size: Duration, hop: Duration) -> Groups {
        self.window(hopping(size, hop))
    }

    /// A window that ends when no message came for so long; see [`Grouped::session`].
    pub fn session(self, timeout: Duration, max: Duration) -> Groups {
        self.window(session(timeout, max))
    }

    /// Windows of the last messages; see [`Grouped::count`].
    pub fn count(self, messages: u64, every: u64) -> Groups {
        self.window(count(messages, every))
    }

    /// A window around each message; see [`Grouped::sliding`].
    pub fn sliding(self, sliding: impl Into<Sliding>) -> Groups {
        let window = sliding.into().window(&self.draft);
        self.window(window)
    }

    /// Windows from a message to a message; see [`Grouped::state`].
    pub fn state(self, begin: Col<bool, Before>, emit: Col<bool, Before>) -> Groups {
        let window = state(begin, emit, &self.draft);
        self.window(window)
    }

    fn window(self, window: Window) -> Groups {
        let mut draft = self.draft;
        draft.each_row = true;
        draft.window = Some(window);
        Stage::with(draft)
    }
}

impl<T: Kind + ?Sized> Keys for Col<T, Before> {
    type After = Col<T, After>;

    fn ids(&self) -> Vec<OpaqueColumn> {
        vec![OpaqueColumn(self.id)]
    }

    fn after() -> Self::After {
        Col::new(ColumnId::Key(0))
    }
}

macro_rules! tuple {
    ($($name:ident $position:tt),*) => {
        impl<$($name: Kind + ?Sized),*> Keys for ($(Col<$name, Before>,)*) {
            type After = ($(Col<$name, After>,)*);

            fn ids(&self) -> Vec<OpaqueColumn> {
                vec![$(OpaqueColumn(self.$position.id)),*]
            }

            fn after() -> Self::After {
                ($(Col::new(ColumnId::Key($position)),)*)
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
