//! Any bytes as a file of the rules directory.

use crate::config::LimitsConfig;
use crate::rule::{GuestEngine, load};
use std::sync::OnceLock;
use std::time::Duration;

/// Loads the bytes as a guest: takes them apart, compiles, describes and tests them. What is refused is refused with a reason,
/// what is taken is a rule or a library.
///
/// # Panics
/// If that does not hold.
pub fn loader(data: &[u8]) {
    static ENGINE: OnceLock<GuestEngine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| GuestEngine::new().expect("the engine runs on this machine"));
    let limits = LimitsConfig {
        call_timeout: Duration::from_millis(20),
        ..LimitsConfig::default()
    };
    match load(engine, data, &limits) {
        Ok(loaded) => assert!(loaded.library.is_some() || loaded.rule.is_some()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
