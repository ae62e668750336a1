//! What was taken from a broker and is on its way to the mills.
//!
//! Holds a bounded queue and the packet ids to acknowledge. It lives longer than a connection: QoS 0 messages of a
//! lost connection still go to the mills, and QoS 1 messages are kept until the next CONNACK tells whether the broker
//! will send them again.

use super::super::inlet::Inlet;
use super::super::topic_names::TopicNames;
use super::orders::Orders;
use crate::clock;
use crate::handover::{Closed, Offer};
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX};
use crate::message::Message;
use crate::telemetry::source::SourceMetrics;
use futures_util::FutureExt as _;
use rumqttc::{Publish, QoS};
use std::collections::VecDeque;
use std::sync::Arc;

/// Between a connection and the inlet.
pub(super) struct Intake {
    inlet: Inlet,
    orders: Orders,
    metrics: Arc<SourceMetrics>,
    names: TopicNames,
    /// Taken, not yet offered to the inlet.
    queue: VecDeque<Held>,
    /// The payload bytes in `queue`.
    queue_bytes: usize,
    /// The batch that waits for room in the inlet.
    offered: Option<Offered>,
    /// Packet ids of this connection whose messages were accepted, in order of arrival.
    accepted: VecDeque<u16>,
    /// QoS 1 messages of the last connection that were not accepted when it ended.
    unsettled: Vec<Message>,
}

/// What happens to QoS 1 messages that a lost connection had not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// The broker keeps the session, and sends them again if it still has it.
    Kept,
    /// The broker forgets them.
    Clean,
}

struct Held {
    message: Message,
    /// The packet id to acknowledge.
    ack: Option<u16>,
}

struct Offered {
    messages: Arc<[Message]>,
    acks: Vec<Option<u16>>,
    offer: Offer,
}

impl Intake {
    /// `orders` say for whom messages are when they are handed over.
    pub(super) fn new(inlet: Inlet, orders: Orders, metrics: Arc<SourceMetrics>) -> Self {
        Intake {
            inlet,
            orders,
            metrics,
            names: TopicNames::new(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            offered: None,
            accepted: VecDeque::new(),
            unsettled: Vec::new(),
        }
    }

    /// Takes a message in, whether or not there is room.
    pub(super) fn take(&mut self, publish: Publish) {
        let (message, ack) = self.unpack(publish);
        self.queue_bytes += message.payload.len();
        self.queue.push_back(Held { message, ack });
    }

    /// Acknowledges a message that is not to be processed, and gives it.
    pub(super) fn refuse(&mut self, publish: Publish) -> Message {
        let (message, ack) = self.unpack(publish);
        self.accepted.extend(ack);
        message
    }

    /// Hands over all that is queued, as far as the inlet has room.
    pub(super) fn offer(&mut self) -> Result<(), Closed> {
        while self.offered.is_none() && !self.queue.is_empty() {
            let (messages, acks) = self.next_batch();
            let mut offer = self.inlet.offer(Arc::clone(&messages), self.orders.audience());
            match (&mut offer).now_or_never() {
                Some(accepted) => {
                    accepted?;
                    self.settle(&messages, acks);
                }
                None => self.offered = Some(Offered { messages, acks, offer }),
            }
        }
        Ok(())
    }

    /// Ready when the waiting batch was accepted; never, when none waits. May be dropped and called again.
    pub(super) async fn room(&mut self) -> Result<(), Closed> {
        let Some(offered) = &mut self.offered else {
            return std::future::pending().await;
        };
        (&mut offered.offer).await?;
        if let Some(offered) = self.offered.take() {
            self.settle(&offered.messages, offered.acks);
        }
        Ok(())
    }

    /// The connection is gone: packet ids mean nothing any more.
    pub(super) fn disconnected(&mut self, session: Session) {
        self.accepted.clear();
        if session == Session::Clean {
            // Nobody will send these again, so they stay on their way.
            self.queue.iter_mut().for_each(|held| held.ack = None);
            if let Some(offered) = &mut self.offered {
                offered.acks.fill(None);
            }
            return;
        }
        // A batch that nobody has taken can be taken apart. One that was taken will be accepted, and the broker sends it again.
        let waiting = self.offered.take_if(|offered| offered.offer.withdraw());
        if let Some(offered) = &mut self.offered {
            offered.acks.fill(None);
        }
        let waiting = waiting.into_iter().flat_map(|offered| {
            let messages = offered.messages.to_vec();
            messages
                .into_iter()
                .zip(offered.acks)
                .map(|(message, ack)| Held { message, ack })
        });
        let all: Vec<Held> = waiting.chain(self.queue.drain(..)).collect();
        for held in all {
            match held.ack {
                Some(_) => self.unsettled.push(held.message),
                None => self.queue.push_back(held),
            }
        }
        self.queue_bytes = self.queue.iter().map(|held| held.message.payload.len()).sum();
    }

    /// A new connection is up. With the session the broker sends again what was not acknowledged; without it, what
    /// is still in memory is all there is.
    pub(super) fn connected(&mut self, session_present: bool) {
        let unsettled = std::mem::take(&mut self.unsettled);
        if session_present {
            return;
        }
        for message in unsettled {
            self.queue_bytes += message.payload.len();
            self.queue.push_back(Held { message, ack: None });
        }
    }

    /// The packet ids to acknowledge, in order; the caller removes what it has sent.
    pub(super) fn acks(&mut self) -> &mut VecDeque<u16> {
        &mut self.accepted
    }

    /// Whether enough is queued for a batch.
    pub(super) fn has_batch(&self) -> bool {
        self.queue.len() >= BATCH_ROWS_MAX || self.queue_bytes >= BATCH_BYTES_MAX
    }

    /// Whether more should be read.
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < QUEUE_ROWS_MAX && self.queue_bytes < QUEUE_BYTES_MAX
    }

