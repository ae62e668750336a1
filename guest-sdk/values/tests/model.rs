//! Values read in place, against serde_json, which makes a tree of them.
#![expect(clippy::unwrap_used, reason = "what fails here is a failure of the test")]

use proptest::prelude::*;
use rulemill_guest::Json;
use rulemill_guest_values::json::{Kind, Value};
use serde_json::Value as Tree;
use serde_json::value::RawValue;
use std::cmp::Ordering;

/// A value as a tree.
fn tree(value: Value<'_>) -> Tree {
    match value.kind() {
        Kind::Null => Tree::Null,
        Kind::Bool(truth) => Tree::Bool(truth),
        Kind::Number(_) => serde_json::from_str(value.raw()).unwrap(),
        Kind::Text(text) => Tree::String(text.characters().into_owned()),
        Kind::Array(array) => Tree::Array(array.into_iter().map(tree).collect()),
        Kind::Object(object) => {
            let members = object.into_iter();
            Tree::Object(
                members
                    .map(|(name, value)| (name.characters().into_owned(), tree(value)))
                    .collect(),
            )
        }
    }
}

/// Any tree, with few different values, so that equal ones come about.
fn any_tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        (-2_i64..3).prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        (-2.0..2.0_f64).prop_map(Tree::from),
        "[a\"\\\\\n/ä😀\u{1}]{0,3}".prop_map(Tree::String),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::Array),
            prop::collection::btree_map("[ab\"]{0,2}", inner, 0..4)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

/// The text of a tree, in one of two ways.
fn written(tree: &Tree, pretty: bool) -> String {
    if pretty {
        serde_json::to_string_pretty(tree).unwrap()
    } else {
        tree.to_string()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_read_is_what_was_written(tree_written in any_tree(), pretty: bool) {
        let text = written(&tree_written, pretty);
        prop_assert_eq!(tree(Value::of(Json(&text)).unwrap()), tree_written);
    }

    #[test]
    fn what_is_json_is_so_for_both(text in "[\\[\\]{}\",: \\\\0-9eEu.+tfn\\-]{0,12}|(\\[|\\{\"a\":|\"\\\\u[0-9d]{0,4}|tru|true|-?[0-9.]{1,3}|,|\\]|\\}|\"| ){0,8}") {
        let known = serde_json::from_str::<Box<RawValue>>(&text);
        prop_assert_eq!(Value::of(Json(&text)).is_ok(), known.is_ok());
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        if let Ok(value) = Value::of(Json(&text)) {
            tree(value);
        }
    }

    #[test]
    fn the_order_is_one(left in any_tree(), middle in any_tree(), right in any_tree(), pretty: bool) {
        let texts = [written(&left, pretty), middle.to_string(), right.to_string()];
        let [one, two, three] = [&texts[0], &texts[1], &texts[2]].map(|text| Value::of(Json(text)).unwrap());
        prop_assert_eq!(one.compare(one), Ordering::Equal);
        prop_assert_eq!(one.compare(two), two.compare(one).reverse());
        if one.compare(two).is_le() && two.compare(three).is_le() {
            prop_assert!(one.compare(three).is_le());
        }
    }
}
