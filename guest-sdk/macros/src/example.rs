//! `#[example(arguments => value)]`: documentation, a unit test and the self-test at load.

use crate::signature::Parameter;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Expr, ExprLit, ExprUnary, Lit, Token, UnOp};

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

    /// Refuses an example of an aggregate with a row of too few or too many values.
    pub(crate) fn check_rows(&self, aggregate: &str, parameters: &[Parameter]) -> Result<(), Error> {
        for row in &self.arguments {
            let got = values_of(row).len();
            if got != parameters.len() {
                let wanted = parameters.len();
                let message = format!("this row has {got} values, but `{aggregate}` takes {wanted}");
                return Err(Error::new_spanned(row, message));
            }
        }
        Ok(())
    }

    /// The example of a scalar function as an expression of type `ExampleText`.
    pub(crate) fn description(&self) -> Result<TokenStream, Error> {
        let values = constants(&self.arguments)?;
        self.describe(&quote!(&[&[#(#values),*]]))
    }

    /// The example of an aggregate as an expression of type `ExampleText`: a row is `[1.0, 2]`, or one value.
    pub(crate) fn rows_description(&self) -> Result<TokenStream, Error> {
        let mut rows = Vec::new();
        for row in &self.arguments {
            let values = constants(values_of(row))?;
            rows.push(quote!(&[#(#values),*]));
        }
        self.describe(&quote!(&[#(#rows),*]))
    }

    fn describe(&self, rows: &TokenStream) -> Result<TokenStream, Error> {
        let expected = if is_word(&self.expected, "error") {
            quote!(::std::option::Option::None)
        } else {
            let value = constant(&self.expected)?;
            quote!(::std::option::Option::Some(#value))
        };
        Ok(quote!(::rulemill_guest::describe::ExampleText { rows: #rows, expected: #expected }))
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

fn constants<'v>(values: impl IntoIterator<Item = &'v Expr>) -> Result<Vec<TokenStream>, Error> {
    values.into_iter().map(constant).collect()
}

/// A literal as an expression of type `Constant`.
fn constant(value: &Expr) -> Result<TokenStream, Error> {
    let (sign, positive) = match value {
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_), expr, ..
        }) => ("-", &**expr),
        value => ("", value),
    };
    let variant = match positive {
        _ if is_word(value, "null") => quote!(Null),
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => {
            let int: i64 = format!("{sign}{}", int.base10_digits())
                .parse()
                .map_err(|_| Error::new_spanned(value, "an integer in an example must fit 64 bits"))?;
            quote!(Int(#int))
        }
        Expr::Lit(ExprLit { lit: Lit::Float(_), .. }) => quote!(Float(#value)),
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) if sign.is_empty() => quote!(Text(#value)),
        Expr::Lit(ExprLit { lit: Lit::Bool(_), .. }) if sign.is_empty() => quote!(Bool(#value)),
        _ => {
            let message = "an example is made of literals: text, numbers, `true`, `false` and `null`; its result may \
                           be `error`";
            return Err(Error::new_spanned(value, message));
        }
    };
    Ok(quote!(::rulemill_guest::describe::Constant::#variant))
}

fn values_of(row: &Expr) -> Vec<&Expr> {
    match row {
        Expr::Array(values) => values.elems.iter().collect(),
        value => vec![value],
    }
}

fn text_of(value: &Expr) -> String {
    value.to_token_stream().to_string().replace("- ", "-")
}

fn is_word(value: &Expr, word: &str) -> bool {
    matches!(value, Expr::Path(path) if path.path.is_ident(word))
}
