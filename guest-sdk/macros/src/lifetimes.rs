//! Types without the names of their lifetimes, so that they can be written outside the function that declares them.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;

/// The tokens of a type with every named lifetime but `'static` replaced by `'_`.
pub(crate) fn anonymous(kind: &impl ToTokens) -> TokenStream {
    rewrite(kind.to_token_stream())
}

fn rewrite(tokens: TokenStream) -> TokenStream {
    let mut after_apostrophe = false;
    tokens
        .into_iter()
        .map(|token| {
            let is_name = std::mem::replace(
                &mut after_apostrophe,
                matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\''),
            );
            match token {
                TokenTree::Ident(ident) if is_name && ident != "static" => Ident::new("_", ident.span()).into(),
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), rewrite(group.stream()));
                    inner.set_span(group.span());
                    inner.into()
                }
                token => token,
            }
        })
        .collect()
}
