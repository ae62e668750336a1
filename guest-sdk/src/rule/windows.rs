//! Windows over all messages together, and how the kinds of windows become plans.

use super::builder::{Groups, Messages, Stage};
use super::column::{Before, Col, ColumnId};
use super::draft::{Draft, milliseconds};
use rulemill_plan::Window;
use std::time::Duration;

/// Windows around a message, each of the time before it: `Sliding::of(size)`, or just the size.
pub struct Sliding {
    size: Duration,
    delay: Duration,
    when: Option<ColumnId>,
}

impl Sliding {
    /// Windows of this size, one for each message, which is the last one in it. The size counts in whole milliseconds, at
    /// least one.
    pub fn of(size: Duration) -> Self {
        Sliding {
            size,
            delay: Duration::ZERO,
            when: None,
        }
    }

    /// Ends a window so long after its message instead of with it.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Sliding { delay, ..self }
    }

    /// Only messages for which the column is true have a window; null is false. The others are in the windows of these.
    #[must_use]
    pub fn when(self, condition: Col<bool, Before>) -> Self {
        Sliding {
            when: Some(condition.id),
            ..self
        }
    }

    pub(super) fn window(&self, draft: &Draft) -> Window {
        Window::Sliding {
            size_ms: milliseconds(self.size),
            delay_ms: milliseconds(self.delay),
            when: self.when.map(|id| draft.index(id)),
        }
    }
}

impl From<Duration> for Sliding {
    fn from(size: Duration) -> Self {
        Sliding::of(size)
    }
}

impl Messages {
    /// Windows of this size over all messages together, without a key; see [`Grouped::tumbling`](super::Grouped::tumbling).
    pub fn tumbling(self, size: Duration) -> Groups {
        self.window(tumbling(size))
    }

    /// Overlapping windows over all messages together, without a key; see
    /// [`Grouped::hopping`](super::Grouped::hopping).
    pub fn hopping(self, size: Duration, hop: Duration) -> Groups {
        self.window(hopping(size, hop))
    }

    /// A window that ends when no message came for so long, over all messages together; see
    /// [`Grouped::session`](super::Grouped::session).
    pub fn session(self, timeout: Duration, max: Duration) -> Groups {
        self.window(session(timeout, max))
    }

    /// Windows of the last messages; see [`Grouped::count`](super::Grouped::count).
    pub fn count(self, messages: u64, every: u64) -> Groups {
        self.window(count(messages, every))
    }

    /// A window around each message; see [`Grouped::sliding`](super::Grouped::sliding).
    pub fn sliding(self, sliding: impl Into<Sliding>) -> Groups {
        let window = sliding.into().window(&self.draft.borrow());
        self.window(window)
    }

    /// Windows from a message to a message; see [`Grouped::state`](super::Grouped::state).
    pub fn state(self, begin: Col<bool, Before>, emit: Col<bool, Before>) -> Groups {
        let window = state(begin, emit, &self.draft.borrow());
        self.window(window)
    }

    fn window(self, window: Window) -> Groups {
        let mut draft = self.draft.into_inner();
        draft.window = Some(window);
        Stage::with(draft)
    }
}

pub(super) fn tumbling(size: Duration) -> Window {
    Window::Tumbling {
        size_ms: milliseconds(size),
    }
}

pub(super) fn hopping(size: Duration, hop: Duration) -> Window {
    Window::Hopping {
        size_ms: milliseconds(size),
        hop_ms: milliseconds(hop),
    }
}

pub(super) fn session(timeout: Duration, max: Duration) -> Window {
    Window::Session {
        timeout_ms: milliseconds(timeout),
        max_ms: milliseconds(max),
    }
}

pub(super) fn count(messages: u64, every: u64) -> Window {
    Window::Count { rows: messages, every }
}

pub(super) fn state(begin: Col<bool, Before>, emit: Col<bool, Before>, draft: &Draft) -> Window {
    Window::State {
        begin: draft.index(begin.id),
        emit: draft.index(emit.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(build: impl Fn(Messages) -> Groups, expect: Window) {
        let messages = Messages::new("windows");
        messages.topics(["a"]);
        let groups = build(messages);
        groups.emit("n", groups.count());
        let rule = groups.done();
        assert_eq!(rule.plan().window, Some(expect));
        assert_eq!(rule.plan().check(), []);
    }

    #[test]
    fn each_kind_of_window_is_in_the_plan() {
        check(|messages| messages.tumbling(SECOND), Window::Tumbling { size_ms: 1000 });
        let hopping = Window::Hopping {
            size_ms: 1000,
            hop_ms: 500,
        };
        check(|messages| messages.hopping(SECOND, SECOND / 2), hopping);
        let keyed = |messages: Messages| {
            let topic = messages.topic();
            messages.group_by(topic).hopping(SECOND, SECOND / 2).0
        };
        check(keyed, hopping);
        let session = Window::Session {
            timeout_ms: 1000,
            max_ms: 3000,
        };
        check(|messages| messages.session(SECOND, SECOND * 3), session);
        check(|messages| messages.count(5, 2), Window::Count { rows: 5, every: 2 });
        let sliding = |delay_ms, when| Window::Sliding {
            size_ms: 1000,
            delay_ms,
            when,
        };
        check(|messages| messages.sliding(SECOND), sliding(0, None));
        let conditional = |messages: Messages| {
            let temperature = messages.field::<f64>("temperature");
            let hot = messages.compute("hot", temperature, |temperature| temperature > 30.0);
            messages
                .group_by(temperature)
                .sliding(Sliding::of(SECOND).delay(SECOND / 2).when(hot))
                .0
        };
        let state = |messages: Messages| {
            let (on, off) = (messages.field::<bool>("on"), messages.field::<bool>("off"));
            messages.state(on, off)
        };
        let (begin, emit) = (rulemill_plan::ColumnIndex(0), rulemill_plan::ColumnIndex(1));
        check(state, Window::State { begin, emit });
        check(conditional, sliding(500, Some(rulemill_plan::ColumnIndex(1))));
    }

    #[test]
    fn what_is_in_groups_is_in_the_plan() {
        let messages = Messages::new("content");
        messages.topics(["a"]);
        messages.content(messages.field::<bool>("good"));
        let groups = messages.count(5, 1);
        groups.emit("n", groups.count());
        let rule = groups.done();
        assert_eq!(rule.plan().content, Some(rulemill_plan::ColumnIndex(0)));
        assert_eq!(rule.plan().check(), []);
    }
}
