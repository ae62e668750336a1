//! From the bytes of a file to a guest that can be started.
//!
//! Loading never runs on a mill thread: compiling takes milliseconds. Nothing here trusts the file: its size is bounded,
//! its imports are checked before anything runs, and what it says about itself is checked before anybody believes it.

use super::allowance::CallTime;
use super::bindings::{functions, rule};
use super::contract::{CONTRACT_VERSION, DIAGNOSTICS, FUNCTIONS, Interfaces, RULE};
use super::convert::shorten;
use super::engine::GuestEngine;
use super::instance::{GuestState, Occasion, Running};
use super::meter::{GuestMeter, Limit};
use super::outline;
use super::self_test::{self, SelfTest, SelfTestError};
use super::type_information;
use crate::clock;
use crate::config::LimitsConfig;
use rulemill_core::CallError;
use rulemill_plan::{Library, Literal, Plan, Problem, Step, Volatility};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{Component, InstancePre};

/// A checked and compiled guest. It holds no state; instances are made from it.
#[derive(Clone)]
pub struct Loaded {
    /// The identity of the file's content.
    pub digest: ContentDigest,
    /// The size of the file, in bytes.
    pub file_bytes: usize,
    /// How long it took to have the code: to compile it, or to find it in the cache.
    pub compile_time: Duration,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// Its functions, when it is a library.
    pub library: Option<Arc<LoadedLibrary>>,
    /// Its plan and kernels, when it is a rule.
    pub rule: Option<Arc<LoadedRule>>,
    /// What its self-test found.
    pub tested: SelfTest,
}

/// The part of a guest that exports `functions`.
pub struct LoadedLibrary {
    /// What it says about itself.
    pub description: Library,
    /// The identity of the file's content.
    pub digest: ContentDigest,
    pub(super) pre: InstancePre<GuestState>,
    pub(super) indices: functions::GuestIndices,
}

/// The part of a guest that exports `rule`.
pub struct LoadedRule {
    /// What it says about itself.
    pub plan: Arc<Plan>,
    /// Its compiled code, only if it has kernels: most rules have none, and a megabyte each would be kept for nothing.
    pub(super) code: Option<RuleCode>,
}

/// What kernels are started from.
pub(super) struct RuleCode {
    pub(super) pre: InstancePre<GuestState>,
    pub(super) indices: rule::GuestIndices,
}

/// The SHA-256 of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentDigest([u8; 32]);

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is too large.
    #[error("the file has more bytes than limits.file_bytes_max allows ({max})")]
    TooLarge {
        /// The bound.
        max: u64,
    },
    /// It is not WebAssembly at all.
    #[error(
        "this is not a WebAssembly file: it must begin with the bytes 00 61 73 6d; build it with `cargo build --target wasm32-unknown-unknown`"
    )]
    NotWasm,
    /// There is more in it than a guest may have.
    #[error("it has {count} {what}, and a guest may have at most {max}")]
    TooMuch {
        /// More than so many of what.
        what: &'static str,
        /// As many as were counted.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// A core module that does not carry the contract's type information, or whose exports do not fit it.
    #[error("the module cannot be made a component: {0}; build it with the guest SDK")]
    NotAGuest(String),
    /// It was built for another contract.
    #[error(
        "it is built for {found} of the contract rulemill:guest, and this rulemill has version {CONTRACT_VERSION}; build it with the guest SDK of this rulemill"
    )]
    ContractVersion {
        /// The version, in words.
        found: String,
    },
    /// It imports what the host does not offer.
    #[error("it imports {0}; a guest may import only {DIAGNOSTICS}, build it for wasm32-unknown-unknown")]
    ForbiddenImport(String),
    /// The engine refuses it.
    #[error("it is not valid: {0}")]
    Invalid(String),
    /// It exports an interface of the contract that is none.
    #[error(
        "it exports {0}, which this rulemill does not know; of the contract a guest exports {FUNCTIONS}, {RULE}, or both"
    )]
    UnknownExport(String),
    /// It exports neither part of the contract.
    #[error("it exports neither {FUNCTIONS} nor {RULE} (it exports: {0})")]
    ExportsNothing(String),
    /// It could not say what it is.
    #[error("its describe failed: {error}")]
    Describe {
        /// What happened.
        error: CallError,
        /// The limit that it met.
        met: Option<Limit>,
    },
    /// What it says does not hold together.
    #[error("its description is wrong: {0}")]
    Description(String),
    /// Its examples do not hold, or it is not pure.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
}

/// Checks, compiles, describes and tests a guest; kernels with the defaults of their rule's settings. The limits are for
/// that and for the file; those that its calls run under are given when it is put to work, so that they can be changed
/// without loading it again.
pub fn load(engine: &GuestEngine, bytes: &[u8], limits: &LimitsConfig) -> Result<Loaded, LoadError> {
    load_with(engine, bytes, limits, &BTreeMap::new())
}

