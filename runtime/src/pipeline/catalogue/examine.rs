//! What would become of guests if they lay in the rules directory: the same steps as there, on one mill that gets no
//! message. Nothing is connected to, and nothing is written.

use super::super::LISTENER;
use super::super::command::Refusal;
use super::super::workbench::Workbench;
use super::super::{SinkRows, sink_rows};
use super::entry::Candidate;
use super::queries::{Outcome, Queries};
use super::resolve::{self, Names};
use super::scan::{Form, Found, guest_name};
use crate::config::{Config, GuestDefaults, RulesConfig, Sidecar};
use crate::emit::DeadLetters;
use crate::rule::{BuiltIn, GuestEngine, Loaded, LoadedLibrary, with_built_in};
use rulemill_plan::{BUILT_IN_AGGREGATES, Literal, Parameter, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Takes guests as the catalogue does, and says what became of each.
pub struct Examiner {
    engine: GuestEngine,
    bench: Workbench,
    rules: RulesConfig,
    defaults: GuestDefaults,
    /// What a configuration names, when there is one.
    known: Option<Known>,
    libraries: BTreeMap<String, Provider>,
}

/// What a configuration has for rules to name.
struct Known {
    sources: BTreeSet<String>,
    /// The sinks, with the columns that their topics need.
    sinks: BTreeMap<String, SinkRows>,
}

/// What was found about one file.
pub struct Examined {
    /// The file.
    pub file: PathBuf,
    /// Its name without `.wasm`: the id that it would have.
    pub name: String,
    /// The `.toml` file beside it, when there is one.
    pub sidecar_file: Option<PathBuf>,
    /// What is in it, when it could be loaded.
    pub loaded: Option<Loaded>,
    /// What the deployment says, when the file beside it could be read.
    pub sidecar: Option<Sidecar>,
    /// What the deployment decides about a rule, when it can be resolved.
    pub deployed: Option<Deployed>,
    /// The functions of libraries that it calls, each once.
    pub calls: Vec<CalledFunction>,
    /// Whether it would run.
    pub verdict: Verdict,
}

/// What would become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would run.
    Loads,
    /// It would wait until a library is there, for this reason.
    Waits(String),
    /// It would be refused, for this reason.
    Refused(String),
}

/// Where a rule would listen and send, and with which settings.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// The topic filters.
    pub topics: Vec<String>,
    /// The source; `None`: every source.
    pub source: Option<String>,
    /// The sinks.
    pub sinks: Vec<String>,
    /// The settings in force.
    pub settings: BTreeMap<String, Literal>,
}

/// A function of a library that a rule calls.
#[derive(Clone, Debug)]
pub struct CalledFunction {
    /// Its name.
    pub function: String,
    /// The library that the rule names, or the one that has the function.
    pub library: Option<String>,
    /// The file that it was found in.
    pub file: Option<PathBuf>,
    /// Its parameters and the type of its result, when it was found.
    pub signature: Option<(Vec<Parameter>, Type)>,
}

struct Provider {
    file: PathBuf,
    loaded: Arc<LoadedLibrary>,
}

/// A file that was read, and what came of loading it.
struct Taken {
    examined: Examined,
    candidate: Option<Candidate>,
}

impl Examiner {
    /// For guests of this deployment. Without a message nothing becomes a dead letter.
    pub fn for_deployment(config: &Config, engine: GuestEngine, dead_letters: DeadLetters) -> Self {
        let mut examiner = Self::for_any_deployment(config, engine, dead_letters);
        let listener = config.listener.as_ref().map(|_| LISTENER.to_owned());
        let sources = config.sources.keys().cloned().chain(listener).collect();
        examiner.known = Some(Known {
            sources,
            sinks: sink_rows(config),
        });
        examiner
    }

    /// The same, but the sources and sinks that guests name are taken to be there.
    pub fn for_any_deployment(config: &Config, engine: GuestEngine, dead_letters: DeadLetters) -> Self {
        Examiner {
            bench: Workbench::new(&engine, dead_letters, LISTENER, config.limits),
            engine,
            rules: config.rules.clone(),
            defaults: GuestDefaults::from(config),
            known: None,
            libraries: BTreeMap::new(),
        }
    }

