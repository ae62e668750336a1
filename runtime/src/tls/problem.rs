//! What is wrong with a TLS file.

use std::fmt;

/// Which of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// The authorities.
    Ca,
    /// The client's certificate.
    Cert,
    /// Its private key.
    Key,
}

/// What is wrong with a file, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsProblem {
    /// The file.
    pub file: TlsFile,
    /// What to say after the name of its configuration key.
    pub message: String,
}

impl TlsFile {
    /// Its configuration key.
    pub fn key(self) -> &'static str {
        match self {
            TlsFile::Ca => "ca",
            TlsFile::Cert => "cert",
            TlsFile::Key => "key",
        }
    }
}

impl TlsProblem {
    pub(super) fn new(file: TlsFile, message: String) -> Self {
        TlsProblem { file, message }
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.file.key(), self.message)
    }
}

impl std::error::Error for TlsProblem {}
