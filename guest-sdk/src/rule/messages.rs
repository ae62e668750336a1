//! The stage of messages: what is taken from each, which of them count, and how they are grouped.

use super::builder::{Messages, Stage};
use super::column::{Before, Col, ColumnId};
use super::draft::{Draft, EventTimeDraft, milliseconds};
use super::keys::{EachRow, Grouped, Keys};
use crate::kind::Kind;
use crate::types::Time;
use rulemill_plan::{Fallback, LatePolicy, Need, Origin, PathSegment};
use std::time::Duration;

/// Where a field is in the JSON payload: `"temperature"`, or `["sensor", "temperature"]` for one inside an object.
pub trait FieldPath {
    #[doc(hidden)]
    fn segments(self) -> Vec<PathSegment>;
}

impl FieldPath for &str {
    fn segments(self) -> Vec<PathSegment> {
        vec![self.into()]
    }
}

impl<const N: usize> FieldPath for [&str; N] {
    fn segments(self) -> Vec<PathSegment> {
        self.map(PathSegment::from).into()
    }
}

impl FieldPath for Vec<PathSegment> {
    fn segments(self) -> Vec<PathSegment> {
        self
    }
}

impl Messages {
    /// A new rule. The name has lower-case letters, digits, `_` and `-`.
    pub fn new(name: &str) -> Self {
        Stage::with(Draft {
            name: name.to_owned(),
            ..Draft::default()
        })
    }

    /// What the rule is for.
    pub fn doc(&self, doc: &str) {
        doc.clone_into(&mut self.draft.borrow_mut().doc);
    }

    /// The MQTT topic filters to listen to; the deployment may override them.
    pub fn topics<const N: usize>(&self, filters: [&str; N]) {
        self.draft.borrow_mut().topics = filters.map(str::to_owned).into();
    }

    /// The sinks to send to, by their names in the configuration; the deployment may override them.
    pub fn sinks<const N: usize>(&self, names: [&str; N]) {
        self.draft.borrow_mut().sinks = names.map(str::to_owned).into();
    }

    /// A field of the JSON payload; null when it is missing or of another type.
    pub fn field<T: Kind + ?Sized>(&self, path: impl FieldPath) -> Col<T> {
        self.need(Origin::Field(path.segments()), T::TYPE, Fallback::Null)
    }

    /// A field that a message must have, with this type: a message without it does not count for this rule and goes to
    /// dead letter with the reason.
    pub fn required_field<T: Kind + ?Sized>(&self, path: impl FieldPath) -> Col<T> {
        self.need(Origin::Field(path.segments()), T::TYPE, Fallback::Reject)
    }

    /// The topic that the message was published to.
    pub fn topic(&self) -> Col<str> {
        self.need(Origin::Topic, str::TYPE, Fallback::Null)
    }

    /// When the message arrived.
    pub fn arrival_time(&self) -> Col<Time> {
        self.need(Origin::ArrivalTime, Time::TYPE, Fallback::Null)
    }

    /// The QoS that the message was delivered with: 0, 1 or 2.
    pub fn qos(&self) -> Col<i64> {
        self.need(Origin::Qos, i64::TYPE, Fallback::Null)
    }

    /// Whether the message was a retained one.
    pub fn retain(&self) -> Col<bool> {
        self.need(Origin::Retain, bool::TYPE, Fallback::Null)
    }

    /// The name of the source that delivered the message.
    pub fn source(&self) -> Col<str> {
        self.need(Origin::Source, str::TYPE, Fallback::Null)
    }

    /// The payload, undecoded.
    pub fn payload(&self) -> Col<[u8]> {
        self.need(Origin::Payload, <[u8]>::TYPE, Fallback::Null)
    }

    /// Keeps the messages for which the column is true; null is false. A later call replaces an earlier one.
    pub fn keep(&self, condition: Col<bool>) {
        self.draft.borrow_mut().keep = Some(condition.id);
    }

    /// Has only the messages in groups for which the column is true; null is false. The others decide all the same when
    /// windows begin and end, as a session that they keep open. For windows that begin and end with messages; for others
    /// [`Messages::keep`] does that. A later call replaces an earlier one.
    pub fn content(&self, condition: Col<bool>) {
        self.draft.borrow_mut().content = Some(condition.id);
    }

    /// Cuts windows by a time in the message instead of the time of its arrival. A window closes when the largest time
    /// seen, less `lateness`, has passed its end. What comes later still is dropped and counted; see
    /// [`Messages::late_to_dead_letter`].
    pub fn event_time(&self, time: Col<Time>, lateness: Duration) {
        self.draft.borrow_mut().event_time = Some(EventTimeDraft {
            column: time.id,
            lateness_ms: milliseconds(lateness),
            late: LatePolicy::Drop,
            idle_ms: None,
        });
    }

    /// Sends messages that come after their window has closed to dead letter. Has no effect before
    /// [`Messages::event_time`].
    pub fn late_to_dead_letter(&self) {
        if let Some(event_time) = &mut self.draft.borrow_mut().event_time {
            event_time.late = LatePolicy::DeadLetter;
        }
    }

    /// Closes windows by the time of arrival when no message came for so long. Has no effect before
    /// [`Messages::event_time`].
    pub fn idle_timeout(&self, silence: Duration) {
        if let Some(event_time) = &mut self.draft.borrow_mut().event_time {
            event_time.idle_ms = Some(milliseconds(silence));
        }
    }

    /// Groups messages by these columns; a window must follow.
    pub fn group_by<K: Keys>(self, keys: K) -> Grouped<K> {
        Grouped {
            draft: self.draft.into_inner(),
            keys,
        }
    }

    /// Every message is a group of its own: a window gives its messages, in order of arrival, and
    /// [`Groups::first`](super::Groups::first) of a column is the value of the message. A window must follow.
    pub fn each_row(self) -> EachRow {
        EachRow {
            draft: self.draft.into_inner(),
        }
    }

    /// The column of a need; the same need twice is one column.
    fn need<T: ?Sized>(&self, origin: Origin, kind: rulemill_plan::Type, fallback: Fallback) -> Col<T, Before> {
        let need = Need {
            name: origin.to_string().trim_start_matches("field ").replace(' ', "_"),
            kind,
            origin,
            missing: fallback,
            mistyped: fallback,
        };
        let needs = &mut self.draft.borrow_mut().needs;
        let position = needs.iter().position(|known| *known == need).unwrap_or_else(|| {
            needs.push(need);
            needs.len() - 1
        });
        Col::new(ColumnId::Need(position))
    }
}
