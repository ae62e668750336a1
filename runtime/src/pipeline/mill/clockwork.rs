//! How a mill that has nothing to do asks the recorder for the time, so that its windows end.

use tokio::sync::mpsc;

/// A mill's way to ask. It asks once, until something comes: whatever comes brings the time.
#[derive(Debug)]
pub(in super::super) struct Clockwork {
    number: usize,
    ask: mpsc::Sender<usize>,
    asked: bool,
}

impl Clockwork {
    /// For the mill with this number. `ask` must have room for the numbers of all mills.
    pub(in super::super) fn new(number: usize, ask: mpsc::Sender<usize>) -> Self {
        Clockwork {
            number,
            ask,
            asked: false,
        }
    }

    /// Asks for the time.
    pub(super) fn ask(&mut self) {
        self.asked |= self.ask.try_send(self.number).is_ok();
    }

    /// Whether it has asked, and nothing has come yet.
    pub(super) fn has_asked(&self) -> bool {
        self.asked
    }

    /// Something came.
    pub(super) fn heard(&mut self) {
        self.asked = false;
    }
}
