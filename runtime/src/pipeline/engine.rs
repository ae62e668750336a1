//! The engine that guests run in, with its cache in the data directory.

use super::StartError;
use crate::config::Config;
use crate::rule::{CodeCache, GuestEngine};
use crate::telemetry::code_cache::CodeCacheMetrics;

/// Starts the engine. Without a cache it works all the same, only each guest is compiled at each start.
pub(super) fn start(config: &Config, metrics: &CodeCacheMetrics) -> Result<GuestEngine, StartError> {
    let engine = GuestEngine::with(config.limits.stack_bytes_max, cache(config, metrics));
    engine.map_err(|error| StartError::Engine(format!("{error:#}")))
}

fn cache(config: &Config, metrics: &CodeCacheMetrics) -> Option<CodeCache> {
    if config.cache_bytes_max == 0 {
        return None;
    }
    let path = config.data_dir.join("cache");
    match CodeCache::open(path.clone(), config.cache_bytes_max, metrics.clone()) {
        Ok(cache) => Some(cache),
        Err(error) => {
            let dir = path.display();
            tracing::warn!(%dir, %error, "compiled code is not kept; every guest is compiled at each start");
            None
        }
    }
}
