//! Rules of the Rust code that neither rustfmt nor clippy knows.

use super::repository::{TextFile, assert_none, files};

/// Enough for one concept; more is two.
const LINES_MAX: usize = 500;

#[test]
fn no_rust_file_is_longer_than_500_lines() {
    let long = files("rs").into_iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > LINES_MAX).then(|| format!("{} has {lines} lines", file.spot(LINES_MAX + 1)))
    });
    assert_none(
        "split these files by concept, or move their tests to NAME/tests.rs",
        long,
    );
}

#[test]
fn modules_and_crates_begin_with_their_documentation() {
    let tables_of_contents = files("rs").into_iter().filter(|file| {
        let name = file.path.file_name();
        name.is_some_and(|name| name == "mod.rs" || name == "lib.rs" || name == "main.rs")
    });
    let bare = tables_of_contents.filter(|file| !file.text.starts_with("//!"));
    assert_none("say in //! what these modules do", bare.map(|file| file.spot(1)));
}

#[test]
fn no_code_is_left_to_be_written() {
    assert_none(
        "write these, or leave them out",
        lines_with(&[concat!("todo", "!("), concat!("unimplemented", "!(")]),
    );
}

#[test]
fn no_test_is_ignored() {
    assert_none(
        "fix these tests, or delete them",
        lines_with(&[concat!("#[", "ignore")]),
    );
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let offenders = lines_with(&[concat!("#[", "allow("), concat!("#![", "allow(")]);
    assert_none("say #[expect(..., reason = \"...\")] instead", offenders);
}

/// The places, outside comments, where one of these texts stands.
fn lines_with(texts: &[&str]) -> Vec<String> {
    files("rs").iter().flat_map(|file| places(file, texts)).collect()
}

fn places(file: &TextFile, texts: &[&str]) -> Vec<String> {
    let code = file.lines().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter(|(_, line)| texts.iter().any(|text| line.contains(text)))
        .map(|(number, line)| format!("{}: {}", file.spot(number), line.trim()))
        .collect()
}

#[test]
fn a_text_is_found_in_code_and_not_in_comments() {
    let file = TextFile {
        path: "a.rs".into(),
        text: "// left()\nfn a() {\n    left()\n}\n".into(),
    };
    assert_eq!(places(&file, &["left("]), ["a.rs:3: left()"]);
    assert!(places(&file, &["right("]).is_empty());
}
