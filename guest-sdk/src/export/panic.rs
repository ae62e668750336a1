//! The text of a panic has no way out of a guest but a note; the trap that follows carries none.

use std::sync::Once;

/// Makes a panic send its text as a note before it traps. Called at the start of every export that an instance may see
/// first; only the first call does anything.
pub(crate) fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if cfg!(target_family = "wasm") {
            std::panic::set_hook(Box::new(|info| {
                crate::bindings::library::rulemill::guest::diagnostics::note(&info.to_string());
            }));
        }
    });
}
