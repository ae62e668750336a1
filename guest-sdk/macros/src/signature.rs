//! The signature of a function of a library: its parameters and its return type, or what is wrong with it.

use syn::spanned::Spanned;
use syn::{Error, FnArg, Ident, Pat, Receiver, ReturnType, Signature, Type};

/// One parameter.
pub(crate) struct Parameter {
    /// Its name, for descriptions: without leading underscores.
    pub(crate) name: String,
    /// Its type; for a variadic parameter that of one argument.
    pub(crate) kind: Type,
    /// Whether it is a slice of arguments.
    pub(crate) variadic: bool,
}

/// Refuses what no function of a library can be.
pub(crate) fn check_plain(signature: &Signature, what: &str) -> Result<(), Error> {
    let refuse = |span: &dyn Spanned2, message: String| Err(Error::new(span.span_of(), message));
    if let Some(asyncness) = &signature.asyncness {
        return refuse(
            asyncness,
            format!("{what} cannot be async: it computes from its arguments alone"),
        );
    }
    if let Some(unsafety) = &signature.unsafety {
        return refuse(
            unsafety,
            format!("{what} cannot be unsafe: the host calls it with any arguments"),
        );
    }
    if let Some(abi) = &signature.abi {
        return refuse(abi, format!("{what} must be a plain Rust function, without `extern`"));
    }
    if let Some(parameter) = signature.generics.type_params().next() {
        return refuse(
            parameter,
            format!("{what} cannot be generic: the host must know its types; write one function for each type"),
        );
    }
    if let Some(parameter) = signature.generics.const_params().next() {
        return refuse(
            parameter,
            format!("{what} cannot be generic over constants: take it as a parameter"),
        );
    }
    Ok(())
}

/// The parameters among `inputs`.
pub(crate) fn parameters<'a>(inputs: impl Iterator<Item = &'a FnArg>, what: &str) -> Result<Vec<Parameter>, Error> {
    let inputs: Vec<&FnArg> = inputs.collect();
    let mut parameters = Vec::with_capacity(inputs.len());
    for (position, input) in inputs.iter().enumerate() {
        let input = match input {
            FnArg::Typed(input) => input,
            FnArg::Receiver(receiver) => return Err(no_self(receiver, what)),
        };
        let (kind, variadic) = match element_of_slice(&input.ty) {
            Some(element) => (element.clone(), true),
            None => ((*input.ty).clone(), false),
        };
        if variadic && position + 1 < inputs.len() {
            return Err(Error::new_spanned(
                &input.ty,
                "only the last parameter may be a slice, which takes any number of arguments",
            ));
        }
        if let Type::ImplTrait(_) = kind {
            return Err(Error::new_spanned(
                &input.ty,
                format!("{what} cannot be generic: the host must know its types"),
            ));
        }
        parameters.push(Parameter {
            name: name_of(&input.pat)?.to_string().trim_start_matches('_').to_owned(),
            kind,
            variadic,
        });
    }
    Ok(parameters)
}

/// The type behind `->`.
pub(crate) fn returned<'a>(signature: &'a Signature, what: &str) -> Result<&'a Type, Error> {
    match &signature.output {
        ReturnType::Type(_, kind) => Ok(kind),
        ReturnType::Default => Err(Error::new_spanned(
            &signature.ident,
            format!("{what} must return a value, such as `-> f64`"),
        )),
    }
}

fn no_self(receiver: &Receiver, what: &str) -> Error {
    Error::new_spanned(
        receiver,
        format!("{what} cannot take `self`: it must be a free function, because guests keep nothing between calls"),
    )
}

fn name_of(pattern: &Pat) -> Result<&Ident, Error> {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() => Ok(&pattern.ident),
        _ => Err(Error::new_spanned(
            pattern,
            "a parameter must have a plain name, by which messages and documentation can name it",
        )),
    }
}

/// The `T` of `&[T]`; `&[u8]` is one value, not many.
fn element_of_slice(kind: &Type) -> Option<&Type> {
    let Type::Reference(reference) = kind else {
        return None;
    };
    let Type::Slice(slice) = &*reference.elem else {
        return None;
    };
    match &*slice.elem {
        Type::Path(path) if path.path.is_ident("u8") => None,
        element => Some(element),
    }
}

/// The span of any piece of syntax, as an object.
trait Spanned2 {
    fn span_of(&self) -> proc_macro2::Span;
}

impl<T: Spanned> Spanned2 for T {
    fn span_of(&self) -> proc_macro2::Span {
        self.span()
    }
}
