//! The guests of one mill thread: what the core calls when a plan says so.

mod calls;

use super::conduct::{Conduct, Suspension, Turn, Who};
use super::engine::GuestEngine;
use super::instance::Occasion;
use super::kernels::KernelsGuest;
use super::library::{Binding, LibraryGuest, LimitedLibrary};
use super::load::{LoadedLibrary, LoadedRule};
use super::meter::{GuestMeter, GuestName, GuestReading};
use super::stats::CallStats;
use crate::config::LimitsConfig;
use rulemill_core::{AccumulatorId, BindError, CallError, KernelsId, SiteId};
use rulemill_plan::{Literal, Type};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// All guests of one mill thread. Call sites outlive the version of the library that stands behind them.
pub struct MillGuests {
    engine: GuestEngine,
    /// How long it may take to start guests.
    occasion: Occasion,
    libraries: BTreeMap<String, LibraryGuest>,
    /// By id. A site stays when nobody uses it any more, as its account does; it is bound anew before it is used again.
    sites: Vec<Site>,
    accumulators: Vec<Site>,
    site_of: HashMap<(String, String, String), SiteId>,
    kernels: HashMap<KernelsId, Kernels>,
    kernels_next: u32,
    turn: Turn,
    /// Of versions that are gone and whose last doings nobody has read.
    departed: Vec<(GuestName, Arc<GuestMeter>)>,
}

/// A call that is suspended.
#[derive(Clone, Debug)]
pub struct SuspendedCall {
    /// The guest.
    pub guest: GuestName,
    /// The function of a library.
    pub function: Option<String>,
    /// How it is suspended.
    pub suspension: Suspension,
    who: Who,
}

impl SuspendedCall {
    /// Whether it is the same suspension, seen at another time.
    pub fn is(&self, other: &SuspendedCall) -> bool {
        self.who == other.who && self.suspension.operation == other.suspension.operation
    }
}

struct Site {
    library: String,
    binding: Binding,
    /// Whether a rule has it. What nobody uses holds up no new version of its library.
    used: bool,
    conduct: Conduct,
}

struct Kernels {
    guest: KernelsGuest,
    rule: Arc<str>,
    conduct: Conduct,
}

impl MillGuests {
    /// No guests yet.
    pub fn new(engine: GuestEngine) -> Self {
        MillGuests {
            engine,
            occasion: Occasion::Work,
            libraries: BTreeMap::new(),
            sites: Vec::new(),
            accumulators: Vec::new(),
            site_of: HashMap::new(),
            kernels: HashMap::new(),
            kernels_next: 0,
            turn: Turn::new(),
            departed: Vec::new(),
        }
    }

    /// Guests of their own with the same libraries, `other` in place of the one of its name, for a trial beside these. Nothing is
    /// suspended among them. Who gives them more than one batch calls [`MillGuests::end_batch`] after each.
    pub fn beside(&self, other: Option<&LimitedLibrary>) -> MillGuests {
        let mut guests = MillGuests::new(self.engine.clone());
        let libraries = self.libraries.values().map(LibraryGuest::library);
        for library in libraries.chain(other) {
            guests.put_library(library.clone());
        }
        guests
    }

    /// A batch has been processed, or some time has passed: what calls did is judged, and from now on every guest has all of
    /// its time again.
    pub fn end_batch(&mut self) {
        for who in std::mem::take(&mut self.turn.unsettled) {
            match who {
                Who::Site(position) => settle_site(&mut self.sites[position], &self.libraries, &self.turn),
                Who::Accumulator(position) => {
                    settle_site(&mut self.accumulators[position], &self.libraries, &self.turn);
                }
                Who::Kernels(id) => {
                    if let Some(Kernels { guest, conduct, .. }) = self.kernels.get_mut(&id) {
                        conduct.settle(&self.turn, &guest.limits().into());
                    }
                }
            }
        }
        self.turn.batch += 1;
    }

