//! The macros do not depend on what the names of the prelude mean where they are used.
#![expect(non_camel_case_types, dead_code, reason = "these names are taken on purpose")]

mod shadowed {
    struct Option;
    struct Result;
    struct String;
    struct Vec;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Default;
    struct Into;
    struct From;
    struct str_;
    mod std {}
    mod core {}

    /// Half as much.
    #[::rulemill_guest::function(immutable)]
    #[example(3.0 => 1.5)]
    #[example(null => null)]
    pub(super) fn half(value: f64) -> f64 {
        value / 2.0
    }

    /// Parameters with the names that the generated code uses itself.
    #[::rulemill_guest::function]
    #[example(1.0, 2.0, 3.0, 4.0, 5.0, 6.0 => 21.0)]
    fn add(row: f64, rows: f64, arguments: f64, skipped: f64, reader_0: f64, values: &[f64]) -> f64 {
        row + rows + arguments + skipped + reader_0 + values.iter().sum::<f64>()
    }

    /// A name that is a word of Rust is called without its mark.
    #[::rulemill_guest::function]
    #[example(5, 3 => 2)]
    fn r#mod(dividend: i64, divisor: i64) -> i64 {
        dividend % divisor
    }

    #[derive(::core::default::Default, ::rulemill_guest::State)]
    pub(super) struct Last {
        words: f64,
        at: f64,
    }

    /// The last value.
    #[::rulemill_guest::aggregate]
    #[example(1.0, 2.0 => 2.0)]
    impl Last {
        fn accumulate(&mut self, groups: f64) {
            self.words = groups;
        }

        fn merge(&mut self, other: &Self) {
            self.words = other.words;
        }

        fn finish(&self) -> f64 {
            self.words
        }
    }

    ::rulemill_guest::library! {
        name: "shadowed",
        functions: [half, add, r#mod],
        aggregates: [Last],
    }
}

#[test]
fn the_library_works_where_names_are_shadowed() {
    let outcomes = rulemill_guest::testing::call(&shadowed::LIBRARY, "half", &[[5.0.into()]]);
    assert_eq!(outcomes, [Ok(2.5.into())]);
    assert_eq!(shadowed::LIBRARY.describe().scalars[2].name, "mod");
    assert_eq!(shadowed::LIBRARY.describe().aggregates[0].name, "last");
}
