//! The shipped guests, as `make rules` builds them.

use std::path::PathBuf;

/// The path of a built guest, such as `text.wasm`.
pub fn guest(name: &str) -> PathBuf {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../dist/rules")).join(name);
    assert!(path.is_file(), "{} is missing: run `make rules` first", path.display());
    path
}
