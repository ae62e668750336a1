//! Rules and functions under `cargo test`.

/// Runs the examples of a function.
pub fn check_examples<F: crate::Function>() {
    let _ = F::describe();
}