/// The same, with what the deployment sets of a rule's settings.
pub fn load_with(
    engine: &GuestEngine,
    bytes: &[u8],
    limits: &LimitsConfig,
    settings: &BTreeMap<String, Literal>,
) -> Result<Loaded, LoadError> {
    if bytes.len() as u64 > limits.file_bytes_max {
        return Err(LoadError::TooLarge {
            max: limits.file_bytes_max,
        });
    }
    let digest = ContentDigest::of(bytes);
    let started = clock::monotonic();
    let cached = engine.cache().and_then(|cache| cache.find(engine.engine(), &digest));
    let compiled = cached.is_none();
    let component = match cached {
        Some(component) => component,
        None => compile(engine, bytes)?,
    };
    let compile_time = clock::monotonic().duration_since(started);
    let interfaces = Interfaces::of(engine, &component)?;
    let pre = engine
        .linker()
        .instantiate_pre(&component)
        .map_err(|error| LoadError::Invalid(root(&error)))?;

    let meter: Arc<GuestMeter> = Arc::default();
    let library = match interfaces.functions {
        true => Some(Arc::new(load_library(engine, &pre, limits, &meter, digest)?)),
        false => None,
    };
    let rule = match interfaces.rule {
        true => Some(Arc::new(load_rule(engine, &pre, limits, &meter)?)),
        false => None,
    };
    let mut tested = SelfTest {
        memory_bytes_peak: meter.memory_bytes_peak(),
        ..SelfTest::default()
    };
    if let Some(library) = &library {
        tested.add(self_test::library(engine, library, limits)?);
    }
    if let Some(rule) = &rule {
        tested.add(self_test::rule(engine, rule, limits, settings)?);
    }
    // Only now: code that is refused all the same would push out that of good guests.
    if let Some(cache) = engine.cache().filter(|_| compiled) {
        cache.keep(engine.engine(), &digest, &component);
    }
    Ok(Loaded {
        digest,
        file_bytes: bytes.len(),
        compile_time,
        imports: interfaces.imports,
        library,
        rule,
        tested,
    })
}

impl LoadError {
    /// The limit that the guest met, if that is the reason.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            LoadError::TooLarge { .. } => Some(Limit::FileBytes),
            LoadError::Describe { met, .. } => *met,
            LoadError::NotWasm
            | LoadError::TooMuch { .. }
            | LoadError::NotAGuest(_)
            | LoadError::ContractVersion { .. }
            | LoadError::ForbiddenImport(_)
            | LoadError::UnknownExport(_)
            | LoadError::Invalid(_)
            | LoadError::ExportsNothing(_)
            | LoadError::Description(_)
            | LoadError::SelfTest(_) => None,
        }
    }
}

impl LoadedLibrary {
    /// The names of its functions and aggregates.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let scalars = self.description.scalars.iter().map(|scalar| scalar.name.as_str());
        let aggregates = self.description.aggregates.iter();
        scalars.chain(aggregates.map(|aggregate| aggregate.name.as_str()))
    }

    /// Whether it promises that its scalar function of that name gives the same for the same.
    pub fn is_immutable(&self, name: &str) -> bool {
        let scalar = self.description.scalars.iter().find(|scalar| scalar.name == name);
        scalar.is_some_and(|scalar| scalar.volatility == Volatility::Immutable)
    }

    /// Whether it has a function or an aggregate of that name.
    pub fn has_function(&self, name: &str) -> bool {
        self.functions().any(|function| function == name)
    }
}

impl LoadedRule {
    /// A rule that nobody loaded.
    #[cfg(test)]
    pub(crate) fn without_kernels(plan: Plan) -> Self {
        LoadedRule {
            plan: Arc::new(plan),
            code: None,
        }
    }

    /// Whether the plan runs kernels. A rule without them needs no instance.
    pub fn has_kernels(&self) -> bool {
        self.code.is_some()
    }

    /// The functions of libraries that the plan calls: the library when it is named, and the function. Built-in
    /// aggregates are among them.
    pub fn calls(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let steps = self.plan.before.iter().chain(&self.plan.after);
        let scalars = steps.filter_map(|step| match step {
            Step::Call(call) => Some((call.library.as_deref(), call.function.as_str())),
            Step::Kernel(_) | Step::Remember(_) => None,
        });
        let aggregates = self.plan.aggregates.iter();
        scalars.chain(aggregates.map(|aggregate| (aggregate.library.as_deref(), aggregate.function.as_str())))
    }
}

