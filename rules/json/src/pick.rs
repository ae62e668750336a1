//! Objects with fewer members.

use crate::members::present_object;
use rulemill_guest::prelude::*;
use rulemill_guest_values::json::{Kind, Object, ObjectWriter, Value};
use std::borrow::Cow;

/// `object` without the members of these names, each a text or an array of texts. Nulls among the names are passed over.
#[function(immutable)]
#[example("{\"a\":1,\"b\":2,\"c\":3}", "[\"a\",\"b\"]" => "{\"c\":3}")]
#[example("{\"k1\":null,\"k2\":\"2\"}", "\"k1\"" => "{\"k2\":\"2\"}")]
#[example("{\"a\":1,\"b\":2}", "\"a\"", "\"b\"" => "{}")]
#[example("{\"a\":1}", null => "{\"a\":1}")]
#[example("{\"a\":1}", "1" => error)]
#[example("[1]", "\"a\"" => error)]
#[example(null, "\"a\"" => null)]
pub fn erase(object: Json<'_>, names: &[Option<Json<'_>>]) -> Result<Option<JsonString>, RowError> {
    let Some(object) = present_object(Some(object))? else {
        return Ok(None);
    };
    let names = texts(names)?;
    let mut rest = ObjectWriter::new();
    for (name, value) in object.sorted() {
        if !names.contains(&name) {
            rest.push(&name, value);
        }
    }
    Ok(Some(rest.finish()))
}

/// `object` with nothing but these members, each a text or an array of texts, such as `a` or, for a member of a member,
/// `a.b`. Members that are not there, and nulls among the names, are passed over.
#[function(immutable)]
#[example("{\"k1\":23,\"k2\":\"2\"}", "\"k2\"" => "{\"k2\":\"2\"}")]
#[example("{\"a\":{\"b\":1,\"c\":2},\"d\":{\"e\":3}}", "\"a.b\"", "\"d\"" => "{\"a\":{\"b\":1},\"d\":{\"e\":3}}")]
#[example("{\"a\":{\"b\":1,\"c\":2}}", "[\"a.c\",\"a.b\"]" => "{\"a\":{\"b\":1,\"c\":2}}")]
#[example("{\"a\":{\"b\":1}}", "\"a.x\"", "\"a.b.c\"" => "{}")]
#[example("{\"k1\":null,\"k2\":\"2\"}", "\"k1\"" => "{\"k1\":null}")]
#[example("{\"a\":1}", null => "{}")]
#[example("{\"a\":1}", "1" => error)]
#[example(null, "\"k1\"" => null)]
pub fn object_pick(object: Json<'_>, names: &[Option<Json<'_>>]) -> Result<Option<JsonString>, RowError> {
    let Some(object) = present_object(Some(object))? else {
        return Ok(None);
    };
    let names = texts(names)?;
    let mut paths: Vec<&str> = names.iter().map(Cow::as_ref).collect();
    paths.sort_unstable_by(|one, other| one.split('.').cmp(other.split('.')));
    Ok(Some(pick(object, &paths)))
}

/// The members at these paths, which are sorted. Calls itself for members that are objects: as deep as the text goes.
fn pick(object: Object<'_>, paths: &[&str]) -> JsonString {
    let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    let mut picked = ObjectWriter::new();
    for group in paths.chunk_by(|one, other| first(one) == first(other)) {
        let name = first(group[0]);
        let Some(value) = object.member(&name) else {
            continue;
        };
        if group.contains(&name.as_str()) {
            picked.push(&name, value);
            continue;
        }
        let Kind::Object(inner) = value.kind() else {
            continue;
        };
        let rests: Vec<&str> = group
            .iter()
            .filter_map(|path| path.split_once('.'))
            .map(|(_, rest)| rest)
            .collect();
        let part = pick(inner, &rests);
        if part.0 != "{}" {
            picked.push_raw(&name, &part.0);
        }
    }
    picked.finish()
}

/// The texts among these, also those in arrays.
fn texts<'j>(names: &[Option<Json<'j>>]) -> Result<Vec<Cow<'j, str>>, RowError> {
    let mut texts = Vec::with_capacity(names.len());
    for name in names {
        let Some(name) = Value::present(*name)? else {
            continue;
        };
        match name.kind() {
            Kind::Array(inner) => {
                for name in inner {
                    texts.push(name.text()?.characters());
                }
            }
            _ => texts.push(name.text()?.characters()),
        }
    }
    Ok(texts)
}
