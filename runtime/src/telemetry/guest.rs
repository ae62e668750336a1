//! What guests do to their limits.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rulemill_core::Micros;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The metrics of all guests. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct GuestFamilies {
    limit_hits: Family<LimitLabels, Counter>,
    memory_peak: Family<GuestLabels, Gauge>,
    suspended: Family<GuestLabels, Gauge>,
    suspensions: Family<GuestLabels, Counter>,
    /// What is suspended now: by guest, in the order in which it began.
    suspended_now: Arc<Mutex<SuspendedNow>>,
    suspended_next: Arc<AtomicU64>,
    /// The limits that were ever met; they are words of the code, so there are few.
    limits: Arc<Mutex<Vec<&'static str>>>,
}

/// By guest, and by number.
type SuspendedNow = BTreeMap<(Arc<str>, u64), Suspended>;

/// The metrics of one guest. A clone counts into the same, also over reloads.
#[derive(Clone, Debug)]
pub struct GuestMetrics {
    /// The most memory that an instance of it has had.
    pub memory_peak: Gauge,
    suspended: Gauge,
    /// How often a function or a kernel of it was suspended.
    pub suspensions: Counter,
    guest: Arc<str>,
    families: GuestFamilies,
}

/// A function or a kernel that is not called at present, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspended {
    /// What is not called: `kernel 0`, `function split_value`.
    pub what: String,
    /// Since when.
    pub since: Micros,
    /// When it is tried again.
    pub until: Micros,
    /// Batches that failed.
    pub batches: u32,
    /// Why the last one failed.
    pub reason: String,
}

/// Shows a suspension as long as it is there.
#[derive(Debug)]
pub struct ShownSuspension {
    key: (Arc<str>, u64),
    gauge: Gauge,
    families: GuestFamilies,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GuestLabels {
    guest: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    guest: Arc<str>,
    limit: &'static str,
}

impl GuestFamilies {
    /// Registers the metrics under `rulemill_guest_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let families = Self::default();
        let guest = registry.sub_registry_with_prefix("guest");
        let help = "How often a guest met a limit, by the key of [limits]; by the rule's id or the library's name";
        guest.register("limit_hits", help, families.limit_hits.clone());
        let help = "The most memory that an instance of the guest has had since its file came";
        guest.register("memory_peak_bytes", help, families.memory_peak.clone());
        let help = "Functions or kernels of the guest that are suspended now, on all threads together";
        guest.register("suspended", help, families.suspended.clone());
        let help = "How often a function or a kernel of the guest was suspended";
        guest.register("suspensions", help, families.suspensions.clone());
        families
    }

    /// The metrics of a guest: of a rule by its id, of a library by its name.
    pub fn guest(&self, name: &Arc<str>) -> GuestMetrics {
        let labels = GuestLabels {
            guest: Arc::clone(name),
        };
        GuestMetrics {
            memory_peak: self.memory_peak.get_or_create_owned(&labels),
            suspended: self.suspended.get_or_create_owned(&labels),
            suspensions: self.suspensions.get_or_create_owned(&labels),
            guest: Arc::clone(name),
            families: self.clone(),
        }
    }

    /// Forgets a guest that is gone.
    pub fn remove(&self, name: &Arc<str>) {
        let labels = GuestLabels {
            guest: Arc::clone(name),
        };
        self.memory_peak.remove(&labels);
        self.suspended.remove(&labels);
        self.suspensions.remove(&labels);
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        for &limit in limits.iter() {
            let guest = Arc::clone(name);
            self.limit_hits.remove(&LimitLabels { guest, limit });
        }
    }
}

impl GuestMetrics {
    /// Counts that the guest met a limit so often. Limits are words of the code.
    pub fn limit_hits(&self, limit: &'static str, hits: u64) {
        let guest = Arc::clone(&self.guest);
        let labels = LimitLabels { guest, limit };
        self.families.limit_hits.get_or_create(&labels).inc_by(hits);
        let mut limits = self.families.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if !limits.contains(&limit) {
            limits.push(limit);
        }
    }