    /// Whether even QoS 1 messages cannot be held any more.
    pub(super) fn is_overloaded(&self) -> bool {
        self.queue_bytes >= OVERLOAD_BYTES
    }

    /// Whether nothing is on its way to the mills.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.offered.is_none()
    }

    /// The message and the packet id to acknowledge.
    fn unpack(&mut self, publish: Publish) -> (Message, Option<u16>) {
        let ack = (publish.qos != QoS::AtMostOnce).then_some(publish.pkid);
        let message = Message {
            topic: self.names.share(&publish.topic),
            payload: publish.payload,
            qos: u8::from(ack.is_some()),
            retain: publish.retain,
            arrival: clock::arrival(),
        };
        (message, ack)
    }

    fn next_batch(&mut self) -> (Arc<[Message]>, Vec<Option<u16>>) {
        let mut bytes = 0;
        let fits = |held: &&Held| {
            let first = bytes == 0;
            bytes += held.message.payload.len();
            first || bytes <= BATCH_BYTES_MAX
        };
        let rows = self.queue.iter().take(BATCH_ROWS_MAX).take_while(fits).count();
        let mut acks = Vec::with_capacity(rows);
        let messages: Arc<[Message]> = self
            .queue
            .drain(..rows)
            .map(|held| {
                self.queue_bytes -= held.message.payload.len();
                acks.push(held.ack);
                held.message
            })
            .collect();
        (messages, acks)
    }

    fn settle(&mut self, messages: &[Message], acks: Vec<Option<u16>>) {
        self.accepted.extend(acks.into_iter().flatten());
        let bytes: usize = messages.iter().map(|message| message.payload.len()).sum();
        self.metrics.batches.inc();
        self.metrics.messages.inc_by(messages.len() as u64);
        self.metrics.bytes.inc_by(bytes as u64);
    }
}

/// Queued messages from which on the socket is not read: what a few full batches hold.
const QUEUE_ROWS_MAX: usize = 8 * BATCH_ROWS_MAX;

/// The same in payload bytes.
const QUEUE_BYTES_MAX: usize = 4 * BATCH_BYTES_MAX;

/// Queued payload bytes at which the connection is given up, so that the broker keeps the rest. Only QoS 1 messages
/// can bring it there.
const OVERLOAD_BYTES: usize = 4 * QUEUE_BYTES_MAX;

#[cfg(test)]
mod tests;
