//! How a source hands messages over: it offers a delivery, and is told when that is accepted. Only then may it acknowledge.
//!
//! An offer can be withdrawn as long as nobody has taken it, so that messages of a lost connection that nobody has can be
//! left to the broker.

use crate::config::Durability;
use crate::message::Delivery;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

/// Whoever accepts is gone, so that nothing can be accepted any more. Happens only when rulemill stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mill threads have stopped")]
pub struct Closed;

/// A delivery on its way to whoever accepts it.
#[derive(Debug)]
pub struct Offered {
    delivery: Delivery,
    durability: Durability,
    stage: Arc<Stage>,
    accepted: oneshot::Sender<()>,
}

/// Says that a delivery that was taken is accepted; dropped instead, that it never will be.
#[derive(Debug)]
#[must_use = "the source waits for it"]
pub struct Receipt(oneshot::Sender<()>);

/// What the source holds: ready once the delivery is accepted. Dropping it withdraws the delivery, if nobody has taken it.
pub struct Offer {
    stage: Arc<Stage>,
    accepted: Pin<Box<dyn Future<Output = Result<(), Closed>> + Send>>,
}

/// Where an offer stands.
#[derive(Debug, Default)]
struct Stage(AtomicU8);

impl Offered {
    /// A delivery that is not sent through a channel, and what tells of it.
    pub fn new(delivery: Delivery) -> (Self, impl Future<Output = Result<(), Closed>> + Send + use<>) {
        let (offered, _, answer) = Self::with_stage(delivery, Durability::None);
        (offered, async move { answer.await.map_err(|_| Closed) })
    }

    /// What must have happened to the delivery before it is accepted.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Takes the delivery: from here on it cannot be withdrawn. `None`: it was.
    pub fn take(self) -> Option<(Delivery, Receipt)> {
        let taken = self.stage.go(TAKEN);
        taken.then_some((self.delivery, Receipt(self.accepted)))
    }

    fn with_stage(delivery: Delivery, durability: Durability) -> (Self, Arc<Stage>, oneshot::Receiver<()>) {
        let stage = Arc::<Stage>::default();
        let (accepted, answer) = oneshot::channel();
        let offered = Offered {
            delivery,
            durability,
            stage: Arc::clone(&stage),
            accepted,
        };
        (offered, stage, answer)
    }
}

impl Receipt {
    /// The delivery is accepted: its messages may be acknowledged.
    pub fn accept(self) {
        // The source may have gone; the messages are accepted all the same.
        let _ = self.0.send(());
    }
}

impl Offer {
    /// Offers a delivery through a channel, as soon as that has room.
    pub(crate) fn through(channel: mpsc::Sender<Offered>, delivery: Delivery, durability: Durability) -> Self {
        let (offered, stage, answer) = Offered::with_stage(delivery, durability);
        let accepted = match channel.try_send(offered) {
            Ok(()) => {
                Box::pin(async move { answer.await.map_err(|_| Closed) }) as Pin<Box<dyn Future<Output = _> + Send>>
            }
            Err(mpsc::error::TrySendError::Full(offered)) => Box::pin(async move {
                channel.send(offered).await.map_err(|_| Closed)?;
                answer.await.map_err(|_| Closed)
            }),
            Err(mpsc::error::TrySendError::Closed(_)) => Box::pin(async { Err(Closed) }),
        };
        Offer { stage, accepted }
    }

    /// Takes the delivery back; false when somebody has taken it, and it will be accepted.
    pub fn withdraw(&self) -> bool {
        self.stage.go(WITHDRAWN)
    }
}

impl Future for Offer {
    type Output = Result<(), Closed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.accepted.as_mut().poll(context)
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Offer")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl Stage {
    /// Goes to a stage that ends the waiting, unless one was reached before. True: it is this one now.
    fn go(&self, to: u8) -> bool {
        let gone = self
            .0
            .compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire);
        gone.is_ok() || gone == Err(to)
    }
}

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// A mill for tests of sources.
#[cfg(test)]
pub(crate) mod test {
    use super::*;

    /// Accepts deliveries into a queue with room for `room`, in which they can be found.
    pub(crate) fn acceptor(room: usize) -> (mpsc::Sender<Offered>, mpsc::Receiver<Delivery>) {
        let (offers, mut offered) = mpsc::channel::<Offered>(1);
        let (queue, found) = mpsc::channel(room);
        tokio::spawn(async move {
            while let Some(offered) = offered.recv().await {
                let Ok(permit) = queue.reserve().await else { return };
                if let Some((delivery, receipt)) = offered.take() {
                    permit.send(delivery);
                    receipt.accept();
                }
            }
        });
        (offers, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Audience, Message};
    use bytes::Bytes;
    use futures_util::FutureExt as _;
    use rulemill_core::Micros;

    fn delivery() -> Delivery {
        let message = Message {
            topic: "t".into(),
            payload: Bytes::new(),
            qos: 1,
            retain: false,
            arrival: Micros(0),
        };
        Delivery {
            source: "default".into(),
            messages: Arc::from([message]),
            audience: Audience::All,
        }
    }

    #[test]
    fn an_offer_is_accepted_once_its_receipt_is() {
        let (channel, mut taker) = mpsc::channel(1);
        let mut offer = Offer::through(channel, delivery(), Durability::None);
        let (taken, receipt) = taker.try_recv().unwrap().take().unwrap();
        assert_eq!(taken.messages.len(), 1);
        assert_eq!((&mut offer).now_or_never(), None);
        assert!(!offer.withdraw(), "it was taken");

        receipt.accept();

        assert_eq!(offer.now_or_never(), Some(Ok(())));
    }

    #[test]
    fn what_is_withdrawn_or_dropped_cannot_be_taken() {
        let (channel, mut taker) = mpsc::channel(2);
        let offer = Offer::through(channel.clone(), delivery(), Durability::None);
        assert!(offer.withdraw());
        assert!(offer.withdraw(), "it still is");
        assert!(taker.try_recv().unwrap().take().is_none());

        drop(Offer::through(channel, delivery(), Durability::None));
        assert!(taker.try_recv().unwrap().take().is_none());
    }

    #[test]
    fn an_offer_waits_for_room_and_leaves_nothing_behind_when_dropped() {
        let (channel, mut taker) = mpsc::channel(1);
        let first = Offer::through(channel.clone(), delivery(), Durability::None);
        let mut second = Offer::through(channel.clone(), delivery(), Durability::None);
        assert_eq!((&mut second).now_or_never(), None);
        drop(second);
        assert!(taker.try_recv().unwrap().take().is_some());
        assert!(taker.try_recv().is_err());
        drop(first);

        let mut third = Offer::through(channel, delivery(), Durability::None);
        assert_eq!((&mut third).now_or_never(), None);
        taker.close();
        drop(taker.try_recv().unwrap());
        assert_eq!(third.now_or_never(), Some(Err(Closed)));
    }
}
