//! What the macros say to an author who made a mistake. `TRYBUILD=overwrite` renews the messages; read the difference.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
