//! Rules of the pages: links lead somewhere, tables of contents are whole, and the README names its two commands.

use super::repository::{TextFile, assert_none, file, files, root};
use std::collections::BTreeSet;

#[test]
fn every_relative_link_leads_to_a_file() {
    let pages = files("md");
    let broken = pages.iter().flat_map(|page| {
        let folder = page.path.parent().expect("a file has a folder").to_owned();
        links(page).into_iter().filter_map(move |(line, target)| {
            let missing = !root().join(&folder).join(&target).exists();
            missing.then(|| format!("{}: {target}", page.spot(line)))
        })
    });
    assert_none("these links lead nowhere", broken);
}

#[test]
fn the_decisions_index_lists_every_page() {
    assert_lists_all_pages("docs/decisions");
}

#[test]
fn decisions_have_numbers_of_their_own() {
    let pages = files("md");
    let decisions = pages.iter().filter(|page| page.path.starts_with("docs/decisions"));
    let mut taken = BTreeSet::new();
    let offenders = decisions.filter_map(|page| {
        let name = page.path.file_name()?.to_str()?;
        let number = name.split('-').next().filter(|_| name != "README.md")?;
        let titled = page.text.starts_with(&format!("# {number}: "));
        (!taken.insert(number) || !titled).then(|| page.spot(1))
    });
    assert_none("take the next free number, in the name and in the title", offenders);
}

#[test]
fn the_index_of_the_guide_lists_every_page() {
    assert_lists_all_pages("docs");
}

#[test]
fn the_readme_names_the_two_commands_that_set_everything_up() {
    let readme = file("README.md");
    let makefile = file("Makefile");
    for target in ["run", "test"] {
        let command = format!("make {target}");
        let shown = code_lines(&readme).iter().any(|line| line.trim().starts_with(&command));
        assert!(shown, "{}: no code block has `{command}`", readme.path.display());
        let rule = format!("{target}:");
        assert!(
            makefile.lines().any(|(_, line)| line.starts_with(&rule)),
            "Makefile has no target {target}"
        );
    }
}

fn assert_lists_all_pages(folder: &str) {
    let index = file(&format!("{folder}/README.md"));
    let listed: Vec<String> = links(&index).into_iter().map(|(_, target)| target).collect();
    let pages = files("md").into_iter().map(|page| page.path);
    let unlisted = pages
        .filter(|path| path.parent().is_some_and(|parent| parent == folder))
        .filter_map(|path| path.file_name()?.to_str().map(ToOwned::to_owned))
        .filter(|name| name != "README.md" && !listed.contains(name));
    assert_none(
        &format!("{folder}/README.md does not list these pages"),
        unlisted.map(|name| format!("{folder}/{name}:1")),
    );
}

/// The targets of relative links, without their anchors, with the lines they stand on. Code is passed over.
fn links(page: &TextFile) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in page.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second part stands between backticks.
        let text: Vec<&str> = line.split('`').step_by(2).collect();
        for target in text
            .join("`")
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !outside && !path.is_empty() {
                found.push((number, path.to_owned()));
            }
        }
    }
    found
}

fn code_lines(page: &TextFile) -> Vec<&str> {
    let blocks = page.text.split("```").skip(1).step_by(2);
    blocks.flat_map(str::lines).collect()
}

#[test]
fn links_are_found_outside_code_only() {
    let page = TextFile {
        path: "a.md".into(),
        text: "[a](b.md#c) and [`d`](../e)\n[f](https://g.org) [h](#i) `[j](k)`\n```\n[l](m)\n```\n[n](o/)\n".into(),
    };
    let expected = [(1, "b.md"), (1, "../e"), (6, "o/")].map(|(line, target)| (line, target.to_owned()));
    assert_eq!(links(&page), expected);
    assert_eq!(code_lines(&page), ["", "[l](m)"]);
}
