//! Queries: files of SQL in the rules directory, and rule files. A file of SQL defines streams, has a query, or both; a rule file has a
//! query, and where its results go. A query becomes a rule, as if what it compiles to lay there. What it compiles to depends on the streams of all files and on the functions of all
//! libraries, so it is compiled again when these change.

use super::scan::{Form, Found};
use crate::config::{RuleFile, RuleTiming};
use rulemill_plan::Library;
use rulemill_sql::{Catalog, Compiled, Problem, Script, Stream, Timing, compile_timed, script, summary};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All files with queries, and what they have become.
#[derive(Default)]
pub(super) struct Queries {
    files: BTreeMap<String, File>,
    /// What queries were compiled against.
    catalog: Catalog,
}

struct File {
    text: String,
    sidecar: Option<String>,
    /// A rule file as it is written.
    document: Option<Arc<str>>,
    timing: Timing,
    /// What the text says, or what is wrong with it.
    script: Result<Script, String>,
    /// Whether it has to be compiled, because it is new.
    stale: bool,
    /// What was wrong with the query when it was last compiled.
    refused: bool,
    /// The file that came of it last.
    wasm: Option<Vec<u8>>,
}

/// What has become of a file.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It has a query; this is the rule.
    Rule(Found),
    /// It defines streams only.
    Definitions,
    /// It cannot be compiled, for this reason.
    Refused(String),
}

impl Queries {
    /// Takes a file that is new or has changed.
    pub(super) fn put(&mut self, found: Found) {
        let (name, sidecar, form) = (found.name, found.sidecar, found.form);
        let file = match String::from_utf8(found.wasm) {
            Err(_) => File::of(String::new(), sidecar, Err("the file is not UTF-8 text".to_owned())),
            Ok(text) if form == Form::Json => File::of_rule(text, sidecar),
            Ok(text) => {
                let script = script(&text).map_err(|problems| summary(&problems, &text));
                File::of(text, sidecar, script)
            }
        };
        self.files.insert(name, file);
    }

    /// A rule file as it is written.
    pub(super) fn document(&self, name: &str) -> Option<&Arc<str>> {
        self.files.get(name)?.document.as_ref()
    }

    /// The streams that are defined, and in which file each is.
    pub(super) fn streams(&self) -> impl Iterator<Item = (&Stream, &str)> {
        self.catalog.streams.values().map(|stream| {
            let defines = |file: &File| {
                let script = file.script.as_ref().ok();
                script.is_some_and(|script| script.streams.iter().any(|other| other.name == stream.name))
            };
            let file = self.files.iter().find(|(_, file)| defines(file));
            (stream, file.map_or("", |(name, _)| name.as_str()))
        })
    }

    /// The text of a file that defines one stream and nothing else.
    pub(super) fn statement_of(&self, name: &str) -> Option<&str> {
        let alone = self.contents(name) == Some((1, false));
        self.files.get(name).filter(|_| alone).map(|file| file.text.as_str())
    }

    /// How many streams a file defines, and whether it has a query; nothing when there is no such file, or it is wrong.
    pub(super) fn contents(&self, name: &str) -> Option<(usize, bool)> {
        let script = self.files.get(name)?.script.as_ref().ok()?;
        Some((script.streams.len(), script.query.is_some()))
    }

    /// The files with a query that reads the stream.
    pub(super) fn readers(&self, stream: &str) -> Vec<&str> {
        let reads = |file: &File| {
            let query = file.script.as_ref().ok().and_then(|script| script.query.as_ref());
            query.is_some_and(|query| {
                let joined = query.joins.iter().map(|join| &join.source);
                std::iter::once(&query.from)
                    .chain(joined)
                    .any(|source| source.stream.text == stream)
            })
        };
        let files = self.files.iter().filter(|(_, file)| reads(file));
        files.map(|(name, _)| name.as_str()).collect()
    }

