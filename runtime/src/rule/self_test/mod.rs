//! The self-test of a guest when it is loaded: its examples hold, and it is pure.
//!
//! A guest that keeps something from call to call works until its instance is made anew, and then gives other results. So
//! everything here is asked twice: of a fresh instance, and of one that has been used for everything else. Both must
//! agree, and with the examples. A trap over invented input is no refusal; no guest need know what to do with it.

mod cell;
mod examples;
mod invent;
mod kernels;
mod types;

pub use kernels::{KernelOutcome, KernelTest};

use super::engine::GuestEngine;
use super::instance::Occasion;
use super::kernels::KernelsGuest;
use super::library::LimitedLibrary;
use super::load::{LoadedLibrary, LoadedRule};
use crate::clock;
use crate::config::LimitsConfig;
use rulemill_core::CallError;
use rulemill_plan::Literal;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a self-test found.
#[derive(Clone, Debug, Default)]
pub struct SelfTest {
    /// Examples of functions that hold.
    pub examples: usize,
    /// The rule's kernels, each at every place where the plan runs it.
    pub kernels: Vec<KernelTest>,
    /// The most memory that an instance had, in bytes.
    pub memory_bytes_peak: usize,
}

/// Why a guest does not pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestError {
    /// An example does not hold.
    #[error("an example of it does not hold: {call} must give {expected}, and gives {got}")]
    Example {
        /// The function with its arguments.
        call: String,
        /// What the example says.
        expected: String,
        /// What came out.
        got: String,
    },
    /// What a call gives depends on the calls before it.
    #[error(
        "it is not pure: {call} gives {fresh} in a fresh instance and {used} in a used one; what a call gives must depend on its arguments alone"
    )]
    NotPure {
        /// What was called.
        call: String,
        /// What it gave first.
        fresh: String,
        /// What it gave in an instance that had been used.
        used: String,
    },
    /// The rule does not start, or refuses its settings.
    #[error("prepare: {0}")]
    Prepare(CallError),
    /// It would go on for too long.
    #[error("its self-test takes longer than {} s, after {calls} calls; give it fewer or quicker examples", TIME_MAX.as_secs())]
    TooLong {
        /// The calls made until then.
        calls: u32,
    },
}

/// Compares what `describe` gave in a fresh instance with what the same instance gave next.
pub(super) fn describe(fresh: &str, used: &Result<String, CallError>) -> Result<(), SelfTestError> {
    let used = match used {
        Ok(used) if used == fresh => return Ok(()),
        Ok(used) => used.clone(),
        Err(error) => format!("no result ({error})"),
    };
    let same = fresh.bytes().zip(used.bytes()).take_while(|(one, other)| one == other);
    let start = same.count().saturating_sub(EXCERPT_BYTES / 2);
    let excerpt = |text: &str| {
        let start = text.floor_char_boundary(start);
        let end = text.floor_char_boundary(start + EXCERPT_BYTES);
        format!("{:?}", &text[start..end])
    };
    Err(SelfTestError::NotPure {
        call: "describe".to_owned(),
        fresh: excerpt(fresh),
        used: excerpt(&used),
    })
}

/// Runs the examples of a library.
pub(super) fn library(
    engine: &GuestEngine,
    loaded: &Arc<LoadedLibrary>,
    limits: &LimitsConfig,
) -> Result<SelfTest, SelfTestError> {
    let library = LimitedLibrary {
        loaded: Arc::clone(loaded),
        limits: *limits,
    };
    examples::check(engine, &library, &mut Time::start())
}

/// Runs the kernels of a rule, if it has any, over invented rows.
pub(super) fn rule(
    engine: &GuestEngine,
    loaded: &Arc<LoadedRule>,
    limits: &LimitsConfig,
    settings: &BTreeMap<String, Literal>,
) -> Result<SelfTest, SelfTestError> {
    let plan = &loaded.plan;
    let places = kernels::places(plan);
    if places.is_empty() {
        return Ok(SelfTest::default());
    }
    let settings = match kernels::settings(plan, settings) {
        Ok(settings) => settings,
        Err(reason) => return Ok(kernels::untested(&places, &reason)),
    };
    let start = || KernelsGuest::new(engine, Arc::clone(loaded), settings.clone(), *limits, Occasion::Load);
    kernels::check(start, &places, &mut Time::start())
}

impl SelfTest {
    /// Adds what another part of the same guest's test found.
    pub(super) fn add(&mut self, other: SelfTest) {
        self.examples += other.examples;
        self.kernels.extend(other.kernels);
        self.memory_bytes_peak = self.memory_bytes_peak.max(other.memory_bytes_peak);
    }
}

/// The time that a test may take: each call is bounded, their number is the guest's choice.
struct Time {
    until: Instant,
    calls: u32,
}

impl Time {
    fn start() -> Self {
        Time {
            until: clock::monotonic() + TIME_MAX,
            calls: 0,
        }
    }

    /// Books a call that is about to be made.
    fn call(&mut self) -> Result<(), SelfTestError> {
        if clock::monotonic() >= self.until {
            return Err(SelfTestError::TooLong { calls: self.calls });
        }
        self.calls += 1;
        Ok(())
    }
}

/// How much of a description is shown around the place where two differ.
const EXCERPT_BYTES: usize = 60;
/// The longest that a self-test takes, but for the call under way.
const TIME_MAX: Duration = Duration::from_secs(5);
