//! The standard libraries in the program itself, so that rules have them in an empty directory.
//!
//! They lie there as they were built, and are read from the program's file only when a rule names one of their functions.
//! What they say about themselves is kept beside this file, as queries are compiled against it: nothing has to be compiled
//! to find out which of them a query needs.

use rulemill_plan::{BUILT_IN_AGGREGATES, Library};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A library in the program.
#[derive(Debug)]
pub struct BuiltIn {
    /// What it says about itself.
    pub description: Library,
    /// The guest.
    pub wasm: &'static [u8],
}

impl BuiltIn {
    /// All that the program has.
    pub fn all() -> &'static [BuiltIn] {
        &ALL
    }

    /// The library of that name.
    pub fn named(library: &str) -> Option<&'static BuiltIn> {
        ALL.iter().find(|built_in| built_in.description.name == library)
    }

    /// The library that a call means: the one that it names, or else the one that has the function.
    pub fn called(library: Option<&str>, function: &str) -> Option<&'static BuiltIn> {
        match library {
            Some(library) => Self::named(library).filter(|built_in| has(&built_in.description, function)),
            None if BUILT_IN_AGGREGATES.contains(&function) => None,
            None => ALL.iter().find(|built_in| has(&built_in.description, function)),
        }
    }

    /// By what name it is shown where others have that of their file.
    pub fn place(&self) -> String {
        format!("{PLACE}{}", self.description.name)
    }

    /// Whether a name is that of a library in the program, and not of a file.
    pub fn is_place(name: &str) -> bool {
        name.starts_with(PLACE)
    }
}

/// These libraries, and those in the program as far as they are not replaced: by a library of the same name as a whole, by
/// any other one for the functions that it has.
pub fn with_built_in(libraries: Vec<Library>) -> Vec<Library> {
    let mut all = libraries;
    let given = all.len();
    for built_in in BuiltIn::all() {
        let (others, _) = all.split_at(given);
        if others.iter().any(|other| other.name == built_in.description.name) {
            continue;
        }
        let taken: BTreeSet<&str> = others.iter().flat_map(functions).collect();
        let mut library = built_in.description.clone();
        library.scalars.retain(|scalar| !taken.contains(scalar.name.as_str()));
        library
            .aggregates
            .retain(|aggregate| !taken.contains(aggregate.name.as_str()));
        all.push(library);
    }
    all
}

fn functions(library: &Library) -> impl Iterator<Item = &str> {
    let scalars = library.scalars.iter().map(|scalar| scalar.name.as_str());
    scalars.chain(library.aggregates.iter().map(|aggregate| aggregate.name.as_str()))
}

fn has(library: &Library, function: &str) -> bool {
    functions(library).any(|name| name == function)
}

const PLACE: &str = "built-in:";

static GUESTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// A line for each library, which is its description.
const DESCRIPTIONS: &str = include_str!("built_in/descriptions.jsonl");

static ALL: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
    let read = |line| Library::from_json(line).expect("a test reads all of them");
    let described: Vec<Library> = DESCRIPTIONS.lines().map(read).collect();
    let guests = GUESTS.iter().filter_map(|&(name, wasm)| {
        let description = described.iter().find(|library| library.name == name)?.clone();
        Some(BuiltIn { description, wasm })
    });
    guests.collect()
});

#[cfg(test)]
mod tests;