    /// What queries are compiled against.
    pub(super) fn known(&self) -> &Catalog {
        &self.catalog
    }

    /// Forgets a file; whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.files.remove(name).is_some()
    }

    /// Compiles what has to be, against the streams of all files and these libraries, and says what has become of it.
    pub(super) fn compile(&mut self, libraries: Vec<Library>) -> Vec<(String, Outcome)> {
        let (catalog, mut outcomes) = self.catalog(libraries);
        let all = catalog != self.catalog;
        for (name, file) in &mut self.files {
            if !file.stale && !all || outcomes.iter().any(|(refused, _)| refused == name) {
                continue;
            }
            if let Some(outcome) = file.compile(name, &catalog) {
                outcomes.push((name.clone(), outcome));
            }
        }
        self.catalog = catalog;
        outcomes
    }

    /// The streams of all files, and the files that cannot have theirs because another one has a stream of that name.
    fn catalog(&mut self, mut libraries: Vec<Library>) -> (Catalog, Vec<(String, Outcome)>) {
        libraries.sort_by(|left, right| left.name.cmp(&right.name));
        let mut catalog = Catalog {
            libraries,
            ..Catalog::default()
        };
        let mut defined: BTreeMap<&str, &str> = BTreeMap::new();
        let mut refused = Vec::new();
        for (name, file) in &self.files {
            let Ok(script) = &file.script else { continue };
            for stream in &script.streams {
                if let Some(other) = defined.get(stream.name.as_str()) {
                    let reason = format!("the stream {:?} is defined in {other}.sql already", stream.name);
                    refused.push((name.clone(), Outcome::Refused(reason)));
                    break;
                }
                defined.insert(&stream.name, name);
                catalog.streams.insert(stream.name.clone(), stream.clone());
            }
        }
        (catalog, refused)
    }
}

impl File {
    fn of(text: String, sidecar: Option<String>, script: Result<Script, String>) -> Self {
        File {
            text,
            sidecar,
            document: None,
            timing: Timing::AsDefined,
            script,
            stale: true,
            refused: false,
            wasm: None,
        }
    }

    /// Reads a rule file; `beside` is what stands in the file beside it.
    fn of_rule(text: String, beside: Option<String>) -> Self {
        let document = Some(Arc::from(text.as_str()));
        let file = match RuleFile::parse(&text) {
            Err(reason) => File::of(text, beside, Err(reason)),
            Ok(rule) => {
                let sidecar = rule.sidecar(beside.as_deref());
                let timing = timing_of(rule.timing);
                let script = script_of_rule(&rule.sql);
                File {
                    timing,
                    ..File::of(rule.sql, Some(sidecar), script)
                }
            }
        };
        File { document, ..file }
    }

    /// Compiles it; nothing when that comes to the same as before.
    fn compile(&mut self, name: &str, catalog: &Catalog) -> Option<Outcome> {
        let fresh = std::mem::take(&mut self.stale);
        let query = match &self.script {
            Err(reason) => return fresh.then(|| Outcome::Refused(reason.clone())),
            Ok(script) => script.query.as_ref(),
        };
        let Some(query) = query else {
            return fresh.then_some(Outcome::Definitions);
        };
        match compile_timed(&self.text, query, name, catalog, self.timing) {
            Err(problems) => {
                self.refused = true;
                Some(Outcome::Refused(summary(&problems, &self.text)))
            }
            Ok(compiled) => {
                let same = !fresh && !self.refused && self.wasm.as_ref() == Some(&compiled.wasm);
                self.refused = false;
                self.wasm = Some(compiled.wasm.clone());
                (!same).then(|| Outcome::Rule(Found::new(name.to_owned(), compiled.wasm, self.sidecar.clone())))
            }
        }
    }
}

/// The query of a rule file.
pub(super) fn script_of_rule(sql: &str) -> Result<Script, String> {
    let script = script(sql).map_err(|problems| summary(&problems, sql))?;
    if !script.streams.is_empty() || script.query.is_none() {
        return Err("its sql must be one SELECT; streams are defined in files of their own".to_owned());
    }
    Ok(script)
}

