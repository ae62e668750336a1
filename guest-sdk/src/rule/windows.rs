//! Windows over all messages together, and how the kinds of windows become plans.

use super::builder::{Groups, Messages, Stage};
use super::draft::milliseconds;
use rulemill_plan::Window;
use std::time::Duration;

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
    }
}
