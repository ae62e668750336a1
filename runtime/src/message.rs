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
    /// Some of them.
    Some(Arc<Served>),
}

/// What the connection of a delivery serves, of the filters as the streams know them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// These.
    pub here: BTreeSet<TopicFilter>,
    /// Not these, and neither does any other connection: the broker refuses them. They do not count.
    pub nowhere: BTreeSet<TopicFilter>,
}

impl Delivery {
    /// How many bytes the payloads have together.
    pub fn payload_bytes(&self) -> usize {
        self.messages.iter().map(|message| message.payload.len()).sum()
    }
}

impl Audience {
    /// Whether a message is for a stream of which these filters match it, in the order of the stream.
    pub fn takes<'f>(&self, mut matching: impl Iterator<Item = &'f TopicFilter>) -> bool {
        match self {
            Audience::All => matching.next().is_some(),
            Audience::Some(served) => {
                let first = matching.find(|filter| !served.nowhere.contains(*filter));
                first.is_some_and(|filter| served.here.contains(filter))
            }
        }
    }

    /// The same for a stream of which `first` is the first that matches; `None` when the others count too.
    pub fn takes_first(&self, first: &TopicFilter) -> Option<bool> {
        match self {
            Audience::All => Some(true),
            Audience::Some(served) if served.here.contains(first) => Some(true),
            Audience::Some(served) => (!served.nowhere.contains(first)).then_some(false),
        }
    }

    /// Whether this is known, without a look at the filters, to be the same audience as `other`.
    pub fn is(&self, other: &Audience) -> bool {
        match (self, other) {
            (Audience::All, Audience::All) => true,
            (Audience::Some(served), Audience::Some(others)) => Arc::ptr_eq(served, others),
            (Audience::All, Audience::Some(_)) | (Audience::Some(_), Audience::All) => false,
        }
    }
}
