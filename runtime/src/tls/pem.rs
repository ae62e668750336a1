//! PEM files: certificates and private keys out of them, or in words what they hold instead.

use super::{TlsFile, TlsProblem};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::path::Path;

/// The certificates in the file `path`; at least one.
pub(super) fn certificates(file: TlsFile, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let bytes = read(file, path)?;
    let wanted = "a certificate";
    match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
        Ok(list) if list.is_empty() => Err(holds_something_else(file, path, &bytes, wanted)),
        Ok(list) => Ok(list),
        Err(error) => Err(damaged(file, path, wanted, &error.to_string())),
    }
}

/// The private key in the file `path`, which only its owner may read.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Vec<TlsProblem>> {
    let bytes = read(TlsFile::Key, path).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    problems.extend(open_to_others(path));
    let wanted = "a private key";
    if is_encrypted(&bytes) {
        let path = path.display();
        let message = format!(
            "{path} is encrypted; rulemill cannot ask for a passphrase (openssl pkey -in {path} -out PLAIN writes it in \
             plain)"
        );
        problems.push(TlsProblem::new(TlsFile::Key, message));
        return Err(problems);
    }
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) if problems.is_empty() => return Ok(key),
        Ok(_) => {}
        Err(rustls::pki_types::pem::Error::NoItemsFound) => {
            problems.push(holds_something_else(TlsFile::Key, path, &bytes, wanted));
        }
        Err(error) => problems.push(damaged(TlsFile::Key, path, wanted, &error.to_string())),
    }
    Err(problems)
}

fn read(file: TlsFile, path: &Path) -> Result<Vec<u8>, TlsProblem> {
    let problem = |message| TlsProblem::new(file, message);
    let metadata = fs::metadata(path).map_err(|error| problem(unreadable(path, &error)))?;
    if metadata.len() > FILE_BYTES_MAX {
        let message = format!(
            "must be a PEM file of at most {FILE_BYTES_MAX} bytes, {} has {}",
            path.display(),
            metadata.len()
        );
        return Err(problem(message));
    }
    fs::read(path).map_err(|error| problem(unreadable(path, &error)))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("cannot be read: {}: {error}", path.display())
}

fn damaged(file: TlsFile, path: &Path, wanted: &str, error: &str) -> TlsProblem {
    let message = format!(
        "must be a PEM file with {wanted}, {} is damaged: {error}",
        path.display()
    );
    TlsProblem::new(file, message)
}

fn holds_something_else(file: TlsFile, path: &Path, bytes: &[u8], wanted: &str) -> TlsProblem {
    let found = if bytes.iter().all(u8::is_ascii_whitespace) {
        "is empty".to_owned()
    } else if bytes.starts_with(&[0x30]) {
        "looks like DER (openssl can convert it with -inform der)".to_owned()
    } else {
        match labels(bytes).first() {
            None => "has no \"-----BEGIN\" line".to_owned(),
            Some(label) => format!("holds {}", words_for(label)),
        }
    };
    let message = format!("must be a PEM file with {wanted}, {} {found}", path.display());
    TlsProblem::new(file, message)
}

fn words_for(label: &str) -> String {
    match label {
        "CERTIFICATE" => "a certificate".to_owned(),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "a certificate request, not a certificate".to_owned(),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => "a public key".to_owned(),
        other if other.ends_with("PRIVATE KEY") => "a private key".to_owned(),
        other => format!("{other:?}"),
    }
}

fn is_encrypted(bytes: &[u8]) -> bool {
    labels(bytes).contains(&"ENCRYPTED PRIVATE KEY".to_owned())
        || String::from_utf8_lossy(bytes)
            .lines()
            .any(|line| line.trim() == "Proc-Type: 4,ENCRYPTED")
}

/// What stands in the `-----BEGIN ...-----` lines.
fn labels(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .map(str::to_owned)
        .collect()
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<TlsProblem> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    let path = path.display();
    (mode & 0o077 != 0).then(|| {
        let message =
            format!("must be readable by its owner only; {path} has mode {mode:04o} (chmod 600 {path} mends it)");
        TlsProblem::new(TlsFile::Key, message)
    })
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> Option<TlsProblem> {
    None
}

/// The largest file that is read: bundles of all public authorities are a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;
