//! Settings: what the deployment may set on a rule without a rebuild.

use rulemill_plan::Literal;
use std::marker::PhantomData;

/// A setting of type `T`. It is an argument of calls and an input of closures, like a column with the same cell in
/// every row.
pub struct Setting<T: ?Sized> {
    pub(crate) name: String,
    of: PhantomData<T>,
}

impl<T: ?Sized> Setting<T> {
    pub(crate) fn new(name: &str) -> Self {
        Setting {
            name: name.to_owned(),
            of: PhantomData,
        }
    }
}

impl<T: ?Sized> Clone for Setting<T> {
    fn clone(&self) -> Self {
        Setting::new(&self.name)
    }
}

/// A default of a setting: it gives the setting its type.
pub trait SettingValue {
    /// The setting's type.
    type Kind: crate::kind::Kind + ?Sized;

    #[doc(hidden)]
    fn literal(self) -> Literal;
}

macro_rules! setting_value {
    ($($value:ty => $kind:ty),* $(,)?) => {$(
        impl SettingValue for $value {
            type Kind = $kind;

            fn literal(self) -> Literal {
                Literal::from(self)
            }
        }
    )*};
}

setting_value! {
    bool => bool,
    i32 => i64,
    i64 => i64,
    f64 => f64,
    &str => str,
}
