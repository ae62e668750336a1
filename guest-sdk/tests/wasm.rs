//! The shipped guests as plain `cargo build` makes them: small core modules that become components, and import nothing
//! but what the contract allows.
#![expect(clippy::unwrap_used, reason = "what these files lack is a failure of the test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use wasmparser::{Parser, Payload, TypeRef};

const GUESTS: &[&str] = &[
    "comfort",
    "datetime",
    "device_temperature",
    "dynamic",
    "hash",
    "high_temperature",
    "json",
    "math",
    "misc",
    "regexp",
    "stats",
    "text",
];

/// A guest is compiled and kept in memory for each rule; beyond this something large was pulled in by accident.
const SIZE_MAX: usize = 400 * 1024;

#[test]
fn shipped_guests_become_components_that_import_diagnostics_only() {
    let folder = build();
    for guest in GUESTS {
        let module = std::fs::read(folder.join(guest).with_extension("wasm")).unwrap();
        assert!(
            module.len() <= SIZE_MAX,
            "{guest} has {} bytes, at most {SIZE_MAX} are wanted",
            module.len()
        );
        for (from, name) in functions_imported_by(&module) {
            // What a component needs to hand out its own resources is not an import of the component.
            let own_resources = from.starts_with("[export]rulemill:guest/");
            let allowed = own_resources || from == "rulemill:guest/diagnostics@1.0.0";
            assert!(allowed, "{guest} imports {name} from {from}");
        }
        let component = wit_component::ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .and_then(|mut encoder| encoder.encode())
            .unwrap_or_else(|error| panic!("{guest} does not become a component: {error:#}"));
        for import in interfaces_imported_by(&component) {
            // `columns` has types only.
            let allowed = ["rulemill:guest/columns@1.0.0", "rulemill:guest/diagnostics@1.0.0"];
            assert!(allowed.contains(&import.as_str()), "{guest} imports {import}");
        }
    }
}

/// Builds the guests as `make rules` does, and gives the folder they are in.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let packages = GUESTS.iter().flat_map(|guest| ["-p", guest]);
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--locked",
            "--profile",
            "guest",
            "--target",
            "wasm32-unknown-unknown",
        ])
        .args(packages)
        .arg("--target-dir")
        .arg(target)
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("wasm32-unknown-unknown/guest")
}

fn functions_imported_by(module: &[u8]) -> Vec<(String, String)> {
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.unwrap() {
            for import in section.into_imports() {
                let import = import.unwrap();
                assert!(
                    matches!(import.ty, TypeRef::Func(_)),
                    "{} is not a function",
                    import.name
                );
                imports.push((import.module.to_owned(), import.name.to_owned()));
            }
        }
    }
    imports
}

/// The imports of the component itself, not of those inside it.
fn interfaces_imported_by(component: &[u8]) -> Vec<String> {
    let (mut imports, mut depth) = (Vec::new(), 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_string()));
            }
            _ => {}
        }
    }
    imports
}
