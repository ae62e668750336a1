//! What happens to all connections of a proxy now: one value that each of them watches.

use super::{Acknowledgements, Direction};
use tokio::sync::watch;

/// The weather, and how it is changed.
#[derive(Debug)]
pub(super) struct Weather {
    now: watch::Sender<Now>,
}

/// The weather at one moment. Numbers that only grow tell a connection what happened since it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// How many hold everything up.
    holds: usize,
    /// How many swallow everything.
    swallows: usize,
    /// What becomes of PUBACKs to the client.
    pub(super) acknowledgements: Acknowledgements,
    /// How often connections were reset, and in which direction the packet goes that is torn.
    pub(super) resets: usize,
    pub(super) torn: Direction,
    /// How often connections were closed.
    pub(super) closes: usize,
}

/// Holds everything up until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Hold {
    now: watch::Sender<Now>,
}

/// Swallows everything until it is dropped, and then ends all connections: what was swallowed cannot be made good.
#[derive(Debug)]
#[must_use]
pub(super) struct Swallow {
    now: watch::Sender<Now>,
}

impl Default for Weather {
    fn default() -> Self {
        let (now, _) = watch::channel(Now {
            holds: 0,
            swallows: 0,
            acknowledgements: Acknowledgements::Pass,
            resets: 0,
            torn: Direction::ToClient,
            closes: 0,
        });
        Weather { now }
    }
}

impl Weather {
    pub(super) fn subscribe(&self) -> watch::Receiver<Now> {
        self.now.subscribe()
    }

    pub(super) fn hold(&self) -> Hold {
        self.now.send_modify(|now| now.holds += 1);
        Hold { now: self.now.clone() }
    }

    pub(super) fn swallow(&self) -> Swallow {
        self.now.send_modify(|now| now.swallows += 1);
        Swallow { now: self.now.clone() }
    }

    pub(super) fn set_acknowledgements(&self, mode: Acknowledgements) {
        self.now.send_modify(|now| now.acknowledgements = mode);
    }

    pub(super) fn reset(&self, torn: Direction) {
        self.now.send_modify(|now| {
            now.resets += 1;
            now.torn = torn;
        });
    }

    /// Ends all connections.
    pub(super) fn end(&self) {
        self.now.send_modify(|now| now.closes += 1);
    }
}

impl Now {
    pub(super) fn holds(&self) -> bool {
        self.holds > 0
    }

    pub(super) fn swallows(&self) -> bool {
        self.swallows > 0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.now.send_modify(|now| now.holds -= 1);
    }
}

impl Drop for Swallow {
    fn drop(&mut self) {
        self.now.send_modify(|now| {
            now.swallows -= 1;
            now.closes += 1;
        });
    }
}