    /// Takes the libraries of files that are only there to be called.
    ///
    /// # Errors
    /// The first of the files that has no library, and why.
    pub fn offer(&mut self, files: &[PathBuf]) -> Result<(), String> {
        for file in files {
            let taken = self.take(file);
            let named = |reason: &str| format!("{}: {reason}", file.display());
            if let Verdict::Refused(reason) | Verdict::Waits(reason) = &taken.examined.verdict {
                return Err(named(reason));
            }
            let candidate = taken.candidate.filter(|candidate| candidate.loaded.library.is_some());
            let candidate = candidate.ok_or_else(|| named("it exports no functions"))?;
            self.put_library(file, &candidate).map_err(|reason| named(&reason))?;
        }
        Ok(())
    }

    /// Says what would become of each of the files. Rules are resolved against the libraries among them, then against
    /// those offered, and then against what else lies in the folders of the files.
    pub fn examine(mut self, files: &[PathBuf]) -> Vec<Examined> {
        // What a query compiles to depends on the libraries that are there.
        let is_sql = |file: &PathBuf| {
            file.extension()
                .is_some_and(|extension| extension == "sql" || extension == "json")
        };
        let (queries, guests): (Vec<PathBuf>, Vec<PathBuf>) = files.iter().cloned().partition(is_sql);
        let mut all: Vec<Taken> = guests.iter().map(|file| self.take(file)).collect();
        for taken in &mut all {
            if let Some(candidate) = &taken.candidate
                && let Err(reason) = self.put_library(&taken.examined.file, candidate)
            {
                taken.refuse(reason);
            }
        }
        if !queries.is_empty() {
            self.take_libraries_beside(files);
        }
        all.extend(queries.iter().map(|file| self.take(file)));
        all.sort_by_key(|taken| files.iter().position(|file| *file == taken.examined.file));
        all.iter_mut().for_each(|taken| self.put_rule(taken));
        if all.iter().any(Taken::waits) {
            self.take_libraries_beside(files);
            all.iter_mut()
                .filter(|taken| taken.waits())
                .for_each(|taken| self.put_rule(taken));
        }
        for taken in all.iter_mut().filter(|taken| taken.waits()) {
            self.provide(taken.candidate.as_ref());
            self.put_rule(taken);
        }
        let finish = |taken: Taken| Examined {
            calls: self.calls(taken.candidate.as_ref()),
            ..taken.examined
        };
        all.into_iter().map(finish).collect()
    }

    /// Reads and loads a file.
    fn take(&self, file: &Path) -> Taken {
        let mut taken = Taken::new(file);
        let Some((name, form)) = file.file_name().and_then(|name| name.to_str()).and_then(guest_name) else {
            taken.refuse(
                "rulemill passes it over: a guest is a file NAME.wasm, NAME.sql or NAME.json whose name has no leading dot"
                    .to_owned(),
            );
            return taken;
        };
        name.clone_into(&mut taken.examined.name);
        let found = match Found::read(folder_of(file), name, form, self.defaults.limits.file_bytes_max) {
            Ok(found) => found,
            Err(error) => {
                taken.refuse(format!("the file cannot be read: {error}"));
                return taken;
            }
        };
        taken.examined.sidecar_file = found.sidecar.as_ref().map(|_| file.with_extension("toml"));
        let found = match form {
            Form::Wasm => found,
            Form::Sql | Form::Json => match self.compile(file, found) {
                Ok(Some(found)) => found,
                Ok(None) => return taken,
                Err(reason) => {
                    taken.refuse(reason);
                    return taken;
                }
            },
        };
        let sidecar = resolve::read_sidecar(name, found.sidecar.as_deref(), &self.defaults, &self.names());
        let loaded = sidecar.and_then(|sidecar| {
            taken.examined.sidecar = Some(sidecar.clone());
            Candidate::load(&self.engine, found, sidecar).map_err(|error| error.to_string())
        });
        match loaded {
            Ok(candidate) => {
                taken.examined.loaded = Some(candidate.loaded.clone());
                taken.candidate = Some(candidate);
            }
            Err(reason) => taken.refuse(reason),
        }
        taken
    }

