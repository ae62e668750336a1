//! The attribute macros of the rulemill guest SDK; `rulemill-guest` re-exports and documents them.

mod aggregate;
mod docs;
mod example;
mod function;
mod lifetimes;
mod signature;
mod state;

use proc_macro::TokenStream;

/// Makes a plain Rust function a scalar function of a library; see `rulemill_guest::function`.
#[proc_macro_attribute]
pub fn function(attribute: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(&attribute.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes the methods of a state an aggregate function of a library; see `rulemill_guest::aggregate`.
#[proc_macro_attribute]
pub fn aggregate(attribute: TokenStream, item: TokenStream) -> TokenStream {
    aggregate::expand(attribute.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Lays a struct out as 64-bit words; see `rulemill_guest::State`.
#[proc_macro_derive(State)]
pub fn state(item: TokenStream) -> TokenStream {
    state::expand(item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
