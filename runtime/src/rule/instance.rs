//! One running instance of a guest: its store, its limits, and what it noted.

use super::allowance::CallTime;
use super::bindings::{columns, diagnostics};
use super::convert::shorten;
use super::engine::{EPOCH, GuestEngine};
use super::meter::{GuestMeter, Limit};
use crate::config::LimitsConfig;
use rulemill_core::CallError;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{ResourceLimiter, Store, Trap};

/// What the host keeps for an instance.
pub struct GuestState {
    limits: LimitsConfig,
    occasion: Occasion,
    /// How long the calls from now on may take.
    time: CallTime,
    meter: Arc<GuestMeter>,
    memory_bytes: usize,
    table_elements: usize,
    /// The limit that the call under way met, when the engine does not know it.
    met: Option<Limit>,
    /// The last note of the call under way: the text of a panic has no other way out.
    note: Option<String>,
}

/// When a guest is called, which decides how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// On a mill thread, for messages.
    Work,
    /// When it is loaded, while the machine may be busy with compiling: a file would be refused for good.
    Load,
}

/// The store of one guest instance.
pub(super) type GuestStore = Store<GuestState>;

/// A store with one instance in it. After a trap it is worth nothing and must be dropped.
pub(super) struct Running {
    engine: GuestEngine,
    store: Store<GuestState>,
}

impl Running {
    /// A store with the given limits, and an instance of the guest in it.
    pub(super) fn start(
        engine: &GuestEngine,
        pre: &InstancePre<GuestState>,
        limits: &LimitsConfig,
        (occasion, time): (Occasion, CallTime),
        meter: &Arc<GuestMeter>,
    ) -> Result<(Self, Instance), CallError> {
        let mut store = Store::new(engine.engine(), GuestState::new(limits, (occasion, time), meter));
        store.limiter(|state| state);
        store.set_hostcall_fuel(limits.output_bytes_max);
        let mut running = Running {
            engine: engine.clone(),
            store,
        };
        let instance = running.call(|store| pre.instantiate(store))?;
        Ok((running, instance))
    }

    /// Says how long the calls from now on may take.
    pub(super) fn allow(&mut self, time: CallTime) {
        self.store.data_mut().time = time;
    }

    /// Runs `call` within the limits. An error is a trap: the instance is worth nothing after it.
    pub(super) fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Store<GuestState>) -> wasmtime::Result<R>,
    ) -> Result<R, CallError> {
        let epochs = self.store.data().epochs();
        self.store.set_epoch_deadline(epochs);
        let store = &mut self.store;
        let result = self.engine.during(|| call(store));
        let state = self.store.data_mut();
        let (met, note) = (state.met.take(), state.note.take());
        result.map_err(|error| {
            let met = met.or_else(|| limit_of(&error));
            let state = self.store.data();
            if let Some(limit) = met {
                state.meter.hit(limit, 1);
            }
            CallError::Trap(shorten(state.explain(&error, met, note)))
        })
    }

    /// The store, for what does not run guest code.
    pub(super) fn store(&mut self) -> &mut Store<GuestState> {
        &mut self.store
    }
}

impl Occasion {
    fn timeout(self, limits: &LimitsConfig) -> Duration {
        match self {
            Occasion::Work => limits.call_timeout,
            Occasion::Load => limits.call_timeout.saturating_mul(LOAD_PATIENCE),
        }
    }
}

impl GuestState {
    fn new(limits: &LimitsConfig, (occasion, time): (Occasion, CallTime), meter: &Arc<GuestMeter>) -> Self {
        GuestState {
            limits: *limits,
            occasion,
            time,
            meter: Arc::clone(meter),
            memory_bytes: 0,
            table_elements: 0,
            met: None,
            note: None,
        }
    }

    fn timeout(&self) -> Duration {
        self.time.of_call(self.occasion.timeout(&self.limits))
    }

    /// The epochs after which the call under way is stopped.
    fn epochs(&self) -> u64 {
        let epochs = self.timeout().as_millis().div_ceil(EPOCH.as_millis());
        let epochs = u64::try_from(epochs).unwrap_or(u64::MAX - 1);
        match self.time {
            // One more, as the current epoch has partly passed.
            CallTime::Full => epochs.saturating_add(1),
            // What is lost counts here. Within two epochs there is one at least.
            CallTime::Less { .. } => epochs.max(2),
        }
    }

    /// Says in words what stopped the guest; a panic's own text comes through its last note.
    fn explain(&self, error: &wasmtime::Error, met: Option<Limit>, note: Option<String>) -> String {
        let reason = match met {
            Some(Limit::CallTimeout) => return self.beyond(Limit::CallTimeout),
            Some(limit) => self.beyond(limit),
            None => match error.downcast_ref::<Trap>() {
                Some(Trap::UnreachableCodeReached) => match note {
                    Some(note) => return note,
                    None => "the guest gave up (unreachable)".to_owned(),
                },
                Some(trap) => trap.to_string(),
                None => error.root_cause().to_string(),
            },
        };
        match note {
            Some(note) => format!("{reason}: {note}"),
            None => reason,
        }
    }

