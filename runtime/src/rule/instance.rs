//! One running instance of a guest: its store, its limits, and what it noted.

use super::bindings::{columns, diagnostics};
use super::convert::shorten;
use super::engine::{EPOCH, GuestEngine};
use crate::config::LimitsConfig;
use rulemill_core::CallError;
use std::time::Duration;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, Trap};

/// What the host keeps for an instance.
pub struct GuestState {
    limits: StoreLimits,
    notes: Vec<String>,
    notes_dropped: u64,
}

/// The store of one guest instance.
pub(super) type GuestStore = Store<GuestState>;

/// A store with one instance in it. After a trap it is worth nothing and must be dropped.
pub(super) struct Running {
    engine: GuestEngine,
    store: Store<GuestState>,
    call_timeout: Duration,
    memory_bytes_max: usize,
}

impl Running {
    /// A store with the given limits, and an instance of the guest in it.
    pub(super) fn start(
        engine: &GuestEngine,
        pre: &InstancePre<GuestState>,
        limits: &LimitsConfig,
    ) -> Result<(Self, Instance), CallError> {
        let store_limits = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes_max)
            .table_elements(TABLE_ELEMENTS_MAX)
            .instances(CORE_INSTANCES_MAX)
            .tables(CORE_INSTANCES_MAX)
            .memories(MEMORIES_MAX)
            .trap_on_grow_failure(true)
            .build();
        let state = GuestState {
            limits: store_limits,
            notes: Vec::new(),
            notes_dropped: 0,
        };
        let mut store = Store::new(engine.engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(RESULT_BYTES_MAX);
        let mut running = Running {
            engine: engine.clone(),
            store,
            call_timeout: limits.call_timeout,
            memory_bytes_max: limits.memory_bytes_max,
        };
        let instance = running.call(|store| pre.instantiate(store))?;
        Ok((running, instance))
    }

    /// Runs `call` within the limits. An error is a trap: the instance is worth nothing after it.
    pub(super) fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Store<GuestState>) -> wasmtime::Result<R>,
    ) -> Result<R, CallError> {
        let epochs = self.call_timeout.as_millis().div_ceil(EPOCH.as_millis());
        // One more, as the current epoch has partly passed.
        self.store
            .set_epoch_deadline(u64::try_from(epochs).unwrap_or(u64::MAX - 1).saturating_add(1));
        let store = &mut self.store;
        let result = self.engine.during(|| call(store));
        result.map_err(|error| CallError::Trap(shorten(self.explain(&error))))
    }

    /// The store, for what does not run guest code.
    pub(super) fn store(&mut self) -> &mut Store<GuestState> {
        &mut self.store
    }

    /// What the guest noted since the last time, and how many notes were dropped at the bound.
    pub(super) fn take_notes(&mut self) -> (Vec<String>, u64) {
        let state = self.store.data_mut();
        (
            std::mem::take(&mut state.notes),
            std::mem::take(&mut state.notes_dropped),
        )
    }

    /// Says in words what stopped the guest; a panic's own text comes through its last note.
    fn explain(&mut self, error: &wasmtime::Error) -> String {
        let note = self.store.data().notes.last().cloned();
        let reason = match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                return format!(
                    "the call took longer than {} ms (limits.call_timeout)",
                    self.call_timeout.as_millis()
                );
            }
            Some(Trap::StackOverflow) => "the guest ran out of stack: its recursion is too deep".to_owned(),
            Some(Trap::UnreachableCodeReached) => match note {
                Some(note) => return note,
                None => "the guest gave up (unreachable)".to_owned(),
            },
            Some(trap) => trap.to_string(),
            None => {
                let text = error.root_cause().to_string();
                if text.contains("growing memory") {
                    format!(
                        "the guest wanted more than {} bytes of memory (limits.memory_bytes_max)",
                        self.memory_bytes_max
                    )
                } else {
                    text
                }
            }
        };
        match note {
            Some(note) => format!("{reason}: {note}"),
            None => reason,
        }
    }
}

impl diagnostics::Host for GuestState {
    fn note(&mut self, message: String) {
        if self.notes.len() >= NOTES_MAX {
            self.notes_dropped += 1;
            return;
        }
        self.notes.push(shorten(message));
    }
}

impl columns::Host for GuestState {}

/// The most bytes that one call may hand back to the host, all strings and lists together; more is a trap.
const RESULT_BYTES_MAX: usize = 64 << 20;
/// The most elements of a table; a guest's function pointers.
const TABLE_ELEMENTS_MAX: usize = 20_000;
/// The most core instances and tables in a component; one is normal, `wit-component` adds a few small ones.
const CORE_INSTANCES_MAX: usize = 16;
/// The most memories in a component.
const MEMORIES_MAX: usize = 2;
/// Notes kept between two calls; further ones are counted and dropped.
const NOTES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::diagnostics::Host as _;
    use super::*;

    #[test]
    fn a_huge_note_is_cut_and_a_flood_of_notes_is_counted() {
        let mut state = GuestState {
            limits: StoreLimits::default(),
            notes: Vec::new(),
            notes_dropped: 0,
        };
        for _ in 0..NOTES_MAX + 3 {
            state.note("x".repeat(1 << 20));
        }
        assert_eq!((state.notes.len(), state.notes_dropped), (NOTES_MAX, 3));
        assert_eq!(state.notes[0].len(), 1024);
    }
}
