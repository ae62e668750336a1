//! `#[function]`: a plain Rust function in, an implementation of `Function` beside it out.

use crate::signature::{self, Parameter};
use crate::{docs, example::Example, lifetimes};
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Ident, ItemFn};

const WHAT: &str = "a function of a library";

pub(crate) fn expand(attribute: &TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    let volatility = volatility(attribute)?;
    let mut function: ItemFn = syn::parse2(item)?;
    signature::check_plain(&function.sig, WHAT)?;
    let parameters = signature::parameters(function.sig.inputs.iter(), WHAT)?;
    let returned = lifetimes::anonymous(signature::returned(&function.sig, WHAT)?);
    let examples = Example::take(&mut function.attrs)?;

    let ident = &function.sig.ident;
    let name = ident.unraw().to_string();
    for example in &examples {
        example.check_count(&name, &parameters)?;
    }
    let doc = docs::text_of(&function.attrs);
    let descriptions: Vec<TokenStream> = examples
        .iter()
        .map(Example::description)
        .collect::<Result<_, Error>>()?;
    let text = text(&name, &doc, &parameters, &returned, &descriptions);
    let lines = example_lines(&name, &examples);
    let evaluate = evaluate(ident, &parameters);
    let test = (!examples.is_empty()).then(|| test(ident));
    let visibility = &function.vis;

    Ok(quote! {
        #(#[doc = #lines])*
        #function

        // A type beside the function: they live in different namespaces, so both have its name.
        #[doc(hidden)]
        #[expect(non_camel_case_types, reason = "it has the name of the function that it stands for")]
        #visibility enum #ident {}

        impl ::rulemill_guest::Function for #ident {
            const TEXT: ::rulemill_guest::describe::FunctionText = #text;
            const VOLATILITY: ::rulemill_guest::plan::Volatility = ::rulemill_guest::plan::Volatility::#volatility;

            #evaluate
        }

        #test
    })
}

fn volatility(attribute: &TokenStream) -> Result<Ident, Error> {
    if attribute.is_empty() {
        return Ok(format_ident!("Volatile"));
    }
    let word: Ident = syn::parse2(attribute.clone())
        .map_err(|_| Error::new_spanned(attribute, "write `#[function]` or `#[function(immutable)]`"))?;
    if word == "immutable" {
        return Ok(format_ident!("Immutable"));
    }
    Err(Error::new(
        word.span(),
        format!("unknown option `{word}`: write `#[function]` or `#[function(immutable)]`"),
    ))
}

/// An expression of type `FunctionText`.
pub(crate) fn text(
    name: &str,
    doc: &str,
    parameters: &[Parameter],
    returned: &TokenStream,
    examples: &[TokenStream],
) -> TokenStream {
    let parameters = parameters.iter().map(describe_parameter);
    // The span puts an error about the type to the type, not to the attribute.
    let kind = quote_spanned!(returned.span()=> <::rulemill_guest::KindOf<#returned> as ::rulemill_guest::Kind>::TYPE);
    quote! {
        ::rulemill_guest::describe::FunctionText {
            name: #name,
            doc: #doc,
            parameters: &[#(#parameters),*],
            returns: #kind,
            examples: &[#(#examples),*],
        }
    }
}

fn describe_parameter(parameter: &Parameter) -> TokenStream {
    let Parameter { name, variadic, .. } = parameter;
    let kind = lifetimes::anonymous(&parameter.kind);
    let of_kind = quote_spanned!(parameter.kind.span()=> <#kind as ::rulemill_guest::Parameter<'_>>);
    quote! {
        ::rulemill_guest::describe::ParameterText {
            name: #name,
            kind: <#of_kind::Kind as ::rulemill_guest::Kind>::TYPE,
            nullable: #of_kind::NULLABLE,
            variadic: #variadic,
        }
    }
}

fn example_lines(name: &str, examples: &[Example]) -> Vec<String> {
    if examples.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "# Examples".to_owned(), String::new()];
    lines.extend(examples.iter().map(|example| example.line(name)));
    lines
}

/// The vectorised function: readers are made once, rows with nulls are skipped, values go straight into the column.
fn evaluate(ident: &Ident, parameters: &[Parameter]) -> TokenStream {
    let Reading { readers, reads } = reading(parameters);
    let arguments = (0..parameters.len()).map(|position| format_ident!("argument_{position}"));
    let mutable = (!parameters.is_empty()).then(|| quote!(mut));
    quote! {
        fn evaluate(
            arguments: &::rulemill_guest::Arguments<'_>,
        ) -> ::std::result::Result<::rulemill_guest::Evaluated, ::rulemill_guest::Failure> {
            let rows = arguments.rows();
            let #mutable skipped = ::rulemill_guest::Skipped::default();
            #readers
            ::std::result::Result::Ok(::rulemill_guest::column_of(rows, &skipped, |row| {
                let _ = row;
                #reads
                #ident(#(#arguments),*)
            }))
        }
    }
}

/// The two halves of reading arguments.
pub(crate) struct Reading {
    /// Makes a reader for each argument, and adds nulls to `skipped`.
    pub(crate) readers: TokenStream,
    /// Reads row `row` into `argument_0`, `argument_1`, ...
    pub(crate) reads: TokenStream,
}

pub(crate) fn reading(parameters: &[Parameter]) -> Reading {
    let mut readers = TokenStream::new();
    let mut reads = TokenStream::new();
    for (position, parameter) in parameters.iter().enumerate() {
        let kind = lifetimes::anonymous(&parameter.kind);
        let of_kind = quote_spanned!(parameter.kind.span()=> <#kind as ::rulemill_guest::Parameter<'_>>);
        let reader = format_ident!("reader_{position}");
        let argument = format_ident!("argument_{position}");
        if parameter.variadic {
            let values = format_ident!("values_{position}");
            readers.extend(quote! {
                let mut #reader = ::std::vec::Vec::new();
                for position in #position..arguments.len() {
                    let reader = arguments.reader(position)?;
                    #of_kind::skip(&reader, rows, &mut skipped);
                    #reader.push(reader);
                }
                let mut #values = ::std::vec::Vec::with_capacity(#reader.len());
            });
            reads.extend(quote! {
                #values.clear();
                #values.extend(#reader.iter().map(|reader| #of_kind::read(reader, row)));
                let #argument = #values.as_slice();
            });
        } else {
            readers.extend(quote! {
                let #reader = arguments.reader(#position)?;
                #of_kind::skip(&#reader, rows, &mut skipped);
            });
            reads.extend(quote!(let #argument = #of_kind::read(&#reader, row);));
        }
    }
    Reading { readers, reads }
}

fn test(ident: &Ident) -> TokenStream {
    let name = format_ident!("{ident}_examples");
    quote! {
        #[cfg(test)]
        #[test]
        fn #name() {
            ::rulemill_guest::testing::check_examples::<#ident>();
        }
    }
}
