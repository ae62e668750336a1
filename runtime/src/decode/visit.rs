//! The walk over one payload, along the wanted paths; everything else is skipped without being built.
//!
//! The first walk is the fast one: numbers and texts are parsed where they stand. JSON allows more than a column can
//! hold (`1e999`, a lone surrogate), and the parser then gives up on the whole payload. Such a payload is walked a
//! second time, carefully: each wanted value is cut out first and parsed alone, so that only its own cell is lost.

use super::slot::{Scalar, Slot, convert};
use super::trie::Node;
use rulemill_core::Found;
use rulemill_plan::Type;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The row being filled.
pub(super) struct Row<'r, 'm> {
    /// One slot a field.
    pub(super) slots: &'r mut [Slot<'m>],
    /// Texts that had escapes.
    pub(super) scratch: &'r mut String,
    /// How values are parsed.
    pub(super) pace: Pace,
}

/// How values are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Where they stand; an impossible number fails the payload.
    Fast,
    /// Each alone; an impossible number costs its own cell.
    Careful,
}

/// Walks a payload from the top. The error says where the payload is broken, or that it has the wrong shape.
pub(super) fn walk<'m>(payload: &'m str, root: &Node, row: &mut Row<'_, 'm>) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(payload);
    Value {
        node: root,
        row,
        top: true,
    }
    .deserialize(&mut parser)?;
    parser.end()
}

/// The value at a node: cut out when its text is wanted, else parsed.
struct Value<'n, 'w, 'r, 'm> {
    node: &'n Node,
    row: &'w mut Row<'r, 'm>,
    /// Whether this is the whole payload.
    top: bool,
}

/// The value at a node, parsed.
struct Parsed<'n, 'w, 'r, 'm> {
    node: &'n Node,
    row: &'w mut Row<'r, 'm>,
    top: bool,
}

/// A name of an object, looked up in a node.
struct Name<'n>(&'n Node);

impl<'m> DeserializeSeed<'m> for Value<'_, '_, '_, 'm> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'m>>(self, parser: D) -> Result<(), D::Error> {
        let Value { node, row, top } = self;
        let alone = row.pace == Pace::Careful && !node.wants_members() && !node.wants_elements();
        if node.json.is_empty() && !alone {
            return parser.deserialize_any(Parsed { node, row, top });
        }
        let text = <&'m RawValue>::deserialize(parser)?.get();
        look_into(text, node, row, top);
        // Last, for what is inside may be unreadable while the text is fine.
        let cell = if text == "null" {
            Slot::Missing
        } else {
            Slot::Text(text)
        };
        for &field in &node.json {
            row.slots[field as usize] = cell;
        }
        Ok(())
    }
}

/// Parses a value that was cut out, well-formed as it is. What cannot be parsed after all is mistyped.
fn look_into<'m>(text: &'m str, node: &Node, row: &mut Row<'_, 'm>, top: bool) {
    if node.fields.len() == node.json.len() {
        return;
    }
    let pace = std::mem::replace(&mut row.pace, Pace::Careful);
    let mut parser = serde_json::Deserializer::from_str(text);
    if parser
        .deserialize_any(Parsed {
            node,
            row: &mut *row,
            top,
        })
        .is_err()
    {
        let below: &[u32] = if text.starts_with(['{', '[']) {
            &node.fields
        } else {
            &[]
        };
        for &field in node.wants.iter().map(|want| &want.field).chain(below) {
            row.slots[field as usize] = Slot::Mistyped(Found::Unreadable);
        }
    }
    row.pace = pace;
}