    /// Which limits the guest has met, and how often.
    pub fn limits_met(&self) -> BTreeMap<&'static str, u64> {
        let limits = self.families.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let met = limits.iter().filter_map(|&limit| {
            let guest = Arc::clone(&self.guest);
            let counter = self.families.limit_hits.get(&LimitLabels { guest, limit })?;
            Some((limit, counter.get()))
        });
        met.collect()
    }

    /// Counts a suspension, and shows it until what is given back is dropped.
    pub fn suspend(&self, suspended: Suspended) -> ShownSuspension {
        let number = self.families.suspended_next.fetch_add(1, Ordering::Relaxed);
        let key = (Arc::clone(&self.guest), number);
        self.families.suspended_now().insert(key.clone(), suspended);
        self.suspensions.inc();
        self.suspended.inc();
        ShownSuspension {
            key,
            gauge: self.suspended.clone(),
            families: self.families.clone(),
        }
    }

    /// What of it is suspended now.
    pub fn suspended(&self) -> Vec<Suspended> {
        let from = (Arc::clone(&self.guest), 0);
        let all = self.families.suspended_now();
        let own = all.range(from..).take_while(|((guest, _), _)| *guest == self.guest);
        own.map(|(_, suspended)| suspended.clone()).collect()
    }

    /// Says that an instance has had so much memory. Threads have instances of their own, so the largest counts.
    pub fn memory(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.memory_peak.inner().fetch_max(bytes, Ordering::Relaxed);
    }
}

impl GuestFamilies {
    fn suspended_now(&self) -> MutexGuard<'_, SuspendedNow> {
        self.suspended_now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ShownSuspension {
    /// It goes on.
    pub fn update(&self, suspended: Suspended) {
        self.families.suspended_now().insert(self.key.clone(), suspended);
    }
}

impl Drop for ShownSuspension {
    fn drop(&mut self) {
        self.families.suspended_now().remove(&self.key);
        self.gauge.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Telemetry;

    #[test]
    fn a_guest_counts_under_its_name_until_it_is_removed() {
        let mut telemetry = Telemetry::start();
        let families = GuestFamilies::register(&mut telemetry.registry);
        let (gone, stays) = (Arc::from("gone"), Arc::from("stays"));
        for name in [&gone, &stays] {
            let metrics = families.guest(name);
            metrics.limit_hits("call_timeout", 2);
            metrics.limit_hits("call_timeout", 1);
            metrics.memory(500);
            metrics.memory(300);
        }
        assert_eq!(
            families.guest(&stays).limits_met(),
            BTreeMap::from([("call_timeout", 3)])
        );
        let suspended = Suspended {
            what: "kernel 0".to_owned(),
            since: Micros(1),
            until: Micros(2),
            batches: 3,
            reason: "trapped".to_owned(),
        };
        let shown = families.guest(&stays).suspend(suspended.clone());
        drop(families.guest(&stays).suspend(suspended.clone()));
        assert_eq!(families.guest(&gone).suspended(), []);
        assert_eq!(families.guest(&stays).suspended(), std::slice::from_ref(&suspended));
        let later = Suspended {
            until: Micros(4),
            ..suspended
        };
        shown.update(later.clone());
        assert_eq!(families.guest(&stays).suspended(), [later]);
        families.remove(&gone);
        let text = telemetry.encode();
        assert!(!text.contains("\"gone\""), "{text}");
        for line in [
            "rulemill_guest_limit_hits_total{guest=\"stays\",limit=\"call_timeout\"} 3",
            "rulemill_guest_memory_peak_bytes{guest=\"stays\"} 500",
            "rulemill_guest_suspended{guest=\"stays\"} 1",
            "rulemill_guest_suspensions_total{guest=\"stays\"} 2",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }
}
