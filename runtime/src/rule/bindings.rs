//! The generated bindings of the contract, from its only copy in `guest-sdk/wit`.
//!
//! One world serves both kinds of guest: only its interfaces' index types are used, each looked up by itself, so that a
//! component may export `functions`, `rule`, or both. Parameters are borrowed, so that a column crosses into the guest
//! with one copy a buffer and none on the host's side.

wasmtime::component::bindgen!({
    path: "../guest-sdk/wit",
    world: "library-and-rule",
    ownership: Borrowing { duplicate_if_necessary: true },
});

pub(super) use self::exports::rulemill::guest::{functions, rule};
pub(crate) use self::rulemill::guest::columns;
pub(super) use self::rulemill::guest::diagnostics;
