//! Inputs of closures: columns and settings, one or several in a tuple.

use super::column::{Col, Nullable};
use super::prepared::Source;
use super::setting::Setting;
use crate::arguments::{Arguments, Reader, Skipped};
use crate::columns::Failure;
use crate::kind::Kind;

/// One input of a closure: a column of the same stage, or a setting.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an input of a computation here",
    note = "use columns of this stage (before or after the window) and settings; the closure captures constants"
)]
pub trait Input<P> {
    /// What the closure is given.
    type Item<'r>;
    #[doc(hidden)]
    type Kind: Kind + ?Sized;

    #[doc(hidden)]
    fn source(&self) -> Source;
    #[doc(hidden)]
    fn skip(reader: &Reader<'_, Self::Kind>, rows: usize, skipped: &mut Skipped);
    #[doc(hidden)]
    fn read<'r>(reader: &Reader<'r, Self::Kind>, row: usize) -> Self::Item<'r>;
}

/// The inputs of a closure: one, or several in a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the inputs of a computation here",
    note = "use columns of this stage (before or after the window) and settings; several go into a tuple"
)]
pub trait Inputs<P>: Sized + 'static {
    /// What the closure is given: one item, or a tuple of them.
    type Item<'r>;
    #[doc(hidden)]
    type Readers<'r>;

    #[doc(hidden)]
    fn sources(self) -> Vec<Source>;
    #[doc(hidden)]
    fn readers<'r>(arguments: &Arguments<'r>, skipped: &mut Skipped) -> Result<Self::Readers<'r>, Failure>;
    #[doc(hidden)]
    fn read<'r>(readers: &Self::Readers<'r>, row: usize) -> Self::Item<'r>;
}

impl<K: Kind + ?Sized, P> Input<P> for Col<K, P> {
    type Item<'r> = K::Ref<'r>;
    type Kind = K;

    fn source(&self) -> Source {
        Source::column(self.id)
    }

    fn skip(reader: &Reader<'_, K>, rows: usize, skipped: &mut Skipped) {
        skipped.add_nulls_of(reader, rows);
    }

    #[inline]
    fn read<'r>(reader: &Reader<'r, K>, row: usize) -> K::Ref<'r> {
        reader.get(row)
    }
}

impl<K: Kind + ?Sized, P> Input<P> for Nullable<K, P> {
    type Item<'r> = Option<K::Ref<'r>>;
    type Kind = K;

    fn source(&self) -> Source {
        Source::column(self.0.id)
    }

    fn skip(_: &Reader<'_, K>, _: usize, _: &mut Skipped) {}

    #[inline]
    fn read<'r>(reader: &Reader<'r, K>, row: usize) -> Option<K::Ref<'r>> {
        if reader.is_null(row) {
            None
        } else {
            Some(reader.get(row))
        }
    }
}

impl<K: Kind + ?Sized, P> Input<P> for Setting<K> {
    type Item<'r> = K::Ref<'r>;
    type Kind = K;

    fn source(&self) -> Source {
        Source::setting(&self.name, K::TYPE)
    }

    fn skip(reader: &Reader<'_, K>, rows: usize, skipped: &mut Skipped) {
        skipped.add_nulls_of(reader, rows);
    }

    #[inline]
    fn read<'r>(reader: &Reader<'r, K>, row: usize) -> K::Ref<'r> {
        reader.get(row)
    }
}

/// Each input as the only one. A blanket implementation would conflict with those for tuples.
macro_rules! only_input {
    ($type:ident, $($phase:ident)?) => {
        impl<K: Kind + ?Sized + 'static, P: 'static> Inputs<P> for $type<K $(, $phase)?> {
            type Item<'r> = <Self as Input<P>>::Item<'r>;
            type Readers<'r> = Reader<'r, K>;

            fn sources(self) -> Vec<Source> {
                vec![<Self as Input<P>>::source(&self)]
            }

            fn readers<'r>(arguments: &Arguments<'r>, skipped: &mut Skipped) -> Result<Self::Readers<'r>, Failure> {
                let reader = arguments.reader(0)?;
                <Self as Input<P>>::skip(&reader, arguments.rows(), skipped);
                Ok(reader)
            }

            #[inline]
            fn read<'r>(readers: &Self::Readers<'r>, row: usize) -> Self::Item<'r> {
                <Self as Input<P>>::read(readers, row)
            }
        }
    };
}

only_input!(Col, P);
only_input!(Nullable, P);
only_input!(Setting,);

macro_rules! tuple {
    ($($name:ident $position:tt),*) => {
        impl<P: 'static, $($name: Input<P> + 'static),*> Inputs<P> for ($($name,)*) {
            type Item<'r> = ($($name::Item<'r>,)*);
            type Readers<'r> = ($(Reader<'r, $name::Kind>,)*);

            fn sources(self) -> Vec<Source> {
                vec![$(self.$position.source()),*]
            }

            fn readers<'r>(arguments: &Arguments<'r>, skipped: &mut Skipped) -> Result<Self::Readers<'r>, Failure> {
                let readers: Self::Readers<'r> = ($(arguments.reader($position)?,)*);
                $($name::skip(&readers.$position, arguments.rows(), skipped);)*
                Ok(readers)
            }

            #[inline]
            fn read<'r>(readers: &Self::Readers<'r>, row: usize) -> Self::Item<'r> {
                ($($name::read(&readers.$position, row),)*)
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
