//! What goes wrong with an outbox.

use crate::log::{LogError, OpenError, ReadError};
use thiserror::Error;

/// Why something was not pushed, committed or taken.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// The log does not do it.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An emission cannot be read now. Taking it again tries again.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why an outbox cannot be opened. Nothing was deleted.
#[derive(Debug, Error)]
pub enum OutboxOpenError {
    /// Its log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record cannot be read now.
    #[error(transparent)]
    Read(#[from] ReadError),
}
