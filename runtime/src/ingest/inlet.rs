//! Where every source hands over what it took in. A delivery is accepted when it is on its way to all mills, and only
//! then may a source acknowledge its messages. Until there is room for it, it waits: nothing is dropped here.

use crate::config::Durability;
use crate::handover::{Closed, Offer, Offered};
use crate::message::{Audience, Delivery, Message};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The way of one source into the mills. Clones share it.
#[derive(Clone, Debug)]
pub struct Inlet {
    source: Arc<str>,
    durability: Durability,
    offers: mpsc::Sender<Offered>,
}

impl Inlet {
    /// The inlet of the source named `source`, which offers through `offers`; `durability` is what must have happened to a
    /// delivery before it is accepted.
    pub fn new(source: impl Into<Arc<str>>, durability: Durability, offers: mpsc::Sender<Offered>) -> Self {
        Inlet {
            source: source.into(),
            durability,
            offers,
        }
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Offers `messages` for `audience`.
    pub fn offer(&self, messages: Arc<[Message]>, audience: Audience) -> Offer {
        debug_assert!(!messages.is_empty(), "a delivery is not empty");
        let delivery = Delivery {
            source: Arc::clone(&self.source),
            messages,
            audience,
        };
        Offer::through(self.offers.clone(), delivery, self.durability)
    }

    /// Hands `messages` over, and waits until they are accepted.
    ///
    /// # Errors
    /// [`Closed`] when they never will be.
    pub async fn deliver(&self, messages: Arc<[Message]>, audience: Audience) -> Result<(), Closed> {
        self.offer(messages, audience).await
    }
}
