//! Puts the standard libraries into the program, as `make rules` built them.
//!
//! Without them the program is built all the same, with a warning; with `RULEMILL_LIBRARIES=required`, as `make build`
//! has it, that is an error.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The standard libraries, `rules/NAME`.
const NAMES: [&str; 9] = [
    "datetime", "dynamic", "hash", "json", "math", "misc", "regexp", "stats", "text",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RULEMILL_LIBRARIES");
    let dist = folder("CARGO_MANIFEST_DIR").join("../dist/rules");
    let (there, missing): (Vec<&str>, Vec<&str>) = NAMES.into_iter().partition(|name| file(&dist, name).is_file());
    // A file that is not there is one that changed, each time; so folders are watched where nothing was built.
    println!("cargo::rerun-if-changed={}", watched(&dist).display());
    for name in &there {
        println!("cargo::rerun-if-changed={}", file(&dist, name).display());
    }
    if !missing.is_empty() {
        let missing = missing.join(", ");
        let said = format!(
            "the standard libraries {missing} are not in dist/rules, so the program has none of them: run `make rules` first"
        );
        match variable("RULEMILL_LIBRARIES").as_deref() {
            Some("required") => println!("cargo::error={said}"),
            _ => println!("cargo::warning={said}"),
        }
    }
    let mut code = String::from("&[");
    for name in there {
        let file = file(&dist, name);
        writeln!(code, "({name:?}, include_bytes!({file:?})),").expect("text takes all");
    }
    code.push(']');
    let out = folder("OUT_DIR").join("built_in.rs");
    std::fs::write(&out, code).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

fn file(dist: &Path, name: &str) -> PathBuf {
    dist.join(format!("{name}.wasm"))
}

/// The folder, or the nearest one above it that is there.
fn watched(dist: &Path) -> &Path {
    let mut there = dist.ancestors().filter(|folder| folder.is_dir());
    there.next().unwrap_or(dist)
}

fn folder(name: &str) -> PathBuf {
    variable(name).map_or_else(|| panic!("Cargo sets {name}"), PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "that is how Cargo talks to a build script")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