    /// The calls that are suspended.
    pub fn suspended(&self) -> Vec<SuspendedCall> {
        let sites = (0..).map(Who::Site).zip(&self.sites);
        let accumulators = (0..).map(Who::Accumulator).zip(&self.accumulators);
        let of_libraries = sites.chain(accumulators).flat_map(|(who, site)| {
            let suspensions = site.conduct.suspensions(&self.turn);
            suspensions.map(move |suspension| SuspendedCall {
                guest: GuestName::Library(site.library.as_str().into()),
                function: Some(site.binding.function.clone()),
                who,
                suspension,
            })
        });
        let of_rules = self.kernels.iter().flat_map(|(&id, kernels)| {
            let suspensions = kernels.conduct.suspensions(&self.turn);
            suspensions.map(move |suspension| SuspendedCall {
                guest: GuestName::Rule(Arc::clone(&kernels.rule)),
                function: None,
                who: Who::Kernels(id),
                suspension,
            })
        });
        of_libraries.chain(of_rules).collect()
    }

    /// The library of that name.
    pub fn library(&self, name: &str) -> Option<&LimitedLibrary> {
        self.libraries.get(name).map(LibraryGuest::library)
    }

    /// All libraries.
    pub fn libraries(&self) -> impl Iterator<Item = &LimitedLibrary> {
        self.libraries.values().map(LibraryGuest::library)
    }

    /// What the calls of all functions of a library have cost so far.
    pub fn library_stats(&self, name: &str) -> CallStats {
        let sites = self.sites.iter().chain(&self.accumulators);
        let mut total = CallStats::default();
        sites
            .filter(|site| site.library == name)
            .for_each(|site| total.add(&site.conduct.stats));
        total
    }

    /// What the calls of a version's kernels have cost so far.
    pub fn stats_of(&self, kernels: KernelsId) -> CallStats {
        self.kernels
            .get(&kernels)
            .map_or_else(CallStats::default, |kernels| kernels.conduct.stats)
    }

    /// From now on guests are put to work again after a stop, or not any more. Starting them may take as long as when they are
    /// loaded, for windows depend on it and the machine may be busy.
    pub fn restoring(&mut self, restoring: bool) {
        self.occasion = if restoring { Occasion::Load } else { Occasion::Work };
    }

    /// Whether `loaded` can stand behind every call site in use of the library that it would replace. The error names the
    /// function that would break.
    pub fn check_library(&self, library: &LimitedLibrary) -> Result<(), String> {
        let loaded = &library.loaded;
        let name = &loaded.description.name;
        let mut candidate = LibraryGuest::new(&self.engine, library.clone(), Occasion::Work);
        let before = self.libraries.get(name).map(LibraryGuest::loaded);
        for site in self.sites.iter().filter(|site| site.used && site.library == *name) {
            candidate.check(&site.binding)?;
            let function = site.binding.function.as_str();
            if before.is_some_and(|before| before.is_immutable(function)) && !loaded.is_immutable(function) {
                return Err(format!(
                    "{function} must stay immutable, because its results are remembered for rules"
                ));
            }
        }
        let accumulators = self.accumulators.iter();
        for site in accumulators.filter(|site| site.used && site.library == *name) {
            candidate.check(&site.binding)?;
            self.check_layout(loaded, site)?;
        }
        Ok(())
    }

    /// Adds a library, or puts another version behind its call sites. Gives the sites whose remembered results are void.
    pub fn put_library(&mut self, library: LimitedLibrary) -> Vec<SiteId> {
        let name = library.loaded.description.name.clone();
        let guest = LibraryGuest::new(&self.engine, library, self.occasion);
        if let Some(before) = self.libraries.insert(name.clone(), guest) {
            let guest = GuestName::Library(name.as_str().into());
            self.departed.push((guest, Arc::clone(before.meter())));
        }
        let sites = self.sites.iter_mut().chain(&mut self.accumulators);
        let of_library = sites.filter(|site| site.library == name);
        of_library.for_each(|site| site.conduct.forgive());
        self.sites_of(&name)
    }

