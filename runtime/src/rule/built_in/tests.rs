use super::*;
use crate::config::LimitsConfig;
use crate::rule::{GuestEngine, load};

/// Set, it writes the page anew.
const WRITE: &str = "RULEMILL_WRITE_DESCRIPTIONS";

/// What queries are compiled against: no words, no examples.
fn lean(mut library: Library) -> Library {
    library.doc.clear();
    for scalar in &mut library.scalars {
        scalar.doc.clear();
        scalar.examples.clear();
    }
    for aggregate in &mut library.aggregates {
        aggregate.doc.clear();
        aggregate.examples.clear();
    }
    library
}

#[test]
fn descriptions_are_those_of_the_guests() {
    let engine = GuestEngine::new().expect("the engine starts");
    let described = GUESTS.iter().map(|(name, wasm)| {
        let loaded = load(&engine, wasm, &LimitsConfig::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let library = loaded.library.unwrap_or_else(|| panic!("{name} is no library"));
        assert_eq!(library.description.name, *name);
        lean(library.description.clone())
    });
    let described: Vec<Library> = described.collect();
    #[expect(clippy::disallowed_methods, reason = "a test that can renew what it compares with")]
    let write = std::env::var_os(WRITE).is_some();
    if write {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rule/built_in/descriptions.jsonl");
        let lines: String = described.iter().map(|library| library.to_json() + "\n").collect();
        std::fs::write(page, lines).expect("the sources can be written");
        return;
    }
    assert_eq!(
        DESCRIPTIONS
            .lines()
            .filter(|line| Library::from_json(line).is_ok())
            .count(),
        9
    );
    assert_eq!(BuiltIn::all().len(), GUESTS.len(), "each guest has a description");
    for library in &described {
        let kept = BuiltIn::named(&library.name).map(|built_in| &built_in.description);
        assert_eq!(
            kept,
            Some(library),
            "descriptions.jsonl has something else; with {WRITE}=1 this test writes it anew"
        );
    }
}

fn library(name: &str, function: &str) -> Library {
    let json = format!(
        r#"{{"name": "{name}", "scalars": [{{"name": "{function}", "parameters": [{{"name": "of", "type": "float"}}], "returns": "float"}}]}}"#
    );
    Library::from_json(&json).expect("it is a description")
}

#[test]
fn a_library_of_the_directory_comes_first() {
    let mine = with_built_in(vec![library("math", "half"), library("mine", "upper")]);
    let of = |function: &str| -> Vec<&str> {
        let having = mine.iter().filter(|library| has(library, function));
        having.map(|library| library.name.as_str()).collect()
    };
    assert_eq!(of("half"), ["math"]);
    assert_eq!(of("upper"), ["mine"]);
    let names: BTreeSet<&str> = mine.iter().map(|library| library.name.as_str()).collect();
    assert_eq!(names.len(), mine.len(), "each once");
    if BuiltIn::named("math").is_some() {
        assert_eq!(of("sqrt"), [""; 0], "its own math replaces all of the other");
        assert_eq!(of("lower"), ["text"]);
    }
}

#[test]
fn a_call_finds_the_library_that_has_the_function() {
    for built_in in BuiltIn::all() {
        let name = built_in.description.name.as_str();
        assert!(BuiltIn::called(Some(name), "no_such_function").is_none());
        assert!(BuiltIn::is_place(&built_in.place()));
        let first = functions(&built_in.description).next().expect("it has functions");
        let found = BuiltIn::called(Some(name), first).expect("it names both");
        assert_eq!(found.description.name, name);
    }
    assert!(BuiltIn::called(None, "count").is_none(), "that needs no library");
}
