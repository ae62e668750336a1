//! The wanted paths as a tree, so that one walk over a payload finds them all.

use rulemill_plan::{PathSegment, Type};

/// One place in a payload: what is wanted of the value there, and what is wanted below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The fields that take the value itself, each in its own type.
    pub(super) wants: Vec<Want>,
    /// The fields that take the value's text.
    pub(super) json: Vec<u32>,
    /// Members of an object, sorted by name.
    names: Vec<(Box<str>, Node)>,
    /// Elements of an array, sorted by position.
    indexes: Vec<(u32, Node)>,
    /// Every field at or below this place.
    pub(super) fields: Vec<u32>,
}

/// A field that takes a value in a type other than JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub(super) field: u32,
    pub(super) kind: Type,
}

impl Node {
    /// Adds a field below this node.
    pub(super) fn insert(&mut self, path: &[PathSegment], field: u32, kind: Type) {
        self.fields.push(field);
        match path {
            [] if kind == Type::Json => self.json.push(field),
            [] => self.wants.push(Want { field, kind }),
            [PathSegment::Name(name), rest @ ..] => {
                let at = match self.names.binary_search_by(|(known, _)| (**known).cmp(name)) {
                    Ok(at) => at,
                    Err(at) => {
                        self.names.insert(at, (name.as_str().into(), Node::default()));
                        at
                    }
                };
                self.names[at].1.insert(rest, field, kind);
            }
            [PathSegment::Index(index), rest @ ..] => {
                let at = match self.indexes.binary_search_by_key(index, |(known, _)| *known) {
                    Ok(at) => at,
                    Err(at) => {
                        self.indexes.insert(at, (*index, Node::default()));
                        at
                    }
                };
                self.indexes[at].1.insert(rest, field, kind);
            }
        }
    }

    /// Whether nothing is wanted here or below.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether the value itself is wanted here, not only what is below it.
    pub(super) fn takes_value(&self) -> bool {
        !self.wants.is_empty() || !self.json.is_empty()
    }

    pub(super) fn wants_members(&self) -> bool {
        !self.names.is_empty()
    }

    pub(super) fn wants_elements(&self) -> bool {
        !self.indexes.is_empty()
    }

    /// The member `name`, if anything there is wanted.
    #[inline]
    pub(super) fn member(&self, name: &str) -> Option<&Node> {
        if self.names.len() <= SCAN_MAX {
            return self
                .names
                .iter()
                .find(|(known, _)| **known == *name)
                .map(|(_, node)| node);
        }
        let at = self.names.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&self.names[at].1)
    }

    /// The wanted elements in order.
    pub(super) fn elements(&self) -> &[(u32, Node)] {
        &self.indexes
    }
}

/// Up to so many names, comparing one after the other beats a binary search.
const SCAN_MAX: usize = 8;
