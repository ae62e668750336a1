//! `#[example(arguments => value)]`: documentation, a unit test and the self-test at load.

use crate::signature::Parameter;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Expr, Token};

/// One example as it is written.
pub(crate) struct Example {
    arguments: Vec<Expr>,
    expected: Expr,
}

impl Parse for Example {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let mut arguments = Vec::new();
        while !input.peek(Token![=>]) {
            if input.is_empty() {
                return Err(input
                    .error("an example needs its result after `=>`, as in `#[example(\"a/b\", \"/\", 1 => \"b\")]`"));
            }
            arguments.push(input.parse()?);
            if !input.peek(Token![=>]) && !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        input.parse::<Token![=>]>()?;
        let expected = input.parse()?;
        if !input.is_empty() {
            return Err(input.error("an example has one result after `=>`: a literal, `null` or `error`"));
        }
        Ok(Example { arguments, expected })
    }
}

impl Example {
    /// Takes the examples out of `attributes`.
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Vec<Example>, Error> {
        let mut examples = Vec::new();
        let mut problem: Option<Error> = None;
        attributes.retain(|attribute| {
            if !attribute.path().is_ident("example") {
                return true;
            }
            match attribute.parse_args() {
                Ok(example) => examples.push(example),
                Err(error) => match &mut problem {
                    Some(problem) => problem.combine(error),
                    None => problem = Some(error),
                },
            }
            false
        });
        problem.map_or(Ok(examples), Err)
    }

    /// Refuses an example of a scalar function with too few or too many arguments.
    pub(crate) fn check_count(&self, function: &str, parameters: &[Parameter]) -> Result<(), Error> {
        let variadic = parameters.last().is_some_and(|parameter| parameter.variadic);
        let least = parameters.len() - usize::from(variadic);
        let got = self.arguments.len();
        if got == parameters.len() || (variadic && got >= least) {
            return Ok(());
        }
        let wanted = if variadic {
            format!("at least {least}")
        } else {
            least.to_string()
        };
        let message = format!("this example has {got} arguments, but `{function}` takes {wanted}");
        Err(match self.arguments.first() {
            Some(first) => Error::new_spanned(first, message),
            None => Error::new_spanned(&self.expected, message),
        })
    }

    /// The example as an expression of type `rulemill_plan::Example`.
    pub(crate) fn description(&self) -> TokenStream {
        let values = self.arguments.iter().map(literal);
        let expected = if is_word(&self.expected, "error") {
            quote!(::rulemill_guest::plan::Expected::Error)
        } else {
            let value = literal(&self.expected);
            quote!(::rulemill_guest::plan::Expected::Value(#value))
        };
        quote! {
            ::rulemill_guest::plan::Example {
                rows: ::std::vec![::std::vec![#(#values),*]],
                expected: #expected,
            }
        }
    }

    /// The example as a line of documentation.
    pub(crate) fn line(&self, function: &str) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(text_of).collect();
        format!(
            "- `{function}({})` gives `{}`",
            arguments.join(", "),
            text_of(&self.expected)
        )
    }
}

fn literal(value: &Expr) -> TokenStream {
    if is_word(value, "null") {
        quote!(::rulemill_guest::plan::Literal::Null)
    } else {
        quote!(::rulemill_guest::plan::Literal::from(#value))
    }
}

fn text_of(value: &Expr) -> String {
    value.to_token_stream().to_string().replace("- ", "-")
}

fn is_word(value: &Expr, word: &str) -> bool {
    matches!(value, Expr::Path(path) if path.path.is_ident(word))
}
