//! What guests do to their limits.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The metrics of all guests. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct GuestFamilies {
    limit_hits: Family<LimitLabels, Counter>,
    memory_peak: Family<GuestLabels, Gauge>,
    /// The limits that were ever met; they are words of the code, so there are few.
    limits: Arc<Mutex<Vec<&'static str>>>,
}

/// The metrics of one guest. A clone counts into the same, also over reloads.
#[derive(Clone, Debug)]
pub struct GuestMetrics {
    /// The most memory that an instance of it has had.
    pub memory_peak: Gauge,
    guest: Arc<str>,
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
        families
    }

    /// The metrics of a guest: of a rule by its id, of a library by its name.
    pub fn guest(&self, name: &Arc<str>) -> GuestMetrics {
        let labels = GuestLabels {
            guest: Arc::clone(name),
        };
        GuestMetrics {
            memory_peak: self.memory_peak.get_or_create_owned(&labels),
            guest: Arc::clone(name),
            families: self.clone(),
        }
    }

    /// Forgets a guest that is gone.
    pub fn remove(&self, name: &Arc<str>) {
        self.memory_peak.remove(&GuestLabels {
            guest: Arc::clone(name),
        });
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

    /// Says that an instance has had so much memory. Threads have instances of their own, so the largest counts.
    pub fn memory(&self, bytes: usize) {
        use std::sync::atomic::Ordering;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.memory_peak.inner().fetch_max(bytes, Ordering::Relaxed);
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
        families.remove(&gone);
        let text = telemetry.encode();
        assert!(!text.contains("\"gone\""), "{text}");
        for line in [
            "rulemill_guest_limit_hits_total{guest=\"stays\",limit=\"call_timeout\"} 3",
            "rulemill_guest_memory_peak_bytes{guest=\"stays\"} 500",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }
}