    /// Takes a library away. Its call sites stay, and fail until a library of that name is back.
    pub fn remove_library(&mut self, name: &str) -> Vec<SiteId> {
        if let Some(before) = self.libraries.remove(name) {
            let guest = GuestName::Library(name.into());
            self.departed.push((guest, Arc::clone(before.meter())));
        }
        self.sites_of(name)
    }

    /// Whether a rule calls the library, be it only to finish its windows.
    pub fn has_users(&self, library: &str) -> bool {
        let mut sites = self.sites.iter().chain(&self.accumulators);
        sites.any(|site| site.used && site.library == library)
    }

    /// Says which call sites rules still have, those included that only finish their windows. The others hold up no new
    /// version of their library.
    pub fn retain_sites(&mut self, sites: &HashSet<SiteId>, accumulators: &HashSet<AccumulatorId>) {
        for (position, site) in self.sites.iter_mut().enumerate() {
            site.used = sites.contains(&SiteId(id_of(position)));
            site.forgive_unused();
        }
        for (position, site) in self.accumulators.iter_mut().enumerate() {
            site.used = accumulators.contains(&AccumulatorId(id_of(position)));
            site.forgive_unused();
        }
    }

    /// Prepares the kernels of a version of a rule; `settings` are complete and checked.
    pub fn put_kernels(
        &mut self,
        rule: &Arc<str>,
        loaded: Arc<LoadedRule>,
        settings: &BTreeMap<String, Literal>,
        limits: LimitsConfig,
    ) -> Result<KernelsId, CallError> {
        let settings = serde_json::to_string(settings).map_err(|error| CallError::Failure(error.to_string()))?;
        let mut guest = KernelsGuest::new(&self.engine, loaded, settings, limits, self.occasion);
        if let Err(error) = guest.check() {
            let name = GuestName::Rule(Arc::clone(rule));
            self.departed.push((name, Arc::clone(guest.meter())));
            return Err(error);
        }
        let id = KernelsId(self.kernels_next);
        self.kernels_next += 1;
        self.kernels.insert(
            id,
            Kernels {
                guest,
                rule: Arc::clone(rule),
                conduct: Conduct::default(),
            },
        );
        Ok(id)
    }

    /// Forgets all kernels but these: no window needs them any more.
    pub fn retain_kernels(&mut self, used: &HashSet<KernelsId>) {
        for (_, kernels) in self.kernels.extract_if(|id, _| !used.contains(id)) {
            let meter = Arc::clone(kernels.guest.meter());
            self.departed.push((GuestName::Rule(kernels.rule), meter));
        }
    }

    /// The accounts of functions of the loaded libraries: library, function, account.
    pub fn function_stats(&self) -> impl Iterator<Item = (&str, &str, &CallStats)> {
        let loaded = |site: &&Site| {
            let library = self.libraries.get(&site.library);
            library.is_some_and(|library| library.loaded().has_function(&site.binding.function))
        };
        let sites = self.sites.iter().chain(&self.accumulators).filter(loaded);
        sites.map(|site| {
            (
                site.library.as_str(),
                site.binding.function.as_str(),
                &site.conduct.stats,
            )
        })
    }

    /// The accounts of rules' kernels: rule, version of it, account.
    pub fn kernel_stats(&self) -> impl Iterator<Item = (&Arc<str>, KernelsId, &CallStats)> {
        self.kernels
            .iter()
            .map(|(id, kernels)| (&kernels.rule, *id, &kernels.conduct.stats))
    }

