//! The contract as Rust: generated from `wit/guest.wit`, nothing else. The generated code is the only unsafe code of the SDK.
//!
//! It compiles natively too, so that rules and functions run under `cargo test`; the only import, `note`, exists in
//! wasm alone.

#[expect(missing_docs, reason = "generated code")]
pub mod library {
    wit_bindgen::generate!({
        path: "wit",
        world: "library",
        pub_export_macro: true,
        export_macro_name: "export_library",
        default_bindings_module: "rulemill_guest::bindings::library",
        runtime_path: "::rulemill_guest::export::runtime",
        additional_derives: [PartialEq, Clone],
        generate_all,
    });
}

#[expect(missing_docs, reason = "generated code")]
pub mod plain_rule {
    wit_bindgen::generate!({
        path: "wit",
        world: "plain-rule",
        pub_export_macro: true,
        export_macro_name: "export_rule",
        default_bindings_module: "rulemill_guest::bindings::plain_rule",
        runtime_path: "::rulemill_guest::export::runtime",
        with: {
            "rulemill:guest/columns@1.0.0": crate::bindings::library::rulemill::guest::columns,
            "rulemill:guest/diagnostics@1.0.0": crate::bindings::library::rulemill::guest::diagnostics,
        },
    });
}
