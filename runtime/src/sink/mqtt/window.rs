//! Which publishes of a connection wait for what: the bookkeeping between packet ids and emissions.
//!
//! Pure. An emission may be several publishes; it is done when the last of them is. Acknowledgements may come in any
//! order (AWS IoT Core does not keep it).

use crate::sink::outbox::Sequence;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The publishes of one connection that are not done.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Handed to the client, not yet written to the socket; the client writes them in this order.
    queued: VecDeque<Sequence>,
    /// Written, by packet id.
    written: HashMap<u16, (Sequence, Instant)>,
    /// The emissions with publishes that are not done.
    open: BTreeMap<Sequence, Open>,
}

/// An emission whose last publish is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Its place in the outbox.
    pub(crate) sequence: Sequence,
    /// How many rows went out.
    pub(crate) rows: usize,
    /// How many bytes of JSON it has.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Open {
    /// How many of its publishes are not done.
    publishes: usize,
    rows: usize,
    bytes: usize,
}

impl Window {
    /// Announces that `rows` rows of the emission `sequence`, of `bytes` bytes, go out as `publishes` publishes; at
    /// least one.
    pub(crate) fn expect(&mut self, sequence: Sequence, publishes: usize, rows: usize, bytes: usize) {
        let open = Open { publishes, rows, bytes };
        self.open.insert(sequence, open);
    }

    /// One publish of `sequence` was handed to the client.
    pub(crate) fn queued(&mut self, sequence: Sequence) {
        self.queued.push_back(sequence);
    }

    /// The client wrote its next publish to the socket at `now`; packet id 0 is QoS 0, which is done by that.
    /// Gives the emission that this finished.
    pub(crate) fn written(&mut self, packet: u16, now: Instant) -> Option<Finished> {
        let sequence = self.queued.pop_front()?;
        if packet == 0 {
            return self.publish_done(sequence);
        }
        self.written.insert(packet, (sequence, now));
        None
    }

    /// The broker acknowledged `packet`. Gives the emission that this finished.
    pub(crate) fn acknowledged(&mut self, packet: u16) -> Option<Finished> {
        let (sequence, _) = self.written.remove(&packet)?;
        self.publish_done(sequence)
    }

    /// How many publishes are not done.
    pub(crate) fn len(&self) -> usize {
        self.queued.len() + self.written.len()
    }

    /// Whether the broker has owed an acknowledgement for longer than `timeout`.
    pub(crate) fn is_overdue(&self, timeout: Duration, now: Instant) -> bool {
        self.written
            .values()
            .any(|(_, written)| now.saturating_duration_since(*written) >= timeout)
    }

    /// When the oldest publish that is not acknowledged was written.
    pub(crate) fn first_written(&self) -> Option<Instant> {
        self.written.values().map(|(_, written)| *written).min()
    }

    fn publish_done(&mut self, sequence: Sequence) -> Option<Finished> {
        let open = self.open.get_mut(&sequence)?;
        open.publishes = open.publishes.saturating_sub(1);
        if open.publishes > 0 {
            return None;
        }
        let Open { rows, bytes, .. } = self.open.remove(&sequence)?;
        Some(Finished { sequence, rows, bytes })
    }
}
