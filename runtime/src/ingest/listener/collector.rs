//! Where the messages of all clients become batches.
//!
//! Clients put in what one read of their socket brought; the collector takes all that is there, hands it to the
//! inlet, and then gives each client its acknowledgements, waking it once. While the inlet is full it waits, the
//! channel and the byte budget fill, and clients stop reading their sockets: TCP holds the devices back, and nothing
//! is dropped.

use super::super::inlet::Inlet;
use super::super::topic_names::TopicNames;
use crate::clock;
use crate::handover::Closed;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX};
use crate::message::{Audience, Message};
use crate::telemetry::listener::ListenerMetrics;
use rumqttc::{Publish, QoS};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

/// What one read of a client's socket brought.
#[derive(Debug)]
pub(super) struct Chunk {
    /// At most [`CHUNK_ROWS_MAX`]; not empty.
    publishes: Vec<Publish>,
    /// Where the packet ids of its QoS 1 messages go.
    acks: Arc<Acks>,
    /// Its share of the byte budget, given back when it was accepted.
    _budget: OwnedSemaphorePermit,
}

/// The packet ids that a client may acknowledge now.
#[derive(Debug, Default)]
pub(super) struct Acks {
    packet_ids: Mutex<Vec<u16>>,
    ready: Notify,
}

/// A client's way to the collector; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    sender: mpsc::Sender<Chunk>,
    budget: Arc<Semaphore>,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Collector {
    receiver: mpsc::Receiver<Chunk>,
    /// A chunk that did not fit into the last batch.
    left_over: Option<Chunk>,
    names: TopicNames,
}

/// A collector and the way to it.
pub(super) fn collector() -> (Outlet, Collector) {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let budget = Arc::new(Semaphore::new(BYTES_WAITING_MAX as usize));
    let collector = Collector {
        receiver,
        left_over: None,
        names: TopicNames::new(),
    };
    (Outlet { sender, budget }, collector)
}

impl Outlet {
    /// Hands over the messages of one client, waiting for room.
    ///
    /// # Errors
    /// When the collector is gone.
    pub(super) async fn send(&self, publishes: Vec<Publish>, acks: Arc<Acks>) -> Result<(), Closed> {
        let bytes: usize = publishes
            .iter()
            .map(|publish| publish.topic.len() + publish.payload.len())
            .sum();
        // A chunk larger than the budget needs all of it.
        let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(BYTES_WAITING_MAX);
        let budget = Arc::clone(&self.budget)
            .acquire_many_owned(share)
            .await
            .map_err(|_| Closed)?;
        let chunk = Chunk {
            publishes,
            acks,
            _budget: budget,
        };
        self.sender.send(chunk).await.map_err(|_| Closed)
    }
}

impl Acks {
    /// Waits until there are some.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Takes those that are there.
    pub(super) fn take(&self) -> Vec<u16> {
        std::mem::take(&mut *self.packet_ids.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, packet_ids: impl Iterator<Item = u16>) {
        self.packet_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(packet_ids);
        self.ready.notify_one();
    }
}

impl Collector {
    /// Works until every client is gone, or the mills are.
    pub(super) async fn run(mut self, inlet: Inlet, metrics: ListenerMetrics) {
        let mut publishes = Vec::new();
        let mut settled = Vec::new();
        loop {
            let first = match self.left_over.take() {
                Some(chunk) => Some(chunk),
                None => self.receiver.recv().await,
            };
            let Some(first) = first else {
                return;
            };
            let messages = self.batch(first, &mut publishes, &mut settled);
            let bytes: usize = messages.iter().map(|message| message.payload.len()).sum();
            let rows = messages.len() as u64;
            if inlet.deliver(messages, Audience::All).await.is_err() {
                return;
            }
            metrics.batches.inc();
            metrics.messages.inc_by(rows);
            metrics.bytes.inc_by(bytes as u64);
            for Settled { acks, packet_ids, .. } in settled.drain(..) {
                acks.add(packet_ids.into_iter());
            }
        }
    }

    /// All that is there, beginning with `chunk`, up to the bounds of a batch.
    fn batch(&mut self, chunk: Chunk, messages: &mut Vec<Message>, settled: &mut Vec<Settled>) -> Arc<[Message]> {
        let mut bytes = 0;
        let mut next = Some(chunk);
        while let Some(chunk) = next.take() {
            let chunk_bytes: usize = chunk.publishes.iter().map(|publish| publish.payload.len()).sum();
            let fits =
                messages.len() + chunk.publishes.len() <= BATCH_ROWS_MAX && bytes + chunk_bytes <= BATCH_BYTES_MAX;
            if !fits && !messages.is_empty() {
                self.left_over = Some(chunk);
                break;
            }
            bytes += chunk_bytes;
            settled.push(self.unpack(chunk, messages));
            next = self.receiver.try_recv().ok();
        }
        messages.drain(..).collect()
    }

    fn unpack(&mut self, chunk: Chunk, messages: &mut Vec<Message>) -> Settled {
        let arrival = clock::arrival();
        let mut packet_ids = Vec::new();
        for publish in chunk.publishes {
            let acknowledged = publish.qos != QoS::AtMostOnce;
            if acknowledged {
                packet_ids.push(publish.pkid);
            }
            messages.push(Message {
                topic: self.names.share(&publish.topic),
                payload: publish.payload,
                qos: u8::from(acknowledged),
                retain: publish.retain,
                arrival,
            });
        }
        Settled {
            acks: chunk.acks,
            packet_ids,
            _budget: chunk._budget,
        }
    }
}

/// What follows when a batch was accepted.
#[derive(Debug)]
struct Settled {
    acks: Arc<Acks>,
    packet_ids: Vec<u16>,
    _budget: OwnedSemaphorePermit,
}

/// The most messages that a client hands over at once, so that no client fills a batch alone.
pub(super) const CHUNK_ROWS_MAX: usize = 128;

/// The most topic and payload bytes that a client hands over at once, unless a single message is larger.
pub(super) const CHUNK_BYTES_MAX: usize = 256 << 10;

/// Chunks that may wait for the collector. Then clients wait, and do not read their sockets.
const CHUNKS_WAITING_MAX: usize = 1024;

/// Topic and payload bytes that may be on their way to the mills. Then clients wait, and do not read their sockets.
const BYTES_WAITING_MAX: u32 = 16 << 20;
