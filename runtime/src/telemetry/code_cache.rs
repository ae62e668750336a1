//! The code cache: what the compiler made of guests, kept on disk.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics of the code cache. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct CodeCacheMetrics {
    /// Guests whose code was there.
    pub hits: Counter,
    /// Guests that had to be compiled.
    pub misses: Counter,
    /// Entries that were there and not used, because they are damaged or not ours alone.
    pub rejected: Counter,
    /// Entries that went to make room.
    pub evicted: Counter,
    /// Code that could not be kept.
    pub write_errors: Counter,
    /// The size of all entries.
    pub bytes: Gauge,
}

impl CodeCacheMetrics {
    /// Registers the metrics under `rulemill_code_cache_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let cache = registry.sub_registry_with_prefix("code_cache");
        let help = "Guests whose compiled code was on disk";
        cache.register("hits", help, metrics.hits.clone());
        let help = "Guests that had to be compiled";
        cache.register("misses", help, metrics.misses.clone());
        let help = "Entries that were passed over, because they are damaged or somebody else may write them";
        cache.register("rejected", help, metrics.rejected.clone());
        let help = "Entries that went to make room for others";
        cache.register("evicted", help, metrics.evicted.clone());
        let help = "Code that could not be kept, as when the disk is full or it is larger than the whole cache";
        cache.register("write_errors", help, metrics.write_errors.clone());
        let help = "Bytes of all entries on disk";
        cache.register("bytes", help, metrics.bytes.clone());
        metrics
    }
}
