//! Files that ask for more work than their size lets one expect, and files made for another host.

use super::{limits, refusal, refusal_of};
use crate::config::LimitsConfig;
use crate::rule::{GuestEngine, LoadError, load};
use rulemill_test_guests::RuleGuest;
use serde_json::json;
use std::fmt::Write as _;

/// The refusal of a file that is larger than those of the other tests.
fn large_refusal(bytes: &[u8]) -> String {
    let engine = GuestEngine::new().unwrap();
    let limits = LimitsConfig {
        file_bytes_max: 64 << 20,
        ..limits()
    };
    match load(&engine, bytes, &limits) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

fn large_refusal_of(text: &str) -> String {
    large_refusal(&wat::parse_str(text).unwrap())
}

fn assert_refused(told: &str, what: &str) {
    assert!(
        told.contains(what) && told.contains("a guest may have at most"),
        "{told}"
    );
}

#[test]
fn a_component_with_10_000_functions_is_refused_before_it_is_compiled() {
    let functions = "(func)".repeat(10_000);
    let expected = "it has 10000 functions, and a guest may have at most 8192";
    assert_eq!(large_refusal_of(&format!("(module {functions})")), expected);
    assert_eq!(
        large_refusal_of(&format!("(component (core module {functions}))")),
        expected
    );
}

#[test]
fn functions_that_are_spread_over_modules_count_together() {
    let module = format!("(core module {})", "(func)".repeat(1_000));
    let told = large_refusal_of(&format!("(component {})", module.repeat(10)));
    assert_refused(&told, "9000 functions");
}

#[test]
fn a_function_of_a_megabyte_is_refused() {
    let body = "(drop (i32.const 0))".repeat(1 << 18);
    assert_refused(
        &large_refusal_of(&format!("(module (func {body}))")),
        "bytes in one function",
    );
}

#[test]
fn a_bomb_of_locals_is_refused() {
    let mut locals = String::from("(func");
    for _ in 0..40_000 {
        locals.push_str("(local i64)");
    }
    locals.push(')');
    let told = large_refusal_of(&format!("(module {})", locals.repeat(30)));
    assert_refused(&told, "locals");
}

#[test]
fn a_flood_of_types_is_refused() {
    let mut types = String::new();
    for number in 0..9_000 {
        let _ = write!(types, "(type (func (param {})))", "i32 ".repeat(number % 8));
    }
    assert_refused(&large_refusal_of(&format!("(module {types})")), "9000 types");
}

#[test]
fn a_flood_of_globals_is_refused() {
    let globals = "(global i32 (i32.const 0))".repeat(70_000);
    assert_refused(&large_refusal_of(&format!("(module {globals})")), "globals");
}

#[test]
fn a_flood_of_modules_or_components_is_refused() {
    let modules = "(core module)".repeat(100);
    assert_refused(&large_refusal_of(&format!("(component {modules})")), "65 modules");
    let components = "(component)".repeat(100);
    assert_refused(&large_refusal_of(&format!("(component {components})")), "65 components");
}

#[test]
fn a_flood_of_instances_is_refused() {
    let instances = "(core instance (instantiate $m))".repeat(600);
    let told = large_refusal_of(&format!("(component (core module $m) {instances})"));
    assert_refused(&told, "instances");
}

#[test]
fn components_within_components_are_refused_however_deep_they_go() {
    let mut component = HEAD.to_vec();
    // Ten thousand levels are more than any recursion over them would stand.
    for _ in 0..10_000 {
        component = [HEAD, &section(4, &component)].concat();
    }
    assert_refused(&large_refusal(&component), "components within");
    let deep = format!("{}{}", "(component ".repeat(12), ")".repeat(12));
    assert_refused(&large_refusal_of(&deep), "components within one another");
}

#[test]
fn types_within_types_are_refused_however_deep_they_go() {
    for kind in [0x41, 0x42] {
        assert_refused(&large_refusal(&nested_types(kind, 200_000)), "types within types");
    }
}

#[test]
fn types_within_types_are_refused_in_type_information_too() {
    let content = [&[14], b"component-type".as_slice(), &nested_types(0x41, 200_000)].concat();
    let module = [MODULE_HEAD, &section(0, &content)].concat();
    assert_refused(&large_refusal(&module), "types within types");
}

#[test]
fn type_information_within_type_information_is_not_followed() {
    let mut content = HEAD.to_vec();
    for _ in 0..10_000 {
        let named = [&[14], b"component-type".as_slice(), &content].concat();
        content = [HEAD, &section(0, &named)].concat();
    }
    let named = [&[14], b"component-type".as_slice(), &content].concat();
    let error = large_refusal(&[MODULE_HEAD, &section(0, &named)].concat());
    assert!(error.contains("cannot be made a component"), "{error}");
}

#[test]
fn a_megabyte_of_type_information_is_refused() {
    let content = [&[14], b"component-type".as_slice(), &vec![0; 2 << 20]].concat();
    let module = [MODULE_HEAD, &section(0, &content)].concat();
    assert_refused(&large_refusal(&module), "bytes of type information");
}

#[test]
fn a_guest_of_another_version_of_the_contract_is_told_both_versions() {
    let plan = json!({"name": "old", "topics": ["a"], "emits": []});
    for version in ["0.9.0", "1.0.1", "2.0.0"] {
        let error = large_refusal(&RuleGuest::new(&plan).contract(version).build());
        let expected = format!(
            "it is built for version {version} of the contract rulemill:guest, and this rulemill has version 1.0.0; build it with the guest SDK of this rulemill"
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn an_interface_of_the_contract_that_is_none_is_named() {
    let error = refusal_of(
        "(component (instance $none) (export \"rulemill:guest/windows@1.0.0\" (instance $none)) (export \"rulemill:guest/rule@1.0.0\" (instance $none)))",
    );
    assert!(
        matches!(&error, LoadError::UnknownExport(name) if name == "rulemill:guest/windows@1.0.0"),
        "{error}"
    );
    let error = refusal_of("(component (import \"rulemill:guest/clock@1.0.0\" (instance)))");
    assert!(
        matches!(&error, LoadError::ForbiddenImport(name) if name == "rulemill:guest/clock@1.0.0"),
        "{error}"
    );
    let error = refusal_of("(component (import \"rulemill:guest/clock@3.0.0\" (instance)))");
    assert!(matches!(&error, LoadError::ContractVersion { .. }), "{error}");
}

#[test]
fn a_component_that_ends_too_early_is_refused_at_every_length() {
    let component = wat::parse_str(
        "(component (core module (func)) (type (instance (type u32))) (component (type u8)) (import \"a\" (func)))",
    )
    .unwrap();
    for length in 0..component.len() {
        let error = refusal(&component[..length]);
        // What ends between two sections is whole.
        let named = matches!(
            error,
            LoadError::NotWasm | LoadError::Invalid(_) | LoadError::ExportsNothing(_)
        );
        assert!(named, "{length} bytes: {error}");
    }
}

/// A component with a type in a type in a type.
fn nested_types(kind: u8, levels: usize) -> Vec<u8> {
    let mut types = vec![1];
    for _ in 0..levels {
        types.extend([kind, 1, 1]);
    }
    types.extend([kind, 0]);
    [HEAD, &section(7, &types)].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![id];
    let mut length = content.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap();
        length >>= 7;
        if length == 0 {
            bytes.push(low);
            break;
        }
        bytes.push(low | 0x80);
    }
    bytes.extend_from_slice(content);
    bytes
}

const HEAD: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE_HEAD: &[u8] = b"\0asm\x01\0\0\0";
