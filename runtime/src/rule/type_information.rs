//! What a core module says about the types of its imports and exports, looked at before anybody builds on it.
//!
//! It names packages of interfaces, and whoever puts them in order follows what each depends on, by calling itself. Packages that
//! depend on each other, which no source text can, would take all of the stack, and the process with it.

use super::convert::shorten;
use super::load::LoadError;
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{
    BinaryReaderError, ComponentExternName, ComponentType, ComponentTypeDeclaration, InstanceTypeDeclaration, Parser,
    Payload,
};

/// Fails when packages depend on each other in the type information of a module, or it cannot be told. The module must have been
/// counted before, so that types lie only so deep within types.
pub(super) fn check(module: &[u8]) -> Result<(), LoadError> {
    let mut packages = Packages::default();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CustomSection(section) = payload.map_err(|error| refusal(&error))? else {
            continue;
        };
        if section.name().starts_with("component-type") {
            packages.add(section.data())?;
        }
    }
    if packages.depend_on_each_other() {
        let message = "its type information has packages that depend on each other";
        return Err(LoadError::NotAGuest(message.to_owned()));
    }
    Ok(())
}

/// The packages that were named, each with those that it may depend on: what a name stands for is made of what stands before it.
#[derive(Default)]
struct Packages {
    before: BTreeMap<String, BTreeSet<String>>,
    /// Those of the section at hand.
    seen: BTreeSet<String>,
}

impl Packages {
    fn add(&mut self, section: &[u8]) -> Result<(), LoadError> {
        if !Parser::is_component(section) {
            let message = "its type information is no component (old tools wrote another format)";
            return Err(LoadError::NotAGuest(message.to_owned()));
        }
        self.seen.clear();
        for payload in Parser::new(0).parse_all(section) {
            match payload.map_err(|error| refusal(&error))? {
                Payload::ComponentTypeSection(types) => {
                    for declared in types {
                        self.add_type(&declared.map_err(|error| refusal(&error))?)?;
                    }
                }
                Payload::ComponentImportSection(imports) => {
                    for import in imports {
                        self.add_name(&import.map_err(|error| refusal(&error))?.name)?;
                    }
                }
                Payload::ComponentExportSection(exports) => {
                    for export in exports {
                        self.add_name(&export.map_err(|error| refusal(&error))?.name)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Calls itself for types within types, of which there are only so many.
    fn add_type(&mut self, declared: &ComponentType<'_>) -> Result<(), LoadError> {
        match declared {
            ComponentType::Component(declarations) => {
                for declaration in declarations {
                    match declaration {
                        ComponentTypeDeclaration::Type(inner) => self.add_type(inner)?,
                        ComponentTypeDeclaration::Export { name, .. } => self.add_name(name)?,
                        ComponentTypeDeclaration::Import(import) => self.add_name(&import.name)?,
                        ComponentTypeDeclaration::CoreType(_) | ComponentTypeDeclaration::Alias(_) => {}
                    }
                }
            }
            ComponentType::Instance(declarations) => {
                for declaration in declarations {
                    match declaration {
                        InstanceTypeDeclaration::Type(inner) => self.add_type(inner)?,
                        InstanceTypeDeclaration::Export { name, .. } => self.add_name(name)?,
                        InstanceTypeDeclaration::CoreType(_) | InstanceTypeDeclaration::Alias(_) => {}
                    }
                }
            }
            ComponentType::Defined(_) | ComponentType::Func(_) | ComponentType::Resource { .. } => {}
        }
        Ok(())
    }

    fn add_name(&mut self, name: &ComponentExternName<'_>) -> Result<(), LoadError> {
        if name.implements.is_some() || name.external_id.is_some() {
            let message = format!(
                "its type information says more of {} than its name",
                shorten(name.name.to_owned())
            );
            return Err(LoadError::NotAGuest(message));
        }
        let Some((package, rest)) = name.name.split_once('/') else {
            // A name of a type or a function.
            return Ok(());
        };
        let version = rest.split_once('@').map_or("", |(_, version)| version);
        let package = format!("{package}@{version}{}", name.version_suffix.unwrap_or_default());
        let before = self.before.entry(package.clone()).or_default();
        before.extend(self.seen.iter().filter(|other| **other != package).cloned());
        if before.len() > PACKAGES_MAX {
            return Err(LoadError::TooMuch {
                what: "packages in its type information",
                count: before.len(),
                max: PACKAGES_MAX,
            });
        }
        self.seen.insert(package);
        Ok(())
    }

    /// Takes away, again and again, the packages that depend on none of the others that are left.
    fn depend_on_each_other(mut self) -> bool {
        loop {
            let free: BTreeSet<String> = self
                .before
                .iter()
                .filter(|(_, before)| before.is_empty())
                .map(|(package, _)| package.clone())
                .collect();
            if free.is_empty() {
                return !self.before.is_empty();
            }
            self.before.retain(|package, _| !free.contains(package));
            for before in self.before.values_mut() {
                before.retain(|package| !free.contains(package));
            }
        }
    }
}

fn refusal(error: &BinaryReaderError) -> LoadError {
    LoadError::NotAGuest(shorten(format!("its type information cannot be read: {error}")))
}

/// A guest needs one, and its own.
const PACKAGES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_test_guests::text;

    /// A module with type information for each of `worlds`, whose names are imported in this order.
    fn module(worlds: &[&[&str]]) -> Vec<u8> {
        let mut module = text("(module)");
        for world in worlds {
            let imports = world.iter().map(|name| format!("(import \"{name}\" (instance))"));
            let component = text(&format!(
                "(component (type (component {})))",
                imports.collect::<String>()
            ));
            let name = b"component-type:x";
            let length = 1 + name.len() + component.len();
            module.extend([
                0,
                u8::try_from(length & 0x7f).unwrap() | 0x80,
                u8::try_from(length >> 7).unwrap(),
            ]);
            module.push(u8::try_from(name.len()).unwrap());
            module.extend(name);
            module.extend(component);
        }
        module
    }

    fn refused(worlds: &[&[&str]]) -> bool {
        check(&module(worlds)).is_err()
    }

    #[test]
    fn packages_one_after_the_other_are_fine() {
        assert!(!refused(&[]));
        assert!(!refused(&[&["a:b/x@1.0.0", "a:b/y@1.0.0"]]));
        assert!(!refused(&[&["a:b/x@1.0.0", "a:c/x", "a:c/y"]]));
        assert!(
            !refused(&[&["a:b/x", "a:c/x"], &["a:b/y", "a:c/x"]]),
            "two crates may say the same"
        );
    }

    #[test]
    fn packages_that_depend_on_each_other_are_refused() {
        assert!(refused(&[&["a:b/x", "a:c/x", "a:b/y"]]));
        assert!(
            refused(&[&["a:b/x@1.0.0", "a:b/x@2.0.0", "a:b/y@1.0.0"]]),
            "a version is a package of its own"
        );
        assert!(
            refused(&[&["a:b/x", "a:c/x"], &["a:c/y", "a:b/y"]]),
            "across sections too"
        );
        assert!(refused(&[&["a:b/x", "a:c/x", "a:d/x"], &["a:d/y", "a:b/y"]]));
    }

    #[test]
    fn a_format_that_nobody_counts_is_refused() {
        let mut module = text("(module)");
        module.extend(b"\x00\x12\x0ecomponent-type\x03\x00\x00");
        let error = check(&module).unwrap_err().to_string();
        assert!(error.contains("old tools"), "{error}");
    }
}
