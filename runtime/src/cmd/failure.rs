//! What a command failed with, and the exit code that says so.

use crate::config::Problems;
use std::fmt;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong; starting again will not help. Exit code 78.
    Config(Problems),
    /// Anything else. Exit code 1.
    Other(anyhow::Error),
}

impl Failure {
    /// The exit code; 78 is `EX_CONFIG`, which service managers can be told not to start again on.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Config(_) => ExitCode::from(78),
            Failure::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Config(problems) => {
                let plural = if problems.len() == 1 { "problem" } else { "problems" };
                write!(f, "{} {plural} with the configuration\n{problems}", problems.len())
            }
            Failure::Other(error) => f.write_str(&told(error)),
        }
    }
}

/// The error and its causes, each once: many say themselves what caused them.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Failure::Config(problems)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Other(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Other(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[derive(Debug, thiserror::Error)]
    #[error("data.dir: {0}")]
    struct Outer(#[from] std::io::Error);

    #[test]
    fn what_an_error_says_of_its_cause_is_not_said_twice() {
        let cause = || std::io::Error::other("the disk is gone");
        let failed = Err::<(), _>(Outer(cause())).context("cannot start").unwrap_err();
        assert_eq!(
            Failure::Other(failed).to_string(),
            "cannot start: data.dir: the disk is gone"
        );
        let failed = Err::<(), _>(cause()).context("cannot start").unwrap_err();
        assert_eq!(Failure::Other(failed).to_string(), "cannot start: the disk is gone");
    }
}
