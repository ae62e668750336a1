//! What the records of a journal say: everything that a replay needs to do the same again.
//!
//! The kind of the record says which entry it is; the payload is, in little-endian order, where a text is its length (u16) and its
//! bytes in UTF-8:
//!
//! | kind | entry | payload |
//! |---|---|---|
//! | 1 | message | flags u8 (bits 0 and 1: QoS, 2: retain, 3: duplicate), arrival i64, audience u32, source text, topic text, the rest: payload |
//! | 2 | audience | number u32, how many filters u16, these texts, how many filters nobody serves u16, these texts |
//! | 3 | tick | mill u16, time i64 |
//! | 4 | switch | mill u16, position u64, the rest: what changes, as whoever wrote it has it |
//! | 5 | batch | messages u32, time i64 |
//! | 6 | batch | the same, and the number of its last message u64 |
//!
//! Times are microseconds since the epoch. What is decoded may come from anybody: a wrong length or number is an error, nothing
//! is allocated that the bytes do not fill, and what is decoded encodes to the same bytes.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::EntryError;

use crate::log::Kind;

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A message arrived.
    Message(Message<'a>),
    /// From here on, messages with this number are for these filters.
    Audience(Audience<'a>),
    /// The windows of one mill were told the time, between two batches.
    Tick {
        /// The number of the mill.
        mill: u16,
        /// Which time it was, in microseconds.
        at_us: i64,
    },
    /// On one mill, other code runs.
    Switch(Switch<'a>),
    /// The oldest messages that are in no batch yet are one, for all mills.
    Batch {
        /// How many messages.
        messages: u32,
        /// The time of arrival when it was made, in microseconds.
        now_us: i64,
        /// The record of the last of these messages, so that a record that is lost spoils no batch but its own. Only the
        /// first version of rulemill wrote none.
        last: Option<u64>,
    },
}

/// A message as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The source that brought it.
    pub source: &'a str,
    /// For whom it was brought: the number of an [`Audience`], or [`Message::FOR_ALL`].
    pub audience: u32,
    /// When the source took it in, in microseconds.
    pub arrival_us: i64,
    /// The QoS it came with.
    pub qos: Qos,
    /// Whether it was retained.
    pub retain: bool,
    /// Whether the broker said that it may have come before.
    pub duplicate: bool,
    /// Its topic.
    pub topic: &'a str,
    /// Its payload.
    pub payload: &'a [u8],
}

impl Message<'_> {
    /// The audience of a message that comes once, for everybody.
    pub const FOR_ALL: u32 = 0;
}

/// How a message was to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// At most once: 0.
    AtMostOnce,
    /// At least once: 1.
    AtLeastOnce,
    /// Exactly once: 2.
    ExactlyOnce,
}

/// For which topic filters a message was brought.
///
/// Sets of filters are large and change seldom, so messages name them by number. A checkpoint has to hold those that are
/// in force at its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience<'a> {
    /// Its number; not [`Message::FOR_ALL`].
    pub number: u32,
    /// These.
    pub here: Vec<&'a str>,
    /// Not these, and no other connection brings for them either.
    pub nowhere: Vec<&'a str>,
}

/// A change of the code that runs on a mill.
///
/// A mill is behind the record that it is told of, so the change does not happen where its record stands, but after the batch or
/// the tick at `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch<'a> {
    /// The number of the mill.
    pub mill: u16,
    /// The record of the last batch or tick that comes before it; 0: none does.
    pub position: u64,
    /// What changes.
    pub change: &'a [u8],
}

const MESSAGE: Kind = Kind::new(1).expect("1 is not 0");
const AUDIENCE: Kind = Kind::new(2).expect("2 is not 0");
const TICK: Kind = Kind::new(3).expect("3 is not 0");
const SWITCH: Kind = Kind::new(4).expect("4 is not 0");
const BATCH: Kind = Kind::new(5).expect("5 is not 0");
const BATCH_TO: Kind = Kind::new(6).expect("6 is not 0");

const QOS_BITS: u8 = 0b0011;
const RETAIN_BIT: u8 = 0b0100;
const DUPLICATE_BIT: u8 = 0b1000;
