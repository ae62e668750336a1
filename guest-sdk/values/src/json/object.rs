//! Objects.

use super::skip::{skip_blanks, skip_sign, split_value};
use super::{Text, Value};
use std::borrow::Cow;

/// An object, as it stands between its braces.
#[derive(Clone, Copy)]
pub struct Object<'j> {
    inner: &'j str,
}

/// The members as they stand, a name that comes twice too.
pub struct Members<'j> {
    rest: &'j str,
}

impl<'j> Object<'j> {
    /// The object of a value that begins and ends with braces.
    pub(super) fn enclosed(raw: &'j str) -> Self {
        let inner = raw.strip_prefix('{').unwrap_or(raw);
        Object {
            inner: inner.strip_suffix('}').unwrap_or(inner),
        }
    }

    /// The member of this name; the last one, if there are several.
    pub fn member(self, name: &str) -> Option<Value<'j>> {
        let members = self.into_iter().filter(|(key, _)| key.characters() == name);
        members.last().map(|(_, value)| value)
    }

    /// The members by their names in order; of several with one name the last one.
    pub fn sorted(self) -> Vec<(Cow<'j, str>, Value<'j>)> {
        let members = self.into_iter().map(|(key, value)| (key.characters(), value));
        sort_members(members.collect())
    }
}

/// Members by their names in order; of several with one name the last one.
pub fn sort_members<'j>(mut members: Vec<(Cow<'j, str>, Value<'j>)>) -> Vec<(Cow<'j, str>, Value<'j>)> {
    // The sort is stable, so the last of a name comes first after this.
    members.reverse();
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    members.dedup_by(|(one, _), (other, _)| one == other);
    members
}

impl<'j> IntoIterator for Object<'j> {
    type Item = (Text<'j>, Value<'j>);
    type IntoIter = Members<'j>;

    fn into_iter(self) -> Members<'j> {
        Members {
            rest: skip_blanks(self.inner),
        }
    }
}

impl<'j> Iterator for Members<'j> {
    type Item = (Text<'j>, Value<'j>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (name, rest) = split_value(self.rest);
        let (value, rest) = split_value(skip_sign(rest, b':'));
        self.rest = skip_sign(rest, b',');
        Some((Text::quoted(name), Value::part(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_guest::Json;

    #[test]
    fn the_last_of_a_name_counts() {
        let object = Value::of(Json(r#"{ "b" : 1 , "a": [2], "b":{"a":3}, "\u0062": 4 }"#)).unwrap();
        let object = object.object().unwrap();
        assert_eq!(object.member("b").map(Value::raw), Some("4"));
        assert_eq!(object.member("a").map(Value::raw), Some("[2]"));
        assert!(object.member("c").is_none());
        let sorted: Vec<_> = object
            .sorted()
            .into_iter()
            .map(|(name, value)| (name, value.raw()))
            .collect();
        assert_eq!(sorted, [("a".into(), "[2]"), ("b".into(), "4")]);
    }

    #[test]
    fn an_empty_object_has_no_members() {
        assert!(Value::of(Json("{ }")).unwrap().object().unwrap().sorted().is_empty());
    }
}