    /// What a file of SQL compiles to, with the streams of the others in its folder; nothing when it only defines streams.
    fn compile(&self, file: &Path, found: Found) -> Result<Option<Found>, String> {
        let name = found.name.clone();
        let mut queries = Queries::default();
        let mut beside = files_of(folder_of(file), Form::Sql);
        beside.retain(|other| other.file_name() != file.file_name());
        for other in beside {
            if let Some((name, form)) = other.file_name().and_then(|name| name.to_str()).and_then(guest_name)
                && let Ok(other) = Found::read(folder_of(file), name, form, self.defaults.limits.file_bytes_max)
            {
                queries.put(other);
            }
        }
        queries.put(found);
        let libraries = self
            .libraries
            .values()
            .map(|provider| provider.loaded.description.clone());
        let outcomes = queries.compile(with_built_in(libraries.collect()));
        match outcomes.into_iter().find(|(other, _)| *other == name) {
            Some((_, Outcome::Rule(found))) => Ok(Some(found)),
            Some((_, Outcome::Refused(reason))) => Err(reason),
            Some((_, Outcome::Definitions)) | None => Ok(None),
        }
    }

    /// Puts the library of a file on the mill, if it has one.
    fn put_library(&mut self, file: &Path, candidate: &Candidate) -> Result<(), String> {
        let Some(library) = candidate.library() else {
            return Ok(());
        };
        let name = &library.loaded.description.name;
        if let Some(other) = self.libraries.get(name) {
            return Err(format!(
                "the library {name} is already there, from {}; two libraries need two names",
                other.file.display()
            ));
        }
        let provider = Provider {
            file: file.to_owned(),
            loaded: Arc::clone(&library.loaded),
        };
        self.libraries.insert(name.clone(), provider);
        self.bench.put_limited_library(library);
        Ok(())
    }

    /// Puts the libraries of the program on the mill that a rule calls, where no file has them.
    fn provide(&mut self, candidate: Option<&Candidate>) {
        let Some(rule) = candidate.and_then(|candidate| candidate.loaded.rule.as_ref()) else {
            return;
        };
        for (library, function) in rule.calls() {
            let has = |provider: &Provider| provider.loaded.has_function(function);
            let is_there = match library {
                Some(library) => self.libraries.contains_key(library),
                None => self.libraries.values().any(has),
            };
            let Some(built_in) = BuiltIn::called(library, function).filter(|_| !is_there) else {
                continue;
            };
            let place = built_in.place();
            let found = Found::new(place.clone(), built_in.wasm.to_vec(), None);
            let sidecar = Sidecar::absent(&self.defaults);
            if let Ok(candidate) = Candidate::load(&self.engine, found, sidecar) {
                // A name that is taken belongs to a file, which comes first.
                let _taken = self.put_library(Path::new(&place), &candidate);
            }
        }
    }

    /// Puts the rule of a file on the mill, if it has one.
    fn put_rule(&mut self, taken: &mut Taken) {
        let Some(candidate) = taken.candidate.as_ref() else {
            return;
        };
        let Some(loaded) = candidate.loaded.rule.clone() else {
            return;
        };
        if matches!(taken.examined.verdict, Verdict::Refused(_)) {
            return;
        }
        let resolved = match resolve::resolve(&loaded.plan, &candidate.sidecar, &self.names()) {
            Ok(resolved) => resolved,
            Err(reason) => return taken.refuse(reason),
        };
        taken.examined.deployed = Some(Deployed {
            topics: resolved.stream.filters.iter().map(ToString::to_string).collect(),
            source: resolved.stream.source.as_deref().map(ToOwned::to_owned),
            sinks: resolved.sinks.clone(),
            settings: resolved.settings.clone(),
        });
        let name = &taken.examined.name;
        let spec = candidate.spec(name, loaded, resolved, Vec::new(), self.bench.metrics(name));
        taken.examined.verdict = match self.bench.put(spec) {
            Ok(()) => Verdict::Loads,
            Err(Refusal::Waiting(reason)) => Verdict::Waits(reason),
            Err(Refusal::Refused(reason)) => Verdict::Refused(reason),
        };
    }

