//! The macros that export a library or a rule.

/// Exports a library.
///
/// ```
/// use rulemill_guest::prelude::*;
///
/// /// Twice as much.
/// #[function(immutable)]
/// #[example(2.0 => 4.0)]
/// fn double(value: f64) -> f64 {
///     2.0 * value
/// }
///
/// rulemill_guest::library! {
///     name: "numbers",
///     functions: [double],
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! library {
    (
        name: $name:literal,
        $(doc: $doc:literal,)?
        $(functions: [$($function:path),* $(,)?] $(,)?)?
        $(aggregates: [$($aggregate:path),* $(,)?] $(,)?)?
    ) => {
        /// The library that this crate exports.
        pub const LIBRARY: $crate::LibraryDefinition = $crate::LibraryDefinition {
            name: $name,
            version: ::core::env!("CARGO_PKG_VERSION"),
            doc: ::core::concat!($($doc)?),
            functions: &[$($($crate::FunctionEntry::of::<$function>()),*)?],
            aggregates: &[$($($crate::AggregateEntry::of::<$aggregate>()),*)?],
        };

        #[cfg(target_family = "wasm")]
        const _: () = {
            enum Exported {}

            impl $crate::export::ExportedLibrary for Exported {
                const DEFINITION: $crate::LibraryDefinition = LIBRARY;
            }

            type Guest = $crate::export::LibraryGuest<Exported>;
            $crate::bindings::library::export_library!(Guest with_types_in $crate::bindings::library);
        };
    };
}

/// Exports the rule that a function builds.
#[macro_export]
macro_rules! rule {
    ($build:path) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            enum Exported {}

            impl $crate::export::ExportedRule for Exported {
                fn build() -> $crate::rule::Rule {
                    $build().with_version(::core::env!("CARGO_PKG_VERSION"))
                }
            }

            type Guest = $crate::export::RuleGuest<Exported>;
    $crate::bindings::plain_rule::export_rule!(Guest with_types_in $crate::bindings::plain_rule);
        };
    };
}
