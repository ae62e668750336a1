//! Arguments of calls: columns, settings and literals, one or several in a tuple.

use super::column::Col;
use super::draft::ArgumentDraft;
use super::setting::Setting;

/// One argument of a call: a column of the same stage, a setting, or a literal.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a call here",
    note = "use columns of this stage (before or after the window), settings, `&str`, `i64`, `f64` and `bool`"
)]
pub trait CallArgument<P> {
    #[doc(hidden)]
    fn draft(self) -> OpaqueArgument;
}

/// The arguments of a call: one, or several in a tuple; `()` for none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a call here",
    note = "use columns of this stage (before or after the window), settings, `&str`, `i64`, `f64` and `bool`; \
            several go into a tuple"
)]
pub trait CallArguments<P> {
    #[doc(hidden)]
    fn opaque(self) -> Vec<OpaqueArgument>;
}

/// An argument as the builder keeps it.
#[doc(hidden)]
pub struct OpaqueArgument(ArgumentDraft);

/// What the builder makes of arguments; not for authors.
pub(crate) trait Drafts<P>: CallArguments<P> + Sized {
    fn drafts(self) -> Vec<ArgumentDraft> {
        self.opaque().into_iter().map(|argument| argument.0).collect()
    }
}

impl<P, A: CallArguments<P>> Drafts<P> for A {}

/// Each argument alone, and as the only one. A blanket implementation would conflict with those for tuples.
macro_rules! argument {
    ([$($generic:tt)*] $type:ty, $draft:expr) => {
        impl<$($generic)*> CallArgument<P> for $type {
            fn draft(self) -> OpaqueArgument {
                let draft: fn($type) -> ArgumentDraft = $draft;
                OpaqueArgument(draft(self))
            }
        }

        impl<$($generic)*> CallArguments<P> for $type {
            fn opaque(self) -> Vec<OpaqueArgument> {
                vec![CallArgument::<P>::draft(self)]
            }
        }
    };
}

argument!([T: ?Sized, P] Col<T, P>, |column| ArgumentDraft::Column(column.id));
argument!([T: ?Sized, P] &Setting<T>, |setting| ArgumentDraft::Setting(setting.name.clone()));
argument!([P] bool, |value| ArgumentDraft::Literal(value.into()));
argument!([P] i32, |value| ArgumentDraft::Literal(value.into()));
argument!([P] i64, |value| ArgumentDraft::Literal(value.into()));
argument!([P] f64, |value| ArgumentDraft::Literal(value.into()));
argument!([P] & str, |value| ArgumentDraft::Literal(value.into()));

impl<P> CallArguments<P> for () {
    fn opaque(self) -> Vec<OpaqueArgument> {
        Vec::new()
    }
}

macro_rules! tuple {
    ($($name:ident)*) => {
        impl<P, $($name: CallArgument<P>),*> CallArguments<P> for ($($name,)*) {
            fn opaque(self) -> Vec<OpaqueArgument> {
                #[expect(non_snake_case, reason = "the type's name serves as the variable's")]
                let ($($name,)*) = self;
                vec![$(CallArgument::<P>::draft($name)),*]
            }
        }
    };
}

tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);
