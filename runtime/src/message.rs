//! Messages and deliveries: what flows from sources to mill threads.

use crate::topic::TopicFilter;
use bytes::Bytes;
use rulemill_core::Micros;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One MQTT PUBLISH as it arrived.
#[derive(Clone, Debug)]
pub struct Message {
    /// The topic it was published to; not empty.
    pub topic: Arc<str>,
    /// The payload, undecoded.
    pub payload: Bytes,
    /// The QoS it was delivered with: 0 or 1.
    pub qos: u8,
    /// Whether it was a retained message.
    pub retain: bool,
    /// When the source took it in: see [`crate::clock::arrival`].
    pub arrival: Micros,
}

/// Messages of one source, in order of arrival, at most [`crate::limits::BATCH_ROWS_MAX`]; not empty.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The source's name: `default`, or `listener` for the built-in listener.
    pub source: Arc<str>,
    /// The messages.
    pub messages: Arc<[Message]>,
    /// For whom they were brought. A record of a delivery that is to be processed again needs it too.
    pub audience: Audience,
}

/// Which of a source's topic filters a delivery serves.
///
/// A source whose filters overlap in part has several connections, and each brings its own copy of a message that
/// several filters match. So a filter takes messages only from the connection that serves it; of a set of filters, the
/// first one that matches the topic counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All of them: each message comes once.
    All,
    /// These, as the streams know them.
    Filters(Arc<BTreeSet<TopicFilter>>),
}

impl Audience {
    /// Whether messages that `filter` matches are for it.
    pub fn includes(&self, filter: &TopicFilter) -> bool {
        match self {
            Audience::All => true,
            Audience::Filters(filters) => filters.contains(filter),
        }
    }

    /// Whether this is known, without a look at the filters, to be the same audience as `other`.
    pub fn is(&self, other: &Audience) -> bool {
        match (self, other) {
            (Audience::All, Audience::All) => true,
            (Audience::Filters(filters), Audience::Filters(others)) => Arc::ptr_eq(filters, others),
            (Audience::All, Audience::Filters(_)) | (Audience::Filters(_), Audience::All) => false,
        }
    }
}
