//! The component type that a core module carries in a custom section.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a guest exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// `functions`.
    Library,
    /// `rule`.
    Rule,
}

impl World {
    fn name(self) -> &'static str {
        match self {
            World::Library => "library",
            World::Rule => "plain-rule",
        }
    }
}

/// Adds to a core module the component type of a world, of the contract in this version.
pub fn with_component_type(mut module: Vec<u8>, world: World, contract: &str) -> Vec<u8> {
    let text = CONTRACT.replace(&format!("@{VERSION};"), &format!("@{contract};"));
    let mut resolve = Resolve::default();
    let package = resolve.push_str("guest.wit", &text).expect("the contract is WIT");
    let world = resolve
        .select_world(&[package], Some(world.name()))
        .expect("the contract has that world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a world can be encoded");
    module
}

const CONTRACT: &str = include_str!("../../../guest-sdk/wit/guest.wit");
/// The version that the contract has.
pub(crate) const VERSION: &str = "1.0.0";
