//! Where every source hands over what it took in: one bounded queue to each mill thread that has rules.
//!
//! A delivery goes to every such mill, and is accepted when all of them have taken it; only then may a source acknowledge
//! its messages. At the bound of a queue [`Inlet::deliver`] waits and [`Inlet::try_deliver`] gives the messages back:
//! nothing is dropped here.

use crate::message::{Audience, Delivery, Message};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

/// The queue before one mill thread.
#[derive(Clone, Debug)]
pub struct MillQueue {
    sender: mpsc::Sender<Delivery>,
    wanted: Arc<AtomicBool>,
}

/// The way of one source into the mills. Clones share the queues.
#[derive(Clone, Debug)]
pub struct Inlet {
    source: Arc<str>,
    queues: Arc<[MillQueue]>,
}

/// The mills are gone, so that nothing can be accepted any more. Happens only when rulemill stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mill threads have stopped")]
pub struct Closed;

/// Why a delivery was not accepted at once.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A mill's queue is full; here are the messages again.
    #[error("the queue of a mill thread is full")]
    Full(Arc<[Message]>),
    /// See [`Closed`].
    #[error("the mill threads have stopped")]
    Closed,
}

impl MillQueue {
    /// A queue that nothing is put into before [`MillQueue::want`]: a mill without rules is not woken for nothing.
    pub fn idle(sender: mpsc::Sender<Delivery>) -> Self {
        MillQueue {
            sender,
            wanted: Arc::default(),
        }
    }

    /// From now on deliveries go there too.
    pub fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }
}

impl From<mpsc::Sender<Delivery>> for MillQueue {
    fn from(sender: mpsc::Sender<Delivery>) -> Self {
        let queue = MillQueue::idle(sender);
        queue.want();
        queue
    }
}

impl Inlet {
    /// An inlet of the source named `source`, with one queue for each mill thread.
    pub fn new<Q: Into<MillQueue>>(source: impl Into<Arc<str>>, queues: impl IntoIterator<Item = Q>) -> Self {
        Inlet {
            source: source.into(),
            queues: queues.into_iter().map(Into::into).collect(),
        }
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Hands `messages` for `audience` to every mill; waits while one of them has no room. Dropping the future before it is ready
    /// hands over nothing.
    ///
    /// # Errors
    /// [`Closed`] when a mill is gone; then some mills may have the messages.
    pub async fn deliver(&self, messages: Arc<[Message]>, audience: Audience) -> Result<(), Closed> {
        // Room everywhere first, so that a cancelled delivery has not reached half of the mills.
        let mut permits = Vec::with_capacity(self.queues.len());
        for sender in self.wanted() {
            permits.push(sender.reserve().await.map_err(|_| Closed)?);
        }
        for permit in permits {
            permit.send(self.delivery(&messages, &audience));
        }
        Ok(())
    }

    /// Hands `messages` for `audience` to every mill, or to none when one of them has no room.
    ///
    /// # Errors
    /// [`Refused`] with the messages, or because a mill is gone.
    pub fn try_deliver(&self, messages: Arc<[Message]>, audience: &Audience) -> Result<(), Refused> {
        let mut permits = Vec::with_capacity(self.queues.len());
        for sender in self.wanted() {
            match sender.try_reserve() {
                Ok(permit) => permits.push(permit),
                Err(mpsc::error::TrySendError::Full(())) => return Err(Refused::Full(messages)),
                Err(mpsc::error::TrySendError::Closed(())) => return Err(Refused::Closed),
            }
        }
        for permit in permits {
            permit.send(self.delivery(&messages, audience));
        }
        Ok(())
    }

    fn wanted(&self) -> impl Iterator<Item = &mpsc::Sender<Delivery>> {
        let wanted = self.queues.iter().filter(|queue| queue.wanted.load(Ordering::Acquire));
        wanted.map(|queue| &queue.sender)
    }

    fn delivery(&self, messages: &Arc<[Message]>, audience: &Audience) -> Delivery {
        debug_assert!(!messages.is_empty(), "a delivery is not empty");
        Delivery {
            source: Arc::clone(&self.source),
            messages: Arc::clone(messages),
            audience: audience.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::FutureExt;
    use rulemill_core::Micros;

    fn one(payload: &'static str) -> Arc<[Message]> {
        Arc::from([Message {
            topic: "t".into(),
            payload: Bytes::from_static(payload.as_bytes()),
            qos: 1,
            retain: false,
            arrival: Micros(0),
        }])
    }

    #[test]
    fn a_delivery_reaches_every_mill() {
        let (first, mut first_mill) = mpsc::channel(1);
        let (second, mut second_mill) = mpsc::channel(1);
        let inlet = Inlet::new("default", [first, second]);

        inlet.try_deliver(one("a"), &Audience::All).unwrap();

        for mill in [&mut first_mill, &mut second_mill] {
            let delivery = mill.try_recv().unwrap();
            assert_eq!(&*delivery.source, "default");
            assert_eq!(delivery.messages[0].payload, "a");
        }
    }

    #[test]
    fn a_delivery_that_one_mill_cannot_take_reaches_none() {
        let (first, mut first_mill) = mpsc::channel(2);
        let (second, second_mill) = mpsc::channel(1);
        let inlet = Inlet::new("default", [first, second]);
        inlet.try_deliver(one("a"), &Audience::All).unwrap();
        first_mill.try_recv().unwrap();

        let Err(Refused::Full(messages)) = inlet.try_deliver(one("b"), &Audience::All) else {
            panic!("the second mill is full");
        };
        assert_eq!(messages[0].payload, "b");
        assert!(first_mill.try_recv().is_err());
        drop(second_mill);
        assert!(matches!(
            inlet.try_deliver(one("c"), &Audience::All),
            Err(Refused::Closed)
        ));
    }

    #[test]
    fn deliver_waits_for_room_and_hands_over_nothing_when_dropped() {
        let (first, mut first_mill) = mpsc::channel(2);
        let (second, mut second_mill) = mpsc::channel(1);
        let inlet = Inlet::new("default", [first, second]);
        inlet.try_deliver(one("a"), &Audience::All).unwrap();
        first_mill.try_recv().unwrap();

        assert!(inlet.deliver(one("b"), Audience::All).now_or_never().is_none());
        assert!(
            first_mill.try_recv().is_err(),
            "the dropped delivery left something behind"
        );

        second_mill.try_recv().unwrap();
        assert_eq!(inlet.deliver(one("c"), Audience::All).now_or_never(), Some(Ok(())));
        assert_eq!(first_mill.try_recv().unwrap().messages[0].payload, "c");
        drop(second_mill);
        assert_eq!(inlet.deliver(one("d"), Audience::All).now_or_never(), Some(Err(Closed)));
    }
}
