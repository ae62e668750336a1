//! The component around a rule's module.

use crate::kernel::{Kernel, module};
use std::sync::LazyLock;
use wasm_encoder::{RawSection, Section};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// The bytes of a `.wasm` file that describes itself with `description` and computes `kernels`.
pub(crate) fn component(description: &str, kernels: &[Kernel]) -> Vec<u8> {
    let mut bytes = module(description, kernels).finish();
    let (resolve, world) = &*CONTRACT;
    embed_component_metadata(&mut bytes, resolve, *world, StringEncoding::UTF8)
        .expect("the contract has a world for rules, and worlds can be encoded");
    let mut encoder = ComponentEncoder::default();
    encoder = encoder
        .module(&bytes)
        .expect("the module has the exports and the import of the contract's rule");
    strip(
        &encoder
            .encode()
            .expect("a module that fits its world makes a component"),
    )
}

/// The same component or module without the sections that are for people: names of types, and which tools made it.
fn strip(bytes: &[u8]) -> Vec<u8> {
    let (header, mut rest) = bytes.split_at(HEADER_BYTES);
    let is_component = header[4..] == COMPONENT_LAYER;
    let mut out = header.to_vec();
    while let Some((&id, after)) = rest.split_first() {
        let (length, content) = unsigned(after);
        let (content, next) = content.split_at(length);
        rest = next;
        let nested = is_component && [SECTION_MODULE, SECTION_COMPONENT].contains(&id);
        match id {
            SECTION_CUSTOM => {}
            _ if nested => append(&mut out, id, &strip(content)),
            _ => append(&mut out, id, content),
        }
    }
    out
}

fn append(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    RawSection { id, data: content }.append_to(out);
}

/// A number of the binary format: seven bits a byte, the lowest first.
fn unsigned(bytes: &[u8]) -> (usize, &[u8]) {
    let length = bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let (number, rest) = bytes.split_at(length);
    let value = number
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    (value, rest)
}

const HEADER_BYTES: usize = 8;
/// Version and layer, the second half of the header.
const COMPONENT_LAYER: [u8; 4] = [0x0d, 0, 1, 0];
const SECTION_CUSTOM: u8 = 0;
const SECTION_MODULE: u8 = 1;
const SECTION_COMPONENT: u8 = 4;

/// The contract, without the words for people: they would be in every file.
static CONTRACT: LazyLock<(Resolve, WorldId)> = LazyLock::new(|| {
    let text: String = include_str!("../../../guest-sdk/wit/guest.wit")
        .lines()
        .filter(|line| !line.trim_start().starts_with("///"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("guest.wit", &text).expect("the contract is WIT");
    let world = resolve
        .select_world(&[package], Some("plain-rule"))
        .expect("the contract has a world for rules");
    (resolve, world)
});
