//! How much a file of WebAssembly consists of, counted before anything of it is compiled. A small file can ask for very
//! much work: functions, types and components within components cost a compiler far more than the bytes that declare them.

use super::convert::shorten;
use super::load::LoadError;
use std::ops::Range;
use wasmparser::{BinaryReaderError, Chunk, Parser, Payload};

/// Fails when there is more in a module or component than a guest may have.
pub(super) fn check(bytes: &[u8]) -> Result<(), LoadError> {
    let mut outline = Outline::default();
    outline.add(bytes, Place::File)
}

/// Where bytes stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// They are the file.
    File,
    /// They are what a module says about its types.
    TypeInformation,
}

/// What has been counted so far.
#[derive(Default)]
struct Outline {
    functions: usize,
    locals: usize,
    types: usize,
    modules: usize,
    components: usize,
    instances: usize,
    items: usize,
    /// How deep declarations of types may stand within declarations.
    type_nesting: usize,
    type_information: usize,
}

impl Outline {
    /// Counts what is in `bytes`: a module or a component, with what is in it. Nothing here recurses into what
    /// it counts, and no type is read: the parser reads types within types by calling itself.
    fn add(&mut self, bytes: &[u8], place: Place) -> Result<(), LoadError> {
        let mut parser = Parser::new(0);
        let mut outer: Vec<Parser> = Vec::new();
        let mut rest = bytes;
        loop {
            let (consumed, payload) = match parser.parse(rest, true).map_err(|error| invalid(&error))? {
                Chunk::Parsed { consumed, payload } => (consumed, payload),
                // Only said of input that may go on.
                Chunk::NeedMoreData(_) => return Err(LoadError::Invalid("it ends too early".to_owned())),
            };
            rest = &rest[consumed..];
            match payload {
                Payload::ModuleSection { parser: inner, .. } => {
                    count(&mut self.modules, 1, MODULES)?;
                    outer.push(std::mem::replace(&mut parser, inner));
                }
                Payload::ComponentSection { parser: inner, .. } => {
                    count(&mut self.components, 1, COMPONENTS)?;
                    outer.push(std::mem::replace(&mut parser, inner));
                    count(&mut 0, outer.len(), NESTING)?;
                }
                Payload::End(_) => match outer.pop() {
                    Some(before) => parser = before,
                    None => return Ok(()),
                },
                Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                    // Nobody reads one that stands in another.
                    if place == Place::File {
                        self.add_type_information(section.data())?;
                    }
                }
                payload => self.add_section(bytes, &payload)?,
            }
        }
    }

    /// What a module says about the types of its imports and exports is a component of its own. What is wrong with it is for
    /// those to say who need it.
    fn add_type_information(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        count(&mut self.type_information, bytes.len(), TYPE_INFORMATION)?;
        match self.add(bytes, Place::TypeInformation) {
            Err(error @ LoadError::TooMuch { .. }) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn add_section(&mut self, bytes: &[u8], payload: &Payload<'_>) -> Result<(), LoadError> {
        let items = match payload {
            Payload::FunctionSection(section) => {
                return count(&mut self.functions, section.count() as usize, FUNCTIONS);
            }
            Payload::CodeSectionEntry(body) => {
                count(&mut 0, body.range().len(), FUNCTION_BYTES)?;
                let locals = body.get_locals_reader().map_err(|error| invalid(&error))?;
                for local in locals {
                    let (locals, _) = local.map_err(|error| invalid(&error))?;
                    count(&mut self.locals, locals as usize, LOCALS)?;
                }
                return Ok(());
            }
            Payload::TypeSection(section) => return count(&mut self.types, section.count() as usize, TYPES),
            Payload::CoreTypeSection(section) => return count(&mut self.types, section.count() as usize, TYPES),
            Payload::ComponentTypeSection(section) => {
                count(
                    &mut self.type_nesting,
                    nesting_at_most(bytes, section.range()),
                    TYPE_NESTING,
                )?;
                return count(&mut self.types, section.count() as usize, TYPES);
            }
            Payload::InstanceSection(section) => {
                return count(&mut self.instances, section.count() as usize, INSTANCES);
            }
            Payload::ComponentInstanceSection(section) => {
                return count(&mut self.instances, section.count() as usize, INSTANCES);
            }
            Payload::ImportSection(section) => section.count(),
            Payload::ExportSection(section) => section.count(),
            Payload::GlobalSection(section) => section.count(),
            Payload::TableSection(section) => section.count(),
            Payload::MemorySection(section) => section.count(),
            Payload::TagSection(section) => section.count(),
            Payload::ElementSection(section) => section.count(),
            Payload::DataSection(section) => section.count(),
            Payload::ComponentAliasSection(section) => section.count(),
            Payload::ComponentCanonicalSection(section) => section.count(),
            Payload::ComponentImportSection(section) => section.count(),
            Payload::ComponentExportSection(section) => section.count(),
            _ => 0,
        };
        count(&mut self.items, items as usize, ITEMS)
    }
}

/// No declaration of a type within another can do without one of these pairs of bytes: that a type follows, and that it is
/// one of a component (0x41) or of an instance (0x42). Reading the types themselves is what must not happen yet.
fn nesting_at_most(bytes: &[u8], section: Range<usize>) -> usize {
    let section = bytes.get(section).unwrap_or_default();
    section
        .windows(2)
        .filter(|pair| matches!(pair, [0x01, 0x41 | 0x42]))
        .count()
}

/// What is counted, and how much of it a guest may have.
#[derive(Clone, Copy)]
struct Bound {
    what: &'static str,
    max: usize,
}

fn count(total: &mut usize, more: usize, bound: Bound) -> Result<(), LoadError> {
    *total = total.saturating_add(more);
    if *total <= bound.max {
        return Ok(());
    }
    Err(LoadError::TooMuch {
        what: bound.what,
        count: *total,
        max: bound.max,
    })
}

fn invalid(error: &BinaryReaderError) -> LoadError {
    LoadError::Invalid(shorten(error.to_string()))
}

const FUNCTIONS: Bound = Bound {
    what: "functions",
    max: 8_192,
};
const FUNCTION_BYTES: Bound = Bound {
    what: "bytes in one function",
    max: 512 << 10,
};
const LOCALS: Bound = Bound {
    what: "locals in its functions",
    max: 1 << 20,
};
const TYPES: Bound = Bound {
    what: "types",
    max: 8_192,
};
/// The parser calls itself for each level.
const TYPE_NESTING: Bound = Bound {
    what: "types within types",
    max: 256,
};
const TYPE_INFORMATION: Bound = Bound {
    what: "bytes of type information",
    max: 1 << 20,
};
const MODULES: Bound = Bound {
    what: "modules",
    max: 64,
};
const COMPONENTS: Bound = Bound {
    what: "components within it",
    max: 64,
};
const NESTING: Bound = Bound {
    what: "components within one another",
    max: 8,
};
const INSTANCES: Bound = Bound {
    what: "instances",
    max: 512,
};
/// Imports, exports, globals, tables, memories, segments and aliases.
const ITEMS: Bound = Bound {
    what: "imports, exports, globals and segments",
    max: 1 << 16,
};
