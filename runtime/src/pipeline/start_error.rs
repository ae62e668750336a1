//! Why a pipeline did not start.

use super::journal::recovery::RecoveryError;
use rulemill_journal::{DirectoryError, LockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the pipeline did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file of the data directory cannot be made or written.
    #[error("data.dir {0}: {1}")]
    Data(PathBuf, std::io::Error),
    /// The data directory cannot be opened.
    #[error("data.dir: {0}")]
    Directory(#[from] DirectoryError),
    /// The rules directory cannot be read.
    #[error(
        "rules.dir {0} cannot be read: {1}; without its rules every message would be taken in for nobody, so make the directory \
         (an empty one is fine) or set rules.dir"
    )]
    Rules(PathBuf, std::io::Error),
    /// Another process works in it.
    #[error("data.dir: {0}")]
    Lock(#[from] LockError),
    /// An address cannot be listened on.
    #[error("{0} cannot listen on {1}: {2}")]
    Listen(&'static str, SocketAddr, std::io::Error),
    /// The wasm engine does not run on this machine.
    #[error("the wasm engine cannot start: {0}")]
    Engine(String),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
    /// A sink cannot be started.
    #[error(transparent)]
    Sink(#[from] crate::sink::SinkError),
    /// What an earlier process has kept cannot be gone on with.
    #[error("data.dir: {0}")]
    Recovery(#[from] RecoveryError),
    /// What an earlier process has kept cannot be done again.
    #[error("data.dir: what the journal has could not be done again: {0}")]
    Replay(String),
    /// The mills ended while rules were loaded.
    #[error("the mill threads ended while rules were loaded")]
    Mills,
}

/// Whether the rules directory is there. Without it a start would drain the rules that ran before, and acknowledge what nobody
/// gets.
pub(super) fn check_rules_dir(dir: &Path) -> Result<(), StartError> {
    match std::fs::read_dir(dir) {
        Ok(_) => Ok(()),
        Err(error) => Err(StartError::Rules(dir.to_owned(), error)),
    }
}
