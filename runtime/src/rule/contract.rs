//! What a guest imports and exports, held against the contract: the interfaces of the package `rulemill:guest`.

use super::convert::shorten;
use super::engine::GuestEngine;
use super::load::LoadError;
use wasmtime::component::Component;

/// The version of the contract that guests are built against.
pub const CONTRACT_VERSION: &str = "1.0.0";
/// The interface of libraries.
pub(super) const FUNCTIONS: &str = "rulemill:guest/functions@1.0.0";
/// The interface of rules.
pub(super) const RULE: &str = "rulemill:guest/rule@1.0.0";
/// The only interface with a function that a guest may import.
pub(super) const DIAGNOSTICS: &str = "rulemill:guest/diagnostics@1.0.0";

/// The interfaces of a guest that keeps to the contract.
#[derive(Debug)]
pub(super) struct Interfaces {
    /// Those that it imports.
    pub(super) imports: Vec<String>,
    /// Whether it exports [`FUNCTIONS`].
    pub(super) functions: bool,
    /// Whether it exports [`RULE`].
    pub(super) rule: bool,
}

impl Interfaces {
    /// Those of a component. The version comes first: with another one, every name is another.
    pub(super) fn of(engine: &GuestEngine, component: &Component) -> Result<Self, LoadError> {
        let kind = component.component_type();
        let imports: Vec<&str> = kind.imports(engine.engine()).map(|(name, _)| name).collect();
        let exports: Vec<&str> = kind.exports(engine.engine()).map(|(name, _)| name).collect();
        for name in imports.iter().chain(&exports) {
            check_version(name)?;
        }
        let forbidden: Vec<&str> = imports
            .iter()
            .copied()
            .filter(|name| !ALLOWED_IMPORTS.contains(name))
            .collect();
        if !forbidden.is_empty() {
            return Err(LoadError::ForbiddenImport(shorten(forbidden.join(", "))));
        }
        let unknown = exports
            .iter()
            .find(|name| name.starts_with(PACKAGE) && !EXPORTS.contains(*name));
        if let Some(unknown) = unknown {
            return Err(LoadError::UnknownExport(shorten((*unknown).to_owned())));
        }
        let (functions, rule) = (exports.contains(&FUNCTIONS), exports.contains(&RULE));
        if !functions && !rule {
            return Err(LoadError::ExportsNothing(listed(&exports)));
        }
        Ok(Interfaces {
            imports: imports.into_iter().map(ToOwned::to_owned).collect(),
            functions,
            rule,
        })
    }
}

/// Fails for an interface of the contract in another version.
fn check_version(name: &str) -> Result<(), LoadError> {
    let Some(interface) = name.strip_prefix(PACKAGE) else {
        return Ok(());
    };
    let version = interface.split_once('@').map_or("", |(_, version)| version);
    if version == CONTRACT_VERSION {
        return Ok(());
    }
    Err(LoadError::ContractVersion {
        found: match version.is_empty() {
            true => "no version".to_owned(),
            false => format!("version {}", shorten(version.to_owned())),
        },
    })
}

fn listed(exports: &[&str]) -> String {
    if exports.is_empty() {
        return "nothing".to_owned();
    }
    shorten(exports[..exports.len().min(EXPORTS_TOLD_MAX)].join(", "))
}

const PACKAGE: &str = "rulemill:guest/";
/// The columns interface holds types only, so importing or exporting it brings nothing in.
const COLUMNS: &str = "rulemill:guest/columns@1.0.0";
const ALLOWED_IMPORTS: [&str; 2] = [DIAGNOSTICS, COLUMNS];
const EXPORTS: [&str; 3] = [FUNCTIONS, RULE, COLUMNS];
/// The most exports that a refusal names.
const EXPORTS_TOLD_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_has_the_version_of_the_contract() {
        for name in ALLOWED_IMPORTS.iter().chain(&EXPORTS) {
            assert!(check_version(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn another_version_of_the_contract_is_told_and_other_packages_are_not_its_business() {
        assert!(check_version("wasi:cli/run@0.2.0").is_ok());
        for (name, found) in [
            ("rulemill:guest/rule@1.0.1", "version 1.0.1"),
            ("rulemill:guest/rule@2.0.0-rc.1", "version 2.0.0-rc.1"),
            ("rulemill:guest/anything", "no version"),
        ] {
            let error = check_version(name).unwrap_err().to_string();
            assert!(error.contains(found) && error.contains("1.0.0"), "{error}");
        }
    }
}
