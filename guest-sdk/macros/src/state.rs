//! `#[derive(State)]`: a struct as a fixed number of 64-bit words.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Error, Fields};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream, Error> {
    let input: DeriveInput = syn::parse2(item)?;
    let ident = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a state cannot be generic: its layout must be known",
        ));
    }
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(
            ident,
            "a state must be a struct: its layout is the same for every group",
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(
            ident,
            "a state must have named fields: their names identify its layout",
        ));
    };
    let names: Vec<_> = fields.named.iter().filter_map(|field| field.ident.as_ref()).collect();
    let kinds: Vec<_> = fields.named.iter().map(|field| &field.ty).collect();
    let fingerprint = fingerprint(names.iter().zip(&kinds).map(|(name, kind)| {
        let kind: String = kind.to_token_stream().to_string().split_whitespace().collect();
        format!("{name}:{kind};")
    }));
    let field = quote!(::rulemill_guest::StateField);
    let offsets = (0..kinds.len()).map(|position| {
        let earlier = &kinds[..position];
        quote!(0 #(+ <#earlier as #field>::WORDS)*)
    });
    let offsets: Vec<TokenStream> = offsets.collect();

    Ok(quote! {
        impl ::rulemill_guest::State for #ident {
            const WORDS: usize = 0 #(+ <#kinds as #field>::WORDS)*;
            const FINGERPRINT: u64 = #fingerprint;

            fn load(words: &[u64]) -> Self {
                Self {
                    #(#names: <#kinds as #field>::load(&words[#offsets..])),*
                }
            }

            fn store(&self, words: &mut [u64]) {
                #(<#kinds as #field>::store(&self.#names, &mut words[#offsets..]);)*
            }
        }
    })
}

/// FNV-1a, 64 bits, of the fields as they are written.
fn fingerprint(fields: impl Iterator<Item = String>) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in fields.flat_map(String::into_bytes) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}
