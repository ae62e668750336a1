//! Queries in the catalogue: what they compile to is put in place as if it lay in the rules directory.

use super::super::mills::MillGone;
use super::queries::{Outcome, Queries};
use super::{Catalogue, Watching};
use crate::rule::{BuiltIn, with_built_in};
use rulemill_plan::Library;

impl Catalogue {
    /// Compiles what queries have to be compiled, and puts in place what is new.
    pub(super) async fn apply_queries(&mut self) -> Result<(), MillGone> {
        for (name, outcome) in self.compile_queries().await {
            match outcome {
                Outcome::Rule(found) => {
                    for (name, candidate) in self.load_all(vec![found]).await? {
                        self.apply(&name, candidate, Watching::AsConfigured).await?;
                    }
                }
                Outcome::Refused(reason) => self.refuse(&name, None, reason, None),
                // What it was before is not there any more.
                Outcome::Definitions if self.entries.contains_key(&name) => {
                    self.remove(&name).await?;
                    self.retry(false).await?;
                }
                Outcome::Definitions => tracing::info!(file = format!("{name}.sql"), "streams defined"),
            }
        }
        Ok(())
    }

    /// On a thread that may be kept busy: there may be thousands of them.
    async fn compile_queries(&mut self) -> Vec<(String, Outcome)> {
        let libraries = self.library_descriptions();
        let mut queries = std::mem::take(&mut self.queries);
        let compiling = tokio::task::spawn_blocking(move || {
            let outcomes = queries.compile(libraries);
            (queries, outcomes)
        });
        match compiling.await {
            Ok((queries, outcomes)) => {
                self.queries = queries;
                outcomes
            }
            Err(error) => {
                tracing::error!(%error, "queries cannot be compiled");
                self.queries = Queries::default();
                Vec::new()
            }
        }
    }

    /// What the libraries say about themselves: those that run from files, and those in the program.
    fn library_descriptions(&self) -> Vec<Library> {
        let files = self.entries.values().filter(|entry| !BuiltIn::is_place(&entry.name));
        let running = files.filter_map(|entry| entry.running.as_ref());
        let libraries = running.filter_map(|running| running.candidate.loaded.library.as_ref());
        with_built_in(libraries.map(|library| library.description.clone()).collect())
    }
}
