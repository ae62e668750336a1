//! What the loader refuses, and what it says. Guests that load are run end to end by the tests of the binary.

mod attacks;
mod limits;
mod self_test;

use super::{GuestEngine, LoadError, load};
use crate::config::LimitsConfig;

fn limits() -> LimitsConfig {
    LimitsConfig {
        memory_bytes_max: 1 << 20,
        file_bytes_max: 4096,
        ..LimitsConfig::default()
    }
}

fn refusal(bytes: &[u8]) -> LoadError {
    let engine = GuestEngine::new().unwrap();
    match load(&engine, bytes, &limits()) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error,
    }
}

fn refusal_of(text: &str) -> LoadError {
    refusal(&wat::parse_str(text).unwrap())
}

#[test]
fn text_is_refused_with_what_would_be_right() {
    let error = refusal(b"SELECT 1");
    assert!(matches!(error, LoadError::NotWasm));
    assert!(error.to_string().contains("wasm32-unknown-unknown"), "{error}");
}

#[test]
fn an_empty_file_is_refused() {
    assert!(matches!(refusal(b""), LoadError::NotWasm));
}

#[test]
fn a_truncated_module_is_refused() {
    let module = wat::parse_str("(module (func (export \"f\") (result i32) i32.const 1))").unwrap();
    for length in 8..module.len() {
        let error = refusal(&module[..length]);
        assert!(
            matches!(
                error,
                LoadError::NotAGuest(_) | LoadError::Invalid(_) | LoadError::ExportsNothing(_)
            ),
            "{length} bytes: {error}"
        );
    }
}

#[test]
fn broken_type_information_is_refused() {
    for content in [
        "",
        "\\00",
        "\\04\\00",
        "\\04\\00\\00asm\\0d\\00\\01\\00\\00\\ff",
        "junk",
    ] {
        let error = refusal_of(&format!("(module (@custom \"component-type:junk\" \"{content}\"))"));
        let named = matches!(error, LoadError::NotAGuest(_) | LoadError::ExportsNothing(_));
        assert!(named, "{content}: {error}");
    }
}

#[test]
fn a_file_beyond_the_bound_is_refused_before_it_is_looked_at() {
    let error = refusal(&[0; 5000]);
    assert!(matches!(error, LoadError::TooLarge { max: 4096 }), "{error}");
}

#[test]
fn a_module_that_is_no_guest_is_refused() {
    let error = refusal_of("(module (func (export \"add\") (param i32 i32) (result i32) i32.const 0))");
    let named = matches!(error, LoadError::NotAGuest(_) | LoadError::ExportsNothing(_));
    assert!(named, "{error}");
}

#[test]
fn a_component_that_exports_neither_interface_is_refused() {
    let error = refusal_of("(component)");
    assert!(error.to_string().contains("it exports: nothing"), "{error}");
}

#[test]
fn an_import_that_the_host_does_not_offer_is_named() {
    let error = refusal_of("(component (import \"wasi:cli/environment@0.2.0\" (instance)))");
    assert!(matches!(error, LoadError::ForbiddenImport(_)));
    assert!(error.to_string().contains("wasi:cli/environment@0.2.0"), "{error}");
}

#[test]
fn a_component_with_the_interface_but_not_its_functions_is_refused() {
    let error = refusal_of("(component (instance $none) (export \"rulemill:guest/rule@1.0.0\" (instance $none)))");
    assert!(matches!(error, LoadError::Invalid(_)), "{error}");
}
