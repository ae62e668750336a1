//! Names, and names that must differ.

use super::{NAME_LEN_MAX, Problems};
use std::collections::HashSet;

impl Problems {
    /// A rule's, library's or sink's name: lower-case letters, digits, `_` and `-`.
    pub(super) fn check_guest_name(&mut self, at: &str, name: &str) {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        self.check_name(at, name, legal, "lower-case letters, digits, `_` and `-`");
    }

    /// A function's or a setting's name: letters, digits and `_`, not beginning with a digit.
    pub(super) fn check_identifier(&mut self, at: &str, name: &str) {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let legal_here = self.check_name(at, name, legal, "letters, digits and `_`");
        if legal_here && name.as_bytes()[0].is_ascii_digit() {
            self.add(at, format!("a name must not begin with a digit, got {name:?}"));
        }
    }

    /// A name that any text but the empty one may be.
    pub(super) fn check_not_empty(&mut self, at: &str, name: &str) {
        if name.is_empty() {
            self.add(at, "a name must not be empty");
        }
    }

    /// Names that must differ from each other.
    pub(super) fn check_distinct<'a>(&mut self, at: &str, names: impl Iterator<Item = &'a str>) {
        let mut seen = HashSet::new();
        for (position, name) in names.enumerate() {
            if !seen.insert(name) {
                self.add(
                    format!("{at}[{position}]"),
                    format!("the name {name:?} is taken already; names must differ"),
                );
            }
        }
    }

    fn check_name(&mut self, at: &str, name: &str, legal: impl Fn(u8) -> bool, words: &str) -> bool {
        if !name.is_empty() && name.len() <= NAME_LEN_MAX && name.bytes().all(legal) {
            return true;
        }
        self.add(
            at,
            format!("a name must be 1 to {NAME_LEN_MAX} of {words}, got {name:?}"),
        );
        false
    }
}