impl ContentDigest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        ContentDigest(Sha256::digest(bytes).into())
    }

    /// The digest of this text, as it is displayed; `None`: it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes().as_chunks::<2>();
        let mut bytes = [0; 32];
        if digits.0.len() != bytes.len() || !digits.1.is_empty() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(digits.0) {
            let digits = std::str::from_utf8(digits)
                .ok()
                .filter(|digits| !digits.starts_with('+'))?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(ContentDigest(bytes))
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn compile(engine: &GuestEngine, bytes: &[u8]) -> Result<Component, LoadError> {
    let component = as_component(bytes)?;
    Component::new(engine.engine(), component).map_err(|error| LoadError::Invalid(root(&error)))
}

/// A component as it is; a core module wrapped by what its own type information says.
fn as_component(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, LoadError> {
    let is_component = wasmparser::Parser::is_component(bytes);
    if !is_component && !wasmparser::Parser::is_core_wasm(bytes) {
        return Err(LoadError::NotWasm);
    }
    outline::check(bytes)?;
    if is_component {
        return Ok(bytes.into());
    }
    wasmparser::Validator::new()
        .validate_all(bytes)
        .map_err(|error| LoadError::Invalid(shorten(error.to_string())))?;
    type_information::check(bytes)?;
    // The encoder believes the type information that a module carries, and may panic over one that is broken.
    let encoded = std::panic::catch_unwind(|| {
        wit_component::ComponentEncoder::default()
            .validate(false)
            .module(bytes)
            .and_then(|mut encoder| encoder.encode())
            .map_err(|error| error.root_cause().to_string())
    });
    match encoded {
        Ok(Ok(component)) => Ok(component.into()),
        Ok(Err(reason)) => Err(LoadError::NotAGuest(shorten(reason))),
        Err(_) => Err(LoadError::NotAGuest("its type information is broken".to_owned())),
    }
}

fn load_library(
    engine: &GuestEngine,
    pre: &InstancePre<GuestState>,
    limits: &LimitsConfig,
    meter: &Arc<GuestMeter>,
    digest: ContentDigest,
) -> Result<LoadedLibrary, LoadError> {
    let indices = functions::GuestIndices::new(pre).map_err(|error| LoadError::Invalid(root(&error)))?;
    let text = describe(engine, pre, limits, meter, |store, instance| {
        indices.load(&mut *store, instance)?.call_describe(store)
    })?;
    let description = Library::from_json(&text).map_err(|error| LoadError::Description(shorten(error.to_string())))?;
    check_description(&description.check())?;
    Ok(LoadedLibrary {
        description,
        digest,
        pre: pre.clone(),
        indices,
    })
}

fn load_rule(
    engine: &GuestEngine,
    pre: &InstancePre<GuestState>,
    limits: &LimitsConfig,
    meter: &Arc<GuestMeter>,
) -> Result<LoadedRule, LoadError> {
    let indices = rule::GuestIndices::new(pre).map_err(|error| LoadError::Invalid(root(&error)))?;
    let text = describe(engine, pre, limits, meter, |store, instance| {
        indices.load(&mut *store, instance)?.call_describe(store)
    })?;
    let plan = Plan::from_json(&text).map_err(|error| LoadError::Description(shorten(error.to_string())))?;
    check_description(&plan.check())?;
    let mut steps = plan.before.iter().chain(&plan.after);
    let has_kernels = steps.any(|step| matches!(step, Step::Kernel(_)));
    Ok(LoadedRule {
        plan: Arc::new(plan),
        code: has_kernels.then(|| RuleCode {
            pre: pre.clone(),
            indices,
        }),
    })
}

/// Names the first problems of a description.
fn check_description(problems: &[Problem]) -> Result<(), LoadError> {
    if problems.is_empty() {
        return Ok(());
    }
    let mut told: Vec<String> = problems.iter().take(PROBLEMS_MAX).map(ToString::to_string).collect();
    if let Some(more) = problems.len().checked_sub(PROBLEMS_MAX).filter(|more| *more > 0) {
        told.push(format!("and {more} more problems"));
    }
    Err(LoadError::Description(shorten(told.join("; "))))
}

/// Calls `describe` in an instance of its own, twice, as the first call must leave nothing behind.
fn describe(
    engine: &GuestEngine,
    pre: &InstancePre<GuestState>,
    limits: &LimitsConfig,
    meter: &Arc<GuestMeter>,
    call: impl Fn(&mut wasmtime::Store<GuestState>, &wasmtime::component::Instance) -> wasmtime::Result<String>,
) -> Result<String, LoadError> {
    let refuse = |error| LoadError::Describe {
        error,
        met: meter.met(),
    };
    let occasion = (Occasion::Load, CallTime::Full);
    let (mut running, instance) = Running::start(engine, pre, limits, occasion, meter).map_err(refuse)?;
    let mut describe = || running.call(|store| call(store, &instance));
    let (fresh, used) = (describe(), describe());
    let fresh = fresh.map_err(refuse)?;
    if fresh.len() > DESCRIPTION_BYTES_MAX {
        let message = format!("it has {} bytes, and may have {DESCRIPTION_BYTES_MAX}", fresh.len());
        return Err(LoadError::Description(message));
    }
    self_test::describe(&fresh, &used)?;
    Ok(fresh)
}

fn root(error: &wasmtime::Error) -> String {
    shorten(error.root_cause().to_string())
}

/// The largest description. What is read of it takes many times its size.
const DESCRIPTION_BYTES_MAX: usize = 2 << 20;
/// The most problems of a description that are told.
const PROBLEMS_MAX: usize = 8;
