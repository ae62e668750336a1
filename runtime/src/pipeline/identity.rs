//! The identity of a version of a guest.

use crate::rule::ContentDigest;
use std::fmt;

/// The identity of a guest's files, by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    /// Of the `.wasm` file.
    pub(super) wasm: ContentDigest,
    /// Of the `.toml` file.
    pub(super) sidecar: Option<ContentDigest>,
}

/// The digests in hexadecimal digits: `WASM`, or `WASM.SIDECAR`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.wasm)?;
        match &self.sidecar {
            Some(sidecar) => write!(f, ".{sidecar}"),
            None => Ok(()),
        }
    }
}