impl<'m> Parsed<'_, '_, '_, 'm> {
    #[inline]
    fn put<E: Error>(self, scalar: Scalar<'_>) -> Result<(), E> {
        self.check_shape(scalar.name())?;
        for want in &self.node.wants {
            self.row.slots[want.field as usize] = convert(scalar, want.kind);
        }
        Ok(())
    }

    /// Texts that are wanted as text are stored as `cell`, which says where they are.
    fn put_text<E: Error>(self, text: &str, cell: Slot<'m>) -> Result<(), E> {
        self.check_shape("a string")?;
        for want in &self.node.wants {
            self.row.slots[want.field as usize] = match want.kind {
                Type::Text => cell,
                kind => convert(Scalar::Text(text), kind),
            };
        }
        Ok(())
    }

    fn put_nested(&mut self, found: Found) {
        for want in &self.node.wants {
            self.row.slots[want.field as usize] = Slot::Mistyped(found);
        }
    }

    /// A whole payload that only serves to look fields up in must have something to look up.
    #[inline]
    fn check_shape<E: Error>(&self, got: &str) -> Result<(), E> {
        if !self.top || self.node.takes_value() {
            return Ok(());
        }
        let wanted = match (self.node.wants_members(), self.node.wants_elements()) {
            (true, true) => "object or array",
            (false, true) => "array",
            (_, false) => "object",
        };
        Err(E::custom(format_args!("payload must be a JSON {wanted}, got {got}")))
    }

    /// A second value for the same name replaces all of the first.
    #[inline]
    fn forget(&mut self, node: &Node) {
        for &field in &node.fields {
            self.row.slots[field as usize] = Slot::Missing;
        }
    }
}

impl<'m> Visitor<'m> for Parsed<'_, '_, '_, 'm> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.check_shape("null")?;
        for want in &self.node.wants {
            self.row.slots[want.field as usize] = Slot::Missing;
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.put(Scalar::Bool(value))
    }

    #[inline]
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put(Scalar::Int(value))
    }

    #[inline]
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.put(i64::try_from(value).map_or(Scalar::Unsigned(value), Scalar::Int))
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.put(Scalar::Float(value))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'m str) -> Result<(), E> {
        self.put_text(text, Slot::Text(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let start = offset(self.row.scratch.len());
        self.row.scratch.push_str(text);
        let cell = Slot::Unescaped(start, offset(self.row.scratch.len()));
        self.put_text(text, cell)
    }

    #[inline]
    fn visit_map<A: MapAccess<'m>>(mut self, mut map: A) -> Result<(), A::Error> {
        if !self.node.wants_members() {
            self.check_shape("an object")?;
        }
        self.put_nested(Found::Object);
        while let Some(child) = map.next_key_seed(Name(self.node))? {
            match child {
                Some(node) => {
                    self.forget(node);
                    map.next_value_seed(Value {
                        node,
                        row: &mut *self.row,
                        top: false,
                    })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'m>>(mut self, mut elements: A) -> Result<(), A::Error> {
        if !self.node.wants_elements() {
            self.check_shape("an array")?;
        }
        self.put_nested(Found::Array);
        let mut at = 0;
        for (index, node) in self.node.elements() {
            while at < *index {
                if elements.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(());
                }
                at += 1;
            }
            if elements
                .next_element_seed(Value {
                    node,
                    row: &mut *self.row,
                    top: false,
                })?
                .is_none()
            {
                return Ok(());
            }
            at += 1;
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

impl<'m, 'n> DeserializeSeed<'m> for Name<'n> {
    type Value = Option<&'n Node>;

    #[inline]
    fn deserialize<D: Deserializer<'m>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Name<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    #[inline]
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.member(name))
    }
}

impl Scalar<'_> {
    fn name(&self) -> &'static str {
        match self {
            Scalar::Bool(_) => "a boolean",
            Scalar::Int(_) | Scalar::Unsigned(_) | Scalar::Float(_) => "a number",
            Scalar::Text(_) => "a string",
        }
    }
}

/// Scratch holds no more than one payload's texts.
fn offset(len: usize) -> u32 {
    u32::try_from(len).expect("an MQTT payload is below 256 MiB, and its texts shrink when unescaped")
}