    fn beyond(&self, limit: Limit) -> String {
        let limits = &self.limits;
        let what = match limit {
            Limit::CallTimeout => {
                let shown = match self.time {
                    CallTime::Full => humantime::format_duration(self.timeout()),
                    CallTime::Less { .. } => humantime::format_duration(whole_millis(self.timeout())),
                };
                match (self.occasion, self.time) {
                    (Occasion::Work, CallTime::Full) => format!("the call took longer than {shown}"),
                    (Occasion::Work, CallTime::Less { .. }) => {
                        format!("the call took longer than {shown}, its part of what a batch may take once more")
                    }
                    (Occasion::Load, _) => {
                        format!(
                            "the call took longer than {shown}, which is {LOAD_PATIENCE} times what it may take later"
                        )
                    }
                }
            }
            Limit::MemoryBytes => format!("the guest wanted more than {} bytes of memory", limits.memory_bytes_max),
            Limit::TableElements => format!(
                "the guest wanted more than {} table elements",
                limits.table_elements_max
            ),
            Limit::StackBytes => "the guest ran out of stack: its recursion is too deep".to_owned(),
            Limit::OutputBytes => format!("the call gave back more than {} bytes", limits.output_bytes_max),
            Limit::CoreInstances => format!("the guest has more than {} core instances", limits.core_instances_max),
            // No call stops at these.
            Limit::RowErrors | Limit::Notes | Limit::FileBytes => "the guest is too much".to_owned(),
        };
        format!("{what} (limits.{})", limit.name())
    }

    /// A growth beyond a limit is a trap: a guest that goes on without its memory computes something else.
    fn refuse<R>(&mut self, limit: Limit) -> wasmtime::Result<R> {
        self.met = Some(limit);
        Err(wasmtime::Error::msg(limit.name()))
    }
}

/// Memory and tables count for an instance as a whole, however many it divides them into.
impl ResourceLimiter for GuestState {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if all > self.limits.memory_bytes_max {
            return self.refuse(Limit::MemoryBytes);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory_bytes = all;
        self.meter.memory(all);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.table_elements.saturating_sub(current).saturating_add(desired);
        if all > self.limits.table_elements_max {
            return self.refuse(Limit::TableElements);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = all;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        self.limits.core_instances_max
    }

    fn tables(&self) -> usize {
        self.limits.core_instances_max
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

impl diagnostics::Host for GuestState {
    fn note(&mut self, message: String) {
        let message = shorten(message);
        self.meter.note(&message, self.limits.notes_per_second_max);
        self.note = Some(message);
    }
}

impl columns::Host for GuestState {}

/// The limit behind an error that the engine makes itself.
fn limit_of(error: &wasmtime::Error) -> Option<Limit> {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Some(Limit::CallTimeout),
        Some(Trap::StackOverflow) => Some(Limit::StackBytes),
        Some(_) => None,
        None => {
            // These have no type of their own.
            let text = error.root_cause().to_string();
            if text.contains("fuel allocated for hostcalls") {
                Some(Limit::OutputBytes)
            } else if text.starts_with("resource limit exceeded") {
                Some(Limit::CoreInstances)
            } else {
                None
            }
        }
    }
}

fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// How many times longer than [`LimitsConfig::call_timeout`] a call may take while the guest is loaded.
const LOAD_PATIENCE: u32 = 10;
/// The most memories of a guest: each reserves gigabytes of addresses, even if it is empty.
const MEMORIES_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::diagnostics::Host as _;
    use super::*;
    use crate::rule::meter::GuestName;

    #[test]
    fn a_huge_note_is_cut() {
        let meter = Arc::new(GuestMeter::default());
        let mut state = GuestState::new(&LimitsConfig::default(), (Occasion::Work, CallTime::Full), &meter);
        state.note("x".repeat(1 << 20));
        assert_eq!(meter.read(GuestName::Rule("a".into())).notes[0].len(), 1024);
        assert_eq!(state.note.unwrap().len(), 1024);
    }

    #[test]
    fn memories_and_tables_count_together() {
        let limits = LimitsConfig {
            memory_bytes_max: 100,
            table_elements_max: 10,
            ..LimitsConfig::default()
        };
        let meter = Arc::new(GuestMeter::default());
        let mut state = GuestState::new(&limits, (Occasion::Work, CallTime::Full), &meter);
        assert!(state.memory_growing(0, 60, None).unwrap());
        assert!(state.memory_growing(60, 70, None).unwrap());
        assert!(!state.memory_growing(70, 80, Some(75)).unwrap());
        assert!(state.memory_growing(0, 31, None).is_err(), "a second memory");
        assert_eq!(state.met, Some(Limit::MemoryBytes));
        assert_eq!(meter.memory_bytes_peak(), 70);
        assert!(state.table_growing(0, 6, None).unwrap());
        assert!(state.table_growing(0, 5, None).is_err(), "a second table");
    }
}
