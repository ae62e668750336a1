//! `#[aggregate]`: an `impl` block with `accumulate`, `merge` and `finish` in, an implementation of `Aggregate` out.

use crate::function::{self, Reading, reading};
use crate::signature::{self, Parameter};
use crate::{docs, example::Example, lifetimes};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitStr, Type};

const WHAT: &str = "a method of an aggregate";

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    let mut block: ItemImpl = syn::parse2(item)?;
    let state = state_of(&block)?;
    let name = name_of(attribute, &state)?;
    let examples = Example::take(&mut block.attrs)?;
    let doc = docs::text_of(&block.attrs);

    let accumulate = method(&block, "accumulate", "fn accumulate(&mut self, value: f64)")?;
    let merge = method(&block, "merge", "fn merge(&mut self, other: &Self)")?;
    let finish = method(&block, "finish", "fn finish(&self) -> Option<f64>")?;
    for method in [accumulate, merge, finish] {
        signature::check_plain(&method.sig, WHAT)?;
        has_self(method)?;
    }
    let parameters = signature::parameters(accumulate.sig.inputs.iter().skip(1), WHAT)?;
    for example in &examples {
        example.check_rows(&name, &parameters)?;
    }
    let returned = lifetimes::anonymous(signature::returned(&finish.sig, "`finish`")?);
    let descriptions: Vec<TokenStream> = examples
        .iter()
        .map(Example::rows_description)
        .collect::<Result<_, Error>>()?;
    let text = function::text(&name, &doc, &parameters, &returned, &descriptions);
    let accumulate_all = accumulate_all(&parameters);
    let older = optional_method(&block, "older").map_or_else(
        || quote!(let _ = fingerprint; ::std::option::Option::None),
        |_| quote!(#state::older(fingerprint)),
    );
    let test = (!examples.is_empty()).then(|| test(&state, &name));

    Ok(quote! {
        #block

        impl ::rulemill_guest::Aggregate for #state {
            type Result = #returned;

            const TEXT: ::rulemill_guest::describe::FunctionText = #text;

            #accumulate_all

            fn merge_with(&mut self, other: &Self) {
                #state::merge(self, other)
            }

            fn result(&self) -> Self::Result {
                #state::finish(self)
            }

            fn older(fingerprint: u64) -> ::std::option::Option<::rulemill_guest::Older<Self>> {
                #older
            }
        }

        #test
    })
}

fn state_of(block: &ItemImpl) -> Result<Ident, Error> {
    if let Some((_, path, _)) = &block.trait_ {
        let message = "`#[aggregate]` stands on the plain `impl` of a state, not on that of a trait";
        return Err(Error::new_spanned(path, message));
    }
    if let Type::Path(path) = &*block.self_ty
        && let Some(ident) = path.path.get_ident()
        && block.generics.params.is_empty()
    {
        return Ok(ident.clone());
    }
    Err(Error::new_spanned(
        &block.self_ty,
        "the state of an aggregate must be a plain struct",
    ))
}

/// `#[aggregate]` or `#[aggregate(name = "...")]`; without a name it is that of the state, in snake case.
fn name_of(attribute: TokenStream, state: &Ident) -> Result<String, Error> {
    if attribute.is_empty() {
        return Ok(snake_case(&state.to_string()));
    }
    let mut name = None;
    let parser = syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error("write `#[aggregate]` or `#[aggregate(name = \"...\")]`"));
        }
        name = Some(meta.value()?.parse::<LitStr>()?.value());
        Ok(())
    });
    syn::parse::Parser::parse2(parser, attribute)?;
    Ok(name.unwrap_or_else(|| snake_case(&state.to_string())))
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn optional_method<'a>(block: &'a ItemImpl, name: &str) -> Option<&'a ImplItemFn> {
    block.items.iter().find_map(|item| match item {
        ImplItem::Fn(method) if method.sig.ident == name => Some(method),
        _ => None,
    })
}

fn method<'a>(block: &'a ItemImpl, name: &str, example: &str) -> Result<&'a ImplItemFn, Error> {
    optional_method(block, name).ok_or_else(|| {
        Error::new_spanned(
            &block.self_ty,
            format!("an aggregate needs a method `{name}`, such as `{example}`"),
        )
    })
}

fn has_self(method: &ImplItemFn) -> Result<(), Error> {
    match method.sig.inputs.first() {
        Some(FnArg::Receiver(_)) => Ok(()),
        _ => Err(Error::new_spanned(
            &method.sig.ident,
            "this method of an aggregate must take its state: `&mut self`, or `&self` for `finish`",
        )),
    }
}

fn accumulate_all(parameters: &[Parameter]) -> TokenStream {
    let Reading { readers, reads } = reading(parameters);
    let arguments = (0..parameters.len()).map(|position| format_ident!("argument_{position}"));
    let mutable = (!parameters.is_empty()).then(|| quote!(mut));
    quote! {
        fn accumulate_all(
            arguments: &::rulemill_guest::Arguments<'_>,
            groups: &mut ::rulemill_guest::GroupStates<'_, Self>,
        ) -> ::std::result::Result<(), ::rulemill_guest::Failure> {
            let rows = arguments.rows();
            let #mutable skipped = ::rulemill_guest::Skipped::default();
            #readers
            for row in 0..rows {
                if skipped.contains(row) {
                    continue;
                }
                #reads
                groups.update(row, |state| Self::accumulate(state, #(#arguments),*))?;
            }
            ::std::result::Result::Ok(())
        }
    }
}

fn test(state: &Ident, name: &str) -> TokenStream {
    let test = format_ident!("{name}_examples");
    quote! {
        #[cfg(test)]
        #[test]
        fn #test() {
            ::rulemill_guest::testing::check_aggregate_examples::<#state>();
        }
    }
}
