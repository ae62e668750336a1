//! TLS for client connections: the files are read and checked, all problems are named, and what comes out is ready to
//! connect with. Sources and sinks share it.
//!
//! It never connects. The keys taken are RSA, P-256 and P-384 (and Ed25519) in PKCS#1, SEC1 or PKCS#8.

mod identity;
mod pem;
mod problem;

pub use problem::{TlsFile, TlsProblem};

use crate::config::TlsFiles;
use pem::certificates;
use rulemill_core::Micros;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// What a connection is for; it decides what is negotiated with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPurpose {
    /// MQTT. On port 443 a protocol is asked for, as AWS IoT Core needs there: `x-amzn-mqtt-ca` with a client
    /// certificate, and `mqtt` without one (custom authentication, with a user name).
    Mqtt {
        /// The server's port.
        port: u16,
    },
    /// HTTP.
    Http,
}

/// What went wrong in a handshake, with what to check where that is known.
pub(crate) fn advised(text: String) -> String {
    if text.contains("UnknownIssuer") {
        return text + ": check `ca`, which must hold the authority of the server's certificate";
    }
    text
}

/// Reads and checks the files, with `now` as the time for certificates to be valid at.
///
/// # Errors
/// Everything that is wrong with them.
pub fn client_config(files: &TlsFiles, purpose: TlsPurpose, now: Micros) -> Result<Arc<ClientConfig>, Vec<TlsProblem>> {
    let mut problems = Vec::new();
    let roots = match &files.ca {
        Some(path) => roots_of(path, now, &mut problems),
        None => system_roots(&mut problems),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (cert, key) = (files.cert.as_deref(), files.key.as_deref());
    let identity = identity::load(cert, key, &provider, now, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut config = start(provider).with_root_certificates(roots).with_no_client_auth();
    if purpose == (TlsPurpose::Mqtt { port: 443 }) {
        let protocol: &[u8] = if identity.is_some() { b"x-amzn-mqtt-ca" } else { b"mqtt" };
        config.alpn_protocols = vec![protocol.to_vec()];
    }
    if let Some(identity) = identity {
        config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(identity));
    }
    Ok(Arc::new(config))
}

/// Makes ring the cryptography of whatever in this process asks for none in particular. A second call changes nothing.
pub fn install_default_provider() {
    // The only error is that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A configuration for connections that never use TLS: it trusts no server.
pub(crate) fn trusting_nobody() -> ClientConfig {
    start(Arc::new(rustls::crypto::ring::default_provider()))
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

fn start(provider: Arc<CryptoProvider>) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for TLS 1.2 and 1.3")
}

fn roots_of(path: &Path, now: Micros, problems: &mut Vec<TlsProblem>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let list = match certificates(TlsFile::Ca, path) {
        Ok(list) => list,
        Err(problem) => {
            problems.push(problem);
            return roots;
        }
    };
    // A bundle may hold an old authority beside a new one; it is of no use only when none of them is valid.
    if let Some(problem) = none_valid(&list, path, now) {
        problems.push(problem);
    }
    for certificate in list {
        if let Err(error) = roots.add(certificate) {
            let message = format!("has a certificate in {} that cannot be used: {error}", path.display());
            problems.push(TlsProblem::new(TlsFile::Ca, message));
        }
    }
    roots
}

fn none_valid(list: &[CertificateDer<'_>], path: &Path, now: Micros) -> Option<TlsProblem> {
    let mut problems = list
        .iter()
        .map(|certificate| identity::check_validity(TlsFile::Ca, certificate, path, now).err());
    let first = problems.next()??;
    problems.all(|problem| problem.is_some()).then_some(first)
}

fn system_roots(problems: &mut Vec<TlsProblem>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let message = "must be set: this machine has no store of trusted authorities".to_owned();
        problems.push(TlsProblem::new(TlsFile::Ca, message));
    }
    roots
}

#[cfg(test)]
pub(crate) mod pki;
#[cfg(test)]
mod tests;
