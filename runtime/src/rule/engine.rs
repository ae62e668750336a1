//! The wasm engine that all guests share, and the clock that bounds their calls.
//!
//! Calls are bounded by epochs of one millisecond. The thread that counts them rests while no guest has been called for
//! a while, so that an idle gateway is not woken a thousand times a second.

use super::bindings::diagnostics;
use super::cache::CodeCache;
use super::instance::GuestState;
use crate::clock;
use crate::config::LimitsConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, Strategy};

/// The engine, its linker and its epoch clock. One for the process.
#[derive(Clone)]
pub struct GuestEngine {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    linker: Linker<GuestState>,
    ticker: Ticker,
    cache: Option<CodeCache>,
}

impl GuestEngine {
    /// Makes the engine and starts its epoch clock. Every guest is compiled when it is loaded.
    pub fn new() -> wasmtime::Result<Self> {
        Self::with(LimitsConfig::default().stack_bytes_max, None)
    }

    /// The same, with another bound of the stack, and perhaps a cache for what the compiler makes of guests.
    pub fn with(stack_bytes_max: usize, cache: Option<CodeCache>) -> wasmtime::Result<Self> {
        let engine = Engine::new(&configuration(stack_bytes_max))?;
        let mut linker = Linker::new(&engine);
        diagnostics::add_to_linker::<GuestState, HasSelf<GuestState>>(&mut linker, |state| state)?;
        super::bindings::columns::add_to_linker::<GuestState, HasSelf<GuestState>>(&mut linker, |state| state)?;
        let ticker = Ticker::start(engine.clone());
        Ok(GuestEngine {
            shared: Arc::new(Shared {
                engine,
                linker,
                ticker,
                cache,
            }),
        })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// The linker, which offers `diagnostics` and nothing else.
    pub fn linker(&self) -> &Linker<GuestState> {
        &self.shared.linker
    }

    /// The cache of compiled code, if there is one.
    pub(super) fn cache(&self) -> Option<&CodeCache> {
        self.shared.cache.as_ref()
    }

    /// Sees to it that epochs are counted while `call` runs.
    #[inline]
    pub fn during<R>(&self, call: impl FnOnce() -> R) -> R {
        let _running = self.shared.ticker.call_begins();
        call()
    }
}

fn configuration(stack_bytes_max: usize) -> Config {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift);
    config.wasm_component_model(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(stack_bytes_max);
    // A replay must give the same bytes, so no bit of a NaN may depend on the machine.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config
}

/// Counts epochs while guests are being called.
struct Ticker {
    state: Arc<TickerState>,
    handle: Option<JoinHandle<()>>,
    thread: Thread,
}

struct TickerState {
    /// Calls under way.
    calls: AtomicU64,
    resting: AtomicBool,
    stopping: AtomicBool,
}

impl Ticker {
    fn start(engine: Engine) -> Self {
        let state = Arc::new(TickerState {
            calls: AtomicU64::new(0),
            resting: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let handle = std::thread::Builder::new()
            .name("epochs".to_owned())
            .stack_size(64 << 10)
            .spawn(move || tick(&engine, &shared))
            .expect("a thread can be started when the process starts");
        let thread = handle.thread().clone();
        Ticker {
            state,
            handle: Some(handle),
            thread,
        }
    }

    #[inline]
    fn call_begins(&self) -> CallUnderWay<'_> {
        self.state.calls.fetch_add(1, Ordering::SeqCst);
        if self.state.resting.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        CallUnderWay(&self.state)
    }
}

struct CallUnderWay<'a>(&'a TickerState);

impl Drop for CallUnderWay<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(handle) = self.handle.take() {
            // A panic there has been printed; there is nothing else to do about it while dropping.
            drop(handle.join());
        }
    }
}

fn tick(engine: &Engine, state: &TickerState) {
    let mut quiet_ticks = 0;
    let mut last = clock::monotonic();
    while !state.stopping.load(Ordering::SeqCst) {
        std::thread::park_timeout(EPOCH);
        let now = clock::monotonic();
        // Waking early must not shorten anybody's time, waking late must not lengthen it.
        while now.duration_since(last) >= EPOCH {
            engine.increment_epoch();
            last += EPOCH;
        }
        let quiet = state.calls.load(Ordering::SeqCst) == 0;
        quiet_ticks = if quiet { quiet_ticks + 1 } else { 0 };
        if quiet_ticks > QUIET_TICKS_MAX {
            rest(state);
            last = clock::monotonic();
            quiet_ticks = 0;
        }
    }
}

/// Parks until a call begins. A call that begins in between sees `resting` or is seen here, so it is never left alone.
fn rest(state: &TickerState) {
    state.resting.store(true, Ordering::SeqCst);
    while state.calls.load(Ordering::SeqCst) == 0 && !state.stopping.load(Ordering::SeqCst) {
        std::thread::park();
    }
    state.resting.store(false, Ordering::SeqCst);
}

/// The length of an epoch: the resolution of call timeouts.
pub(crate) const EPOCH: Duration = Duration::from_millis(1);

/// Epochs without a call under way before the ticker rests; waking it costs a call some microseconds.
const QUIET_TICKS_MAX: u32 = 100;
