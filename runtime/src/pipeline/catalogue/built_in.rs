//! The standard libraries of the program in the catalogue. Each is put in place when the first rule calls it, and then is like a
//! library whose file is gone: it runs on until a file in the directory has it, and what that file has is taken in its
//! place while messages flow.

use super::super::mills::MillGone;
use super::entry::Candidate;
use super::scan::Found;
use super::{Catalogue, Watching};
use crate::rule::BuiltIn;
use std::collections::BTreeSet;

impl Catalogue {
    /// Puts in place what the rule of a candidate calls and no library of the directory has.
    pub(super) async fn provide(&mut self, candidate: &Candidate) -> Result<(), MillGone> {
        let Some(rule) = &candidate.loaded.rule else {
            return Ok(());
        };
        let calls: BTreeSet<(Option<&str>, &str)> = rule.calls().collect();
        let missing = calls
            .into_iter()
            .filter(|(library, function)| !self.has_function(*library, function));
        let wanted = missing.filter_map(|(library, function)| BuiltIn::called(library, function));
        let wanted: Vec<&'static BuiltIn> = wanted.collect();
        for built_in in wanted {
            // A library of that name that has not the function is the one that is meant, so the rule waits.
            if self.loaded_library(&built_in.description.name).is_none() {
                self.put_built_in(built_in).await?;
            }
        }
        Ok(())
    }

    /// The file of a library is gone: where rules call one that the program has too, that one takes its place.
    pub(super) async fn put_back(&mut self, name: &str) -> Result<(), MillGone> {
        let Some(library) = self.library_of(name) else {
            return Ok(());
        };
        match BuiltIn::named(&library) {
            Some(built_in) if !self.users_of(&library, name).is_empty() => self.put_built_in(built_in).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn put_built_in(&mut self, built_in: &'static BuiltIn) -> Result<(), MillGone> {
        let place = built_in.place();
        match self.load(Found::new(place.clone(), built_in.wasm.to_vec(), None)).await {
            Ok(candidate) => Box::pin(self.apply(&place, candidate, Watching::Not)).await?,
            Err(reason) => self.refuse(&place, None, reason, None),
        }
        self.entry(&place).removed = true;
        Ok(())
    }

    fn has_function(&self, library: Option<&str>, function: &str) -> bool {
        let running = self.entries.values().filter_map(|entry| entry.running.as_ref());
        let mut libraries = running.filter_map(|running| running.candidate.loaded.library.as_ref());
        libraries.any(|loaded| {
            library.is_none_or(|library| loaded.description.name == library) && loaded.has_function(function)
        })
    }
}
