//! What a stream is given: decoded messages as columns.

use crate::{Column, Micros, TopicId, TopicTable};
use rulemill_plan::{Origin, Type};

/// A column that the host decodes for a stream, because some rule needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Where the values come from; never [`Origin::Topic`], which travels as [`StreamBatch::topics`].
    pub origin: Origin,
    /// The type that they are decoded to.
    pub kind: Type,
}

/// A cell that is null because the message has a value of another type there. A null that is not listed is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistyped {
    /// The message's position in the batch.
    pub row: u32,
    /// The position in [`crate::Stream::fields`].
    pub field: u32,
    /// What the message has there.
    pub found: Found,
}

/// What a message has where another type was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// `true` or `false`.
    Bool,
    /// A number; for a type of numbers, one that does not fit into it.
    Number,
    /// A text; for a time, one that is not in RFC 3339.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
    /// Something that cannot be read, such as a text that is not UTF-8.
    Unreadable,
}

impl Found {
    /// What was found in place of a `kind`, for people.
    pub(crate) fn in_place_of(self, kind: Type) -> &'static str {
        match (self, kind) {
            (Found::Number, Type::Int) => "a number that is no exact integer of 64 bits",
            (Found::Number, Type::Time) => "a number beyond all times",
            (Found::Text, Type::Time) => "a text that is not in RFC 3339",
            (Found::Bool, _) => "a boolean",
            (Found::Number, _) => "a number",
            (Found::Text, _) => "a text",
            (Found::Array, _) => "an array",
            (Found::Object, _) => "an object",
            (Found::Unreadable, _) => "what cannot be read",
        }
    }
}

/// Messages of one stream, in order of arrival.
#[derive(Clone, Copy, Debug)]
pub struct StreamBatch<'a> {
    /// How many messages.
    pub rows: usize,
    /// When each arrived; not descending (a time before the one ahead of it counts as that one).
    pub arrivals: &'a [Micros],
    /// The topic of each.
    pub topics: &'a [TopicId],
    /// The table that the topics are from, always the same one for a stream.
    pub topic_names: &'a TopicTable,
    /// One column for each of [`crate::Stream::fields`], in that order.
    pub columns: &'a [Column],
    /// The cells that are null because of their type, in any order.
    pub mistyped: &'a [Mistyped],
}

impl StreamBatch<'_> {
    /// Panics when the parts do not fit together: that is a bug of the caller, not bad input.
    pub(crate) fn check(&self, fields: &[Field]) {
        assert_eq!(self.arrivals.len(), self.rows, "one arrival time a row");
        assert_eq!(self.topics.len(), self.rows, "one topic a row");
        assert_eq!(self.columns.len(), fields.len(), "one column a field");
        for (column, field) in self.columns.iter().zip(fields) {
            assert_eq!(column.len(), self.rows, "{} has a cell for each row", field.origin);
            assert_eq!(column.kind(), field.kind, "{} has its type", field.origin);
        }
    }
}