    /// What guests' limits tell since the last time, for all that have run.
    pub fn take_readings(&mut self) -> Vec<GuestReading> {
        let departed = std::mem::take(&mut self.departed)
            .into_iter()
            .map(|(guest, meter)| meter.read(guest));
        let libraries = self.libraries.iter();
        let libraries = libraries.map(|(name, guest)| guest.meter().read(GuestName::Library(name.as_str().into())));
        let kernels = self.kernels.values();
        let kernels = kernels.map(|kernels| kernels.guest.meter().read(GuestName::Rule(Arc::clone(&kernels.rule))));
        departed
            .chain(libraries)
            .chain(kernels)
            .filter(|reading| reading.memory_bytes_peak > 0 || !reading.hits.is_empty())
            .collect()
    }

    fn sites_of(&self, library: &str) -> Vec<SiteId> {
        self.sites
            .iter()
            .enumerate()
            .filter(|(_, site)| site.library == library)
            .map(|(position, _)| SiteId(id_of(position)))
            .collect()
    }

    /// States are kept over a replacement, so their layout must be the same.
    fn check_layout(&self, loaded: &LoadedLibrary, site: &Site) -> Result<(), String> {
        let fingerprint = |library: &LoadedLibrary| {
            library
                .description
                .aggregates
                .iter()
                .find(|aggregate| aggregate.name == site.binding.function)
                .map(|aggregate| (aggregate.fingerprint.clone(), aggregate.state_words))
        };
        let before = self
            .libraries
            .get(&site.library)
            .and_then(|guest| fingerprint(guest.loaded()));
        if before.is_none() || before == fingerprint(loaded) {
            return Ok(());
        }
        Err(format!(
            "the state of {} has another layout than the open windows hold; give the new one another name",
            site.binding.function
        ))
    }

    fn find<'a, F>(
        &'a self,
        library: Option<&str>,
        function: &str,
        what: &str,
        entry: impl Fn(&'a LoadedLibrary) -> Option<F>,
    ) -> Result<(String, F), BindError> {
        if let Some(name) = library {
            let guest = self.libraries.get(name).ok_or_else(|| {
                BindError::Missing(format!("the library {name}, which has {function}, is not loaded"))
            })?;
            return match entry(guest.loaded()) {
                Some(found) => Ok((name.to_owned(), found)),
                None => Err(BindError::Missing(format!(
                    "the library {name} has no {what} {function}"
                ))),
            };
        }
        let mut found: Vec<(String, F)> = self
            .libraries
            .iter()
            .filter_map(|(name, guest)| Some((name.clone(), entry(guest.loaded())?)))
            .collect();
        match found.len() {
            0 => Err(BindError::Missing(format!(
                "no loaded library has the {what} {function}"
            ))),
            1 => Ok(found.remove(0)),
            _ => {
                let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
                Err(BindError::Refused(format!(
                    "{function} is in more than one library ({}); the rule must name the library",
                    names.join(", ")
                )))
            }
        }
    }
}

impl Site {
    /// A site that is still to be bound.
    fn new(library: String, function: &str, arguments: String) -> Self {
        Site {
            library,
            binding: Binding {
                function: function.to_owned(),
                arguments,
                returns: Type::Int,
                state_words: 0,
            },
            used: false,
            conduct: Conduct::default(),
        }
    }

    /// Puts it into use. A library that came while nobody used it may return another type.
    fn bind(&mut self, returns: Type, state_words: usize) {
        self.binding.returns = returns;
        self.binding.state_words = state_words;
        self.used = true;
    }

    /// What nobody calls cannot do better, and is not held against its library for ever.
    fn forgive_unused(&mut self) {
        if !self.used {
            self.conduct.forgive();
        }
    }
}

fn settle_site(site: &mut Site, libraries: &BTreeMap<String, LibraryGuest>, turn: &Turn) {
    if let Some(guest) = libraries.get(&site.library) {
        site.conduct.settle(turn, &(&guest.library().limits).into());
    }
}

fn id_of(position: usize) -> u32 {
    u32::try_from(position).expect("call sites are far fewer than 2^32")
}
