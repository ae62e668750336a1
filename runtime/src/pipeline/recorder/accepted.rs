//! What was accepted and is on its way to no mill yet.

use super::super::flow::{Batch, Gathering};
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
    /// Its first record, when it is in the journal.
    first: Option<Sequence>,
}

impl Accepted {
    /// Puts a delivery behind the others; `first` is its first record.
    pub(super) fn push(&mut self, delivery: Delivery, first: Option<Sequence>) {
        self.rows += delivery.messages.len();
        self.bytes += delivery.payload_bytes();
        self.deliveries.push_back(Waiting { delivery, first });
    }

    /// The next batch, and how many of its messages are in the journal.
    pub(super) fn next_batch(&mut self) -> Option<(Batch, usize)> {
        let journalled = self.deliveries.front()?.first.is_some();
        let mut gathering = Gathering::default();
        while let Some(waiting) = self
            .deliveries
            .pop_front_if(|next| next.first.is_some() == journalled && gathering.takes(&next.delivery))
        {
            self.rows -= waiting.delivery.messages.len();
            self.bytes -= waiting.delivery.payload_bytes();
            gathering.add(waiting.delivery);
        }
        let rows = if journalled { gathering.rows() } else { 0 };
        Some((gathering.finish(clock::arrival())?, rows))
    }

    /// The first record of a message that is in no batch.
    pub(super) fn first(&self) -> Option<Sequence> {
        self.deliveries.iter().find_map(|waiting| waiting.first)
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
