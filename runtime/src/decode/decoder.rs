//! From messages to columns.

use super::bad::{self, BadMessage, BadReason};
use super::slot::{Slot, push};
use super::trie::Node;
use super::visit::{Pace, Row, walk};
use crate::message::Message;
use rulemill_core::{Cells, Column, Field, Found, Mistyped};
use rulemill_plan::{Origin, Type};

/// Decodes the messages of one stream into the columns of its fields.
///
/// | wanted as | taken from JSON |
/// |---|---|
/// | bool | `true`, `false` |
/// | int | a number that is whole and within 64 bits; with a point or an exponent (`5.0`) also within ±2^53 |
/// | float | any number that a double can hold |
/// | time | milliseconds since the epoch, whole or with a fraction, or a string as RFC 3339 with its offset |
/// | text | a string |
/// | json | any value, as its text stands in the payload |
///
/// What is not there, and `null`, is null. Any other value is null and listed as mistyped. Of a name that occurs twice
/// in an object the last value counts.
#[derive(Debug)]
pub struct Decoder {
    root: Node,
    metadata: Vec<(usize, Metadata)>,
    kinds: Vec<Type>,
    /// The slots before a message is looked at.
    blank: Vec<Slot<'static>>,
    /// The memory of the slots, between batches.
    slots: Vec<Slot<'static>>,
    scratch: String,
}

/// What came of some messages. Handing the same one in again reuses its memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// One column a field, in the order of the fields, with a row for each good message; [`Origin::Topic`] has an empty
    /// column, since topics are numbered elsewhere.
    pub columns: Vec<Column>,
    /// How many rows there are.
    pub rows: usize,
    /// For each row, the position of its message in the messages that were given; ascends.
    pub good: Vec<u32>,
    /// Row and field of each null that stands for a value of another type; in order of rows.
    pub mistyped: Vec<Mistyped>,
    /// The messages that gave no row, in order.
    pub bad: Vec<BadMessage>,
}

/// What a message says without being parsed.
#[derive(Clone, Copy, Debug)]
enum Metadata {
    PayloadText,
    PayloadBytes,
    ArrivalTime,
    Qos,
    Retain,
    Source,
}

impl Decoder {
    /// Prepares for these fields. The same origin may be wanted in several types.
    pub fn new(fields: &[Field]) -> Self {
        let mut decoder = Decoder {
            root: Node::default(),
            metadata: Vec::new(),
            kinds: fields.iter().map(|field| field.kind).collect(),
            blank: vec![Slot::Missing; fields.len()],
            slots: vec![Slot::Missing; fields.len()],
            scratch: String::new(),
        };
        for (at, field) in fields.iter().enumerate() {
            let metadata = match &field.origin {
                Origin::Field(path) => {
                    let number = u32::try_from(at).expect("fields are counted in u32: plans are bounded far below");
                    decoder.root.insert(path, number, field.kind);
                    continue;
                }
                Origin::Topic => {
                    decoder.blank[at] = Slot::Skip;
                    continue;
                }
                Origin::Payload if field.kind == Type::Text => Metadata::PayloadText,
                Origin::Payload => Metadata::PayloadBytes,
                Origin::ArrivalTime => Metadata::ArrivalTime,
                Origin::Qos => Metadata::Qos,
                Origin::Retain => Metadata::Retain,
                Origin::Source => Metadata::Source,
            };
            decoder.metadata.push((at, metadata));
        }
        decoder
    }

    /// Decodes messages of one source, each with the position by which [`Decoded::good`] and [`Decoded::bad`] name it;
    /// positions ascend.
    pub fn decode<'m>(
        &mut self,
        source: &'m str,
        messages: impl Iterator<Item = (u32, &'m Message)>,
        into: &mut Decoded,
    ) {
        into.reset(&self.kinds);
        let mut slots = relive(std::mem::take(&mut self.slots));
        let mut scratch = std::mem::take(&mut self.scratch);
        for (position, message) in messages {
            scratch.clear();
            let mut row = Row {
                slots: &mut slots,
                scratch: &mut scratch,
                pace: Pace::Fast,
            };
            match self.fill(source, message, &mut row) {
                Ok(()) => into.push(position, &slots, &scratch),
                Err((reason, detail)) => into.bad.push(BadMessage {
                    position,
                    reason,
                    detail,
                }),
            }
        }
        self.slots = relive(slots);
        self.scratch = scratch;
        self.scratch.shrink_to(SCRATCH_KEPT_MAX);
    }

