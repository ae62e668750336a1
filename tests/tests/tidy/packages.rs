//! Rules of the packages we stand on: who may depend on what, licences, bans, and that each has its reason written down.

use super::licence::is_accepted;
use super::repository::{assert_none, file, root};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::process::Command;

/// Crates that take inputs and the time, and give outputs: no I/O, no clock, no threads, no logs.
const PURE: [&str; 3] = ["rulemill-core", "rulemill-plan", "rulemill-sql"];
/// What a pure crate would need to break that.
const IMPURE: [&str; 4] = ["tokio", "wasmtime", "rumqttc", "tracing"];

#[test]
fn pure_crates_depend_on_nothing_that_does_io() {
    let metadata = metadata();
    let graph = Graph::of(&metadata);
    let offenders = PURE.iter().flat_map(|pure| {
        let reached = graph.reached_from(pure);
        IMPURE
            .into_iter()
            .filter(move |impure| reached.contains(impure))
            .map(move |impure| format!("{pure} depends on {impure}, perhaps through others: cargo tree -p {pure}"))
    });
    assert_none("keep these crates pure", offenders);
}

#[test]
fn the_journal_is_simulated_without_the_host() {
    let metadata = metadata();
    let reached = Graph::of(&metadata).reached_from("rulemill-journal");
    let offenders = IMPURE.into_iter().chain(["rulemill-core", "serde_json"]);
    let offenders = offenders.filter(|needed| reached.contains(needed));
    assert_none("keep these out of rulemill-journal", offenders);
}

#[test]
fn every_package_has_an_accepted_licence() {
    let deny = deny_toml();
    let accepted = deny["licenses"]["allow"].as_array().expect("deny.toml lists licences");
    let accepted: Vec<&str> = accepted.iter().filter_map(toml::Value::as_str).collect();
    let metadata = metadata();
    let refused = packages(&metadata).filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or_default();
        let told = if licence.is_empty() { "no licence" } else { licence };
        (!is_accepted(licence, &accepted))
            .then(|| format!("{} {}: {told}", text(&package["name"]), text(&package["version"])))
    });
    assert_none("deny.toml does not accept the licences of these packages", refused);
}

#[test]
fn no_banned_crate_is_locked() {
    let deny = deny_toml();
    let lock = &file("Cargo.lock");
    let banned = deny["bans"]["deny"].as_array().expect("deny.toml lists banned crates");
    let found = banned.iter().flat_map(|ban| {
        let name = ban["crate"].as_str().expect("a ban names a crate");
        let entry = format!("name = \"{name}\"");
        let lines = lock.lines().filter(move |(_, line)| *line == entry);
        let reason = &ban["reason"];
        let told = move |(line, _)| format!("{}: {name} ({reason})", lock.spot(line));
        lines.map(told).collect::<Vec<_>>()
    });
    assert_none("deny.toml bans these crates", found);
}

#[test]
fn every_dependency_has_its_reason_in_the_decisions() {
    let page = file("docs/decisions/0001-dependencies.md");
    let rows = page.text.lines().filter(|line| line.starts_with("| "));
    let first_cells: String = rows
        .filter_map(|row| row.split('|').nth(1))
        .collect::<Vec<_>>()
        .join(" ");
    let named: BTreeSet<&str> = first_cells
        .split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))
        .collect();
    let missing = outside_dependencies()
        .into_iter()
        .filter(|(name, _)| !named.contains(name.as_str()));
    assert_none(
        "give these dependencies a line in docs/decisions/0001-dependencies.md",
        missing.map(|(name, spot)| format!("{spot}: {name}")),
    );
}

/// The dependencies on other people's crates: by name, with the first manifest line that names them.
fn outside_dependencies() -> Vec<(String, String)> {
    let metadata = metadata();
    let members = metadata["workspace_members"].as_array().expect("members");
    let mut found = HashMap::new();
    for package in packages(&metadata).filter(|package| members.contains(&package["id"])) {
        let manifest = text(&package["manifest_path"]);
        let folder = root().canonicalize().expect("the root exists");
        let path = manifest
            .strip_prefix(&format!("{}/", folder.display()))
            .unwrap_or(manifest);
        let manifest = file(path);
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = text(&dependency["name"]);
            let line = manifest
                .lines()
                .find(|(_, line)| line.starts_with(name))
                .map_or(1, |(line, _)| line);
            if dependency["path"].is_null() {
                found.entry(name.to_owned()).or_insert_with(|| manifest.spot(line));
            }
        }
    }
    // Those of the workspace that no member uses.
    let workspace = file("Cargo.toml");
    let table: toml::Table = workspace.text.parse().expect("Cargo.toml is TOML");
    let dependencies = table["workspace"]["dependencies"].as_table().expect("dependencies");
    for (name, _) in dependencies.iter().filter(|(_, value)| value.get("path").is_none()) {
        let entry = format!("{name} = ");
        let line = workspace
            .lines()
            .find(|(_, line)| line.starts_with(&entry))
            .map_or(1, |(line, _)| line);
        found.entry(name.clone()).or_insert_with(|| workspace.spot(line));
    }
    let mut found: Vec<(String, String)> = found.into_iter().collect();
    found.sort();
    found
}

/// What cargo knows of the packages that are built on this machine. Nothing is downloaded for it.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--format-version",
            "1",
            "--filter-platform",
            &host(),
        ])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {complaint}");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo starts");
    let version = String::from_utf8(output.stdout).expect("cargo writes text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("cargo tells its host").to_owned()
}

fn deny_toml() -> toml::Table {
    file("deny.toml").text.parse().expect("deny.toml is TOML")
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Who depends on whom, tests aside.
struct Graph<'m> {
    names: HashMap<&'m str, &'m str>,
    needs: HashMap<&'m str, Vec<&'m str>>,
}

impl<'m> Graph<'m> {
    fn of(metadata: &'m Value) -> Self {
        let names = packages(metadata).map(|package| (text(&package["id"]), text(&package["name"])));
        let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
        let needs = nodes.map(|node| {
            let dependencies = node["deps"].as_array().into_iter().flatten();
            let built = dependencies.filter(|dependency| {
                let mut kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
                kinds.any(|kind| kind["kind"] != "dev")
            });
            (
                text(&node["id"]),
                built.map(|dependency| text(&dependency["pkg"])).collect(),
            )
        });
        Graph {
            names: names.collect(),
            needs: needs.collect(),
        }
    }

    /// The names of all packages that `name` needs.
    fn reached_from(&self, name: &str) -> BTreeSet<&'m str> {
        let start = self.names.iter().find(|(_, known)| **known == name);
        let (start, _) = start.unwrap_or_else(|| panic!("there is no package {name}"));
        let mut reached = BTreeSet::from([*start]);
        let mut left = vec![*start];
        while let Some(package) = left.pop() {
            for needed in self.needs.get(package).into_iter().flatten() {
                if reached.insert(needed) {
                    left.push(needed);
                }
            }
        }
        reached
            .into_iter()
            .filter_map(|id| self.names.get(id).copied())
            .collect()
    }
}

#[test]
fn what_is_reached_through_others_counts() {
    let metadata = metadata();
    let graph = Graph::of(&metadata);
    let host = graph.reached_from("rulemill");
    for needed in IMPURE.into_iter().chain(PURE) {
        assert!(host.contains(needed), "the host needs {needed}");
    }
    assert!(!host.contains("proptest"), "what only tests need does not count");
}