    /// Takes every library that lies in the folders of the files, but those whose name is taken. A file that would be
    /// refused is no help there either.
    fn take_libraries_beside(&mut self, files: &[PathBuf]) {
        let folders: BTreeSet<&Path> = files.iter().map(|file| folder_of(file)).collect();
        for folder in folders {
            let mut beside = files_of(folder, Form::Wasm);
            beside.retain(|path| !files.contains(path));
            for file in beside {
                if let Some(candidate) = self.take(&file).candidate {
                    // A name that is taken belongs to a file that was asked for.
                    let _taken = self.put_library(&file, &candidate);
                }
            }
        }
    }

    /// The functions of libraries that a rule calls.
    fn calls(&self, candidate: Option<&Candidate>) -> Vec<CalledFunction> {
        let rule = candidate.and_then(|candidate| candidate.loaded.rule.as_ref());
        let calls: BTreeSet<(Option<&str>, &str)> = rule.iter().flat_map(|rule| rule.calls()).collect();
        let of_libraries = calls
            .into_iter()
            .filter(|(library, function)| library.is_some() || !BUILT_IN_AGGREGATES.contains(function));
        of_libraries
            .map(|(library, function)| {
                let mut providers = self
                    .libraries
                    .iter()
                    .filter(|(name, _)| library.is_none_or(|library| library == *name))
                    .filter(|(_, provider)| provider.loaded.has_function(function));
                let provider = providers.next();
                CalledFunction {
                    function: function.to_owned(),
                    library: library
                        .map(ToOwned::to_owned)
                        .or(provider.map(|(name, _)| name.clone())),
                    file: provider.map(|(_, provider)| provider.file.clone()),
                    signature: provider.and_then(|(_, provider)| signature(&provider.loaded, function)),
                }
            })
            .collect()
    }

    fn names(&self) -> Names<'_> {
        let known = self.known.as_ref();
        Names {
            rules: &self.rules,
            sources: known.map(|known| &known.sources),
            sinks: known.map(|known| &known.sinks),
        }
    }
}

impl Taken {
    fn new(file: &Path) -> Self {
        Taken {
            examined: Examined {
                file: file.to_owned(),
                name: file.file_stem().unwrap_or_default().display().to_string(),
                sidecar_file: None,
                loaded: None,
                sidecar: None,
                deployed: None,
                calls: Vec::new(),
                verdict: Verdict::Loads,
            },
            candidate: None,
        }
    }

    fn refuse(&mut self, reason: String) {
        self.examined.verdict = Verdict::Refused(super::entry::shortened(reason));
    }

    fn waits(&self) -> bool {
        matches!(self.examined.verdict, Verdict::Waits(_))
    }
}

/// The folder of a file; that of a bare name is the current one.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

fn signature(library: &LoadedLibrary, function: &str) -> Option<(Vec<Parameter>, Type)> {
    let description = &library.description;
    let scalars = description.scalars.iter();
    let scalars = scalars.map(|scalar| (&scalar.name, &scalar.parameters, scalar.returns));
    let aggregates = description.aggregates.iter();
    let aggregates = aggregates.map(|aggregate| (&aggregate.name, &aggregate.parameters, aggregate.returns));
    let mut all = scalars.chain(aggregates);
    let (_, parameters, returns) = all.find(|(name, _, _)| *name == function)?;
    Some((parameters.clone(), returns))
}

/// The files of one form in a folder, sorted.
fn files_of(folder: &Path, form: Form) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths
        .filter(|path| {
            let guest = path.file_name().and_then(|name| name.to_str()).and_then(guest_name);
            guest.is_some_and(|(_, found)| found == form)
        })
        .collect();
    files.sort();
    files
}
