//! Which message makes the server close the connection, when one does.
//!
//! Pure. A server that does not like a message says so only by closing the connection, and what is not acknowledged is
//! sent again: without this, one such message would stop a sink for good. When connections are lost in a row without
//! one acknowledgement, whatever was in flight is sent alone, one message at a time, and the one over which the
//! connection is closed again and again is given up. Nothing is given up because a server is away: a connection on which
//! nothing was written proves nothing, and neither does one that just falls silent.

use crate::sink::outbox::Sequence;

/// The suspicion against the messages of one sink, over its connections.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    /// Connections lost in a row with publishes in flight and without one acknowledgement.
    losses: u32,
    /// Up to here, messages are sent alone.
    through: Option<Sequence>,
    /// The last message with which a connection was closed while it was alone, and how often.
    closed: Option<(Part, u32)>,
    /// The messages given up, all of one emission, whose other messages may be sent again.
    refused: Vec<Part>,
}

/// A message: its emission, and which of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The emission's place in the outbox.
    pub(crate) sequence: Sequence,
    /// The number of the message in it, from 0.
    pub(crate) number: usize,
}

impl Suspects {
    /// Whether a message after `cursor`, or the one at it, must be sent alone.
    pub(crate) fn alone(&self, cursor: Sequence) -> bool {
        self.through.is_some_and(|through| cursor <= through)
    }

    /// Whether this message was given up.
    pub(crate) fn is_refused(&self, part: Part) -> bool {
        self.refused.contains(&part)
    }

    /// The server acknowledged something.
    pub(crate) fn acknowledged(&mut self) {
        self.losses = 0;
    }

    /// A connection was lost with publishes in flight, the last of them of the emission `last`: whether messages are sent
    /// alone from now on and were not before.
    pub(crate) fn lost(&mut self, last: Sequence) -> bool {
        self.losses = self.losses.saturating_add(1);
        if self.losses < LOSSES || self.through >= Some(last) {
            return false;
        }
        self.losses = 0;
        self.through = Some(last);
        true
    }

    /// The server closed the connection when this message, alone, had just been written: whether it is given up.
    pub(crate) fn closed(&mut self, part: Part) -> bool {
        let before = match self.closed {
            Some((other, times)) if other == part => times,
            _ => 0,
        };
        self.closed = Some((part, before + 1));
        if before + 1 < CLOSED_ALONE {
            return false;
        }
        // Messages are sent alone in order, so the emissions before this one are done.
        self.refused.retain(|refused| refused.sequence == part.sequence);
        self.refused.push(part);
        self.closed = None;
        true
    }
}

/// So many connections are lost in a row before anything is suspected.
const LOSSES: u32 = 3;

/// So often must a connection be closed over a message alone: once may be chance.
pub(super) const CLOSED_ALONE: u32 = 2;
