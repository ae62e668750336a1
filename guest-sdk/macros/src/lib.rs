//! The attribute macros of the rulemill guest SDK; `rulemill-guest` re-exports and documents them.

mod docs;
mod example;
mod function;
mod lifetimes;
mod signature;

use proc_macro::TokenStream;

/// Makes a plain Rust function a scalar function of a library; see `rulemill_guest::function`.
#[proc_macro_attribute]
pub fn function(attribute: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(attribute.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
