//! The recorder: it puts what all sources offer, and the time that mills ask for, into one order, and hands it to the mills
//! in that order.
//!
//! It works on a thread of its own. A delivery is accepted once it has its place in that order, also while mills are busy: what
//! has been accepted until they have room becomes one batch, as far as it fits together. So batches grow with the load,
//! nothing waits for their sake, and a slow mill holds up no acknowledgement before a bound is reached.

use super::flow::{Batch, Flow, Gathering, MillQueue};
use crate::clock;
use crate::handover::Offered;
use crate::limits::{ACCEPTED_BYTES_MAX, ACCEPTED_ROWS_MAX};
use crate::message::Delivery;
use crate::telemetry::mill::MillMetrics;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, watch};

/// What flows into the recorder.
pub(super) struct RecorderInputs {
    /// What sources offer.
    pub(super) offers: mpsc::Receiver<Offered>,
    /// The numbers of mills that wait for the time.
    pub(super) ticks: mpsc::Receiver<usize>,
    /// Turns true when no source offers anything any more.
    pub(super) finish: watch::Receiver<bool>,
}

/// Puts everything into one order.
pub(super) struct Recorder {
    mills: Vec<MillQueue>,
    offers: mpsc::Receiver<Offered>,
    ticks: mpsc::Receiver<usize>,
    accepted: Accepted,
    metrics: MillMetrics,
}

/// What was accepted and is on its way to no mill yet.
#[derive(Debug, Default)]
struct Accepted {
    deliveries: VecDeque<Delivery>,
    rows: usize,
    bytes: usize,
}

/// The mills are gone.
struct MillsGone;

impl Recorder {
    /// Starts the thread. It ends, and with it the queues of the mills, when it is told to and has handed over everything.
    pub(super) fn start(
        mills: Vec<MillQueue>,
        inputs: RecorderInputs,
        metrics: MillMetrics,
    ) -> std::io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let RecorderInputs { offers, ticks, finish } = inputs;
        let recorder = Recorder {
            mills,
            offers,
            ticks,
            accepted: Accepted::default(),
            metrics,
        };
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || runtime.block_on(recorder.run(finish)))
    }

    async fn run(self, mut finish: watch::Receiver<bool>) {
        let Recorder {
            mills,
            mut offers,
            mut ticks,
            mut accepted,
            metrics,
        } = self;
        let (mut open, mut coming) = (true, true);
        while coming || !accepted.is_empty() {
            metrics.waiting(accepted.rows);
            tokio::select! {
                biased;
                room = room(&mills), if !accepted.is_empty() => match room {
                    Ok(room) => hand_over(&mut accepted, room),
                    Err(MillsGone) => return,
                },
                offered = offers.recv(), if coming && accepted.has_room() => match offered {
                    Some(offered) => accepted.take(offered),
                    None => coming = false,
                },
                Some(mill) = ticks.recv() => tick(&mills, mill),
                () = finished(&mut finish), if open => {
                    open = false;
                    offers.close();
                }
            }
        }
        metrics.waiting(0);
    }
}

impl Accepted {
    /// Accepts an offer, unless it was withdrawn.
    fn take(&mut self, offered: Offered) {
        if let Some((delivery, receipt)) = offered.take() {
            self.rows += delivery.messages.len();
            self.bytes += delivery.payload_bytes();
            self.deliveries.push_back(delivery);
            receipt.accept();
        }
    }

    fn next_batch(&mut self) -> Option<Batch> {
        let mut gathering = Gathering::default();
        while let Some(delivery) = self.deliveries.pop_front_if(|next| gathering.takes(next)) {
            self.rows -= delivery.messages.len();
            self.bytes -= delivery.payload_bytes();
            gathering.add(delivery);
        }
        gathering.finish(clock::arrival())
    }

    fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    fn has_room(&self) -> bool {
        self.rows < ACCEPTED_ROWS_MAX && self.bytes < ACCEPTED_BYTES_MAX
    }
}

/// A place in the queue of each mill that wants batches, once there is one in all of them.
async fn room(mills: &[MillQueue]) -> Result<Vec<mpsc::Permit<'_, Flow>>, MillsGone> {
    let mut room = Vec::with_capacity(mills.len());
    for sender in mills.iter().filter_map(MillQueue::open) {
        room.push(sender.reserve().await.map_err(|_| MillsGone)?);
    }
    Ok(room)
}

/// Hands the next batch to the mills.
fn hand_over(accepted: &mut Accepted, room: Vec<mpsc::Permit<'_, Flow>>) {
    let Some(batch) = accepted.next_batch().map(Arc::new) else {
        return;
    };
    for permit in room {
        permit.send(Flow::Batch(Arc::clone(&batch)));
    }
}

/// Tells a mill the time, unless something is on its way there: that brings the time with it.
fn tick(mills: &[MillQueue], mill: usize) {
    if let Some(sender) = mills.get(mill).and_then(MillQueue::open) {
        // A full queue is something on its way; a closed one needs no time.
        let _ = sender.try_send(Flow::Tick(clock::arrival()));
    }
}

async fn finished(finish: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could say so.
    let _ = finish.wait_for(|finish| *finish).await;
}

#[cfg(test)]
mod tests;