    #[inline]
    fn fill<'m>(
        &self,
        source: &'m str,
        message: &'m Message,
        row: &mut Row<'_, 'm>,
    ) -> Result<(), (BadReason, String)> {
        row.slots.copy_from_slice(&self.blank);
        if !self.root.is_empty() {
            self.fill_json(&message.payload, row)?;
        }
        for &(field, metadata) in &self.metadata {
            row.slots[field] = match metadata {
                Metadata::PayloadText => {
                    str::from_utf8(&message.payload).map_or(Slot::Mistyped(Found::Unreadable), Slot::Text)
                }
                Metadata::PayloadBytes => Slot::Bytes(&message.payload),
                Metadata::ArrivalTime => Slot::Int(message.arrival.0),
                Metadata::Qos => Slot::Int(message.qos.into()),
                Metadata::Retain => Slot::Bool(message.retain),
                Metadata::Source => Slot::Text(source),
            };
        }
        Ok(())
    }

    #[inline]
    fn fill_json<'m>(&self, payload: &'m [u8], row: &mut Row<'_, 'm>) -> Result<(), (BadReason, String)> {
        // Checked as a whole: it costs less than checking each name, and a bad byte in a skipped text is found too.
        let text = str::from_utf8(payload).map_err(|error| bad::from_utf8_error(payload, error.valid_up_to()))?;
        match walk(text, &self.root, row) {
            Ok(()) => Ok(()),
            Err(error) if error.is_syntax() => self.fill_carefully(text, row),
            Err(error) => Err(bad::from_json_error(text, &error)),
        }
    }

    #[cold]
    fn fill_carefully<'m>(&self, text: &'m str, row: &mut Row<'_, 'm>) -> Result<(), (BadReason, String)> {
        row.slots.copy_from_slice(&self.blank);
        row.scratch.clear();
        row.pace = Pace::Careful;
        walk(text, &self.root, row).map_err(|error| bad::from_json_error(text, &error))
    }
}

impl Decoded {
    fn reset(&mut self, kinds: &[Type]) {
        self.rows = 0;
        self.good.clear();
        self.mistyped.clear();
        self.bad.clear();
        let fits = self.columns.len() == kinds.len();
        if !fits
            || self
                .columns
                .iter()
                .zip(kinds)
                .any(|(column, kind)| column.kind() != *kind)
        {
            self.columns = kinds.iter().map(|&kind| Column::empty(kind)).collect();
            return;
        }
        for column in &mut self.columns {
            clear(column);
        }
    }

    #[inline]
    fn push(&mut self, position: u32, slots: &[Slot<'_>], scratch: &str) {
        let row = u32::try_from(self.rows).expect("rows are fewer than the messages, which are numbered in u32");
        for (field, (column, slot)) in (0..).zip(self.columns.iter_mut().zip(slots)) {
            if let Some(found) = push(*slot, scratch, column) {
                self.mistyped.push(Mistyped { row, field, found });
            }
        }
        self.good.push(position);
        self.rows += 1;
    }
}

fn clear(column: &mut Column) {
    column.valid = None;
    match &mut column.cells {
        Cells::Bools(bits) => bits.clear(),
        Cells::Ints(values) | Cells::Times(values) => values.clear(),
        Cells::Floats(values) => values.clear(),
        Cells::Texts(texts) | Cells::Json(texts) => texts.clear(),
        Cells::Bytes(blobs) => blobs.clear(),
    }
}

/// The same memory for slots of another lifetime: collecting a vector's own iterator reuses its allocation.
fn relive<'to>(slots: Vec<Slot<'_>>) -> Vec<Slot<'to>> {
    slots.into_iter().map(|_| Slot::Missing).collect()
}

/// What of the memory for unescaped texts is kept between batches, in bytes.
const SCRATCH_KEPT_MAX: usize = 64 << 10;
