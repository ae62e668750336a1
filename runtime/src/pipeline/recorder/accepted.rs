//! What was accepted and is on its way to no mill yet.

use super::super::flow::{Batch, Gathering};
use super::super::journal::writing::{BatchRecord, Numbers};
use crate::clock;
use crate::limits::{ACCEPTED_BYTES_MAX, ACCEPTED_ROWS_MAX};
use crate::message::Delivery;
use rulemill_journal::log::Sequence;
use std::collections::VecDeque;

/// Deliveries in their order.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    deliveries: VecDeque<Waiting>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    /// Its records, when it is in the journal.
    numbers: Option<Numbers>,
}

impl Accepted {
    /// Puts a delivery behind the others, with its records if it is in the journal.
    pub(super) fn push(&mut self, delivery: Delivery, numbers: Option<Numbers>) {
        self.rows += delivery.messages.len();
        self.bytes += delivery.payload_bytes();
        self.deliveries.push_back(Waiting { delivery, numbers });
    }

    /// The next batch, and what the journal is to say of it, when its messages are there.
    pub(super) fn next_batch(&mut self) -> Option<(Batch, Option<BatchRecord>)> {
        let journalled = self.deliveries.front()?.numbers.is_some();
        let mut last = None;
        let mut gathering = Gathering::default();
        while let Some(waiting) = self
            .deliveries
            .pop_front_if(|next| next.numbers.is_some() == journalled && gathering.takes(&next.delivery))
        {
            self.rows -= waiting.delivery.messages.len();
            self.bytes -= waiting.delivery.payload_bytes();
            last = waiting.numbers.map(|numbers| numbers.last);
            gathering.add(waiting.delivery);
        }
        let now = clock::arrival();
        let record = last.map(|last| BatchRecord {
            messages: gathering.rows(),
            now,
            last,
        });
        Some((gathering.finish(now)?, record))
    }

    /// The first record of a message that is in no batch.
    pub(super) fn first(&self) -> Option<Sequence> {
        self.deliveries.iter().find_map(|waiting| Some(waiting.numbers?.first))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn has_room(&self) -> bool {
        self.rows < ACCEPTED_ROWS_MAX && self.bytes < ACCEPTED_BYTES_MAX
    }
}