/// Compiles a query for itself.
pub(super) fn compile_alone(
    sql: &str,
    name: &str,
    timing: Timing,
    catalog: &Catalog,
) -> Result<Compiled, Vec<Problem>> {
    let script = script(sql)?;
    let Some(query) = &script.query else {
        return Err(vec![Problem::new(
            rulemill_sql::Span::default(),
            "a SELECT is needed here",
        )]);
    };
    compile_timed(sql, query, name, catalog, timing)
}

pub(super) fn timing_of(timing: RuleTiming) -> Timing {
    match timing {
        RuleTiming::Arrival => Timing::Arrival,
        RuleTiming::Event(late) => Timing::Event {
            lateness_ms: u64::try_from(late.as_millis()).unwrap_or(u64::MAX),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(queries: &mut Queries, name: &str, text: &str) {
        queries.put(Found {
            form: Form::Sql,
            ..Found::new(name.to_owned(), text.as_bytes().to_vec(), None)
        });
    }

    /// What has become of files, in short.
    fn compile(queries: &mut Queries, libraries: &[&str]) -> Vec<String> {
        let libraries = libraries.iter().map(|json| Library::from_json(json).unwrap()).collect();
        let outcomes = queries.compile(libraries).into_iter();
        let told = outcomes.map(|(name, outcome)| match outcome {
            Outcome::Rule(_) => format!("{name}: rule"),
            Outcome::Definitions => format!("{name}: definitions"),
            Outcome::Refused(reason) => format!("{name}: {reason}"),
        });
        told.collect()
    }

    const HALF: &str = r#"{"name": "halves", "scalars": [
        {"name": "half", "parameters": [{"name": "of", "type": "float"}], "returns": "float"}]}"#;

    #[test]
    fn a_query_is_compiled_again_when_what_it_names_comes() {
        let mut queries = Queries::default();
        put(&mut queries, "rule", "SELECT half(a) AS h FROM s");
        let missing = "rule: there is no stream \"s\"; CREATE STREAM makes one (line 1, column 26)";
        assert_eq!(compile(&mut queries, &[]), [missing]);
        put(
            &mut queries,
            "streams",
            "CREATE STREAM s (a float) WITH (DATASOURCE=\"s\")",
        );
        assert_eq!(
            compile(&mut queries, &[]),
            [
                "rule: there is no function half (line 1, column 8)",
                "streams: definitions"
            ]
        );
        assert_eq!(compile(&mut queries, &[HALF]), ["rule: rule"]);
        // Nothing is new.
        assert_eq!(compile(&mut queries, &[HALF]), [""; 0]);
        // A stream that no query names changes nothing of it.
        put(&mut queries, "more", "CREATE STREAM t () WITH (DATASOURCE=\"t\")");
        assert_eq!(compile(&mut queries, &[HALF]), ["more: definitions"]);
        // Without its function it cannot be compiled; when that is back, it comes again, although it is the same.
        assert_eq!(
            compile(&mut queries, &[]),
            ["rule: there is no function half (line 1, column 8)"]
        );
        assert_eq!(compile(&mut queries, &[HALF]), ["rule: rule"]);
    }

    #[test]
    fn a_stream_that_is_defined_twice_belongs_to_the_first_file() {
        let mut queries = Queries::default();
        put(&mut queries, "a", "CREATE STREAM s () WITH (DATASOURCE=\"a\")");
        put(&mut queries, "b", "CREATE STREAM s () WITH (DATASOURCE=\"b\")");
        assert_eq!(
            compile(&mut queries, &[]),
            ["b: the stream \"s\" is defined in a.sql already", "a: definitions"]
        );
        assert!(queries.remove("a"));
        assert_eq!(compile(&mut queries, &[]), ["b: definitions"]);
    }
}
