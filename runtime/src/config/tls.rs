//! The TLS files of a connection: read and checked when the configuration is, so that a bad one is refused at start.

use super::types::{TlsConfig, TlsFiles};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// What is wrong with one file: the key that names it, and what to say after the key.
pub(super) struct FileProblem {
    pub(super) key: &'static str,
    pub(super) message: String,
}

/// Reads the files and makes the client's side of TLS. `mqtt_port` is the broker's; `None` for HTTP.
pub(super) fn load_tls(files: &TlsFiles, mqtt_port: Option<u16>) -> Result<TlsConfig, Vec<FileProblem>> {
    let mut problems = Vec::new();
    let roots = keep(roots(files.ca.as_deref()), &mut problems);
    let identity = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let chain = keep(certificates("cert", cert), &mut problems);
            let key = keep(private_key(key), &mut problems);
            chain.zip(key).map(Some)
        }
        _ => Some(None),
    };
    let (Some(roots), Some(identity)) = (roots, identity) else {
        return Err(problems);
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| vec![problem("server", format!("cannot use TLS: {error}"))])?
        .with_root_certificates(roots);
    let mut client = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| vec![problem("key", format!("does not fit the certificate of cert: {error}"))])?,
    };
    if mqtt_port == Some(443) {
        client.alpn_protocols = vec![b"x-amzn-mqtt-ca".to_vec()];
    }
    Ok(TlsConfig {
        client: Arc::new(client),
        files: files.clone(),
    })
}

fn keep<T>(result: Result<T, FileProblem>, problems: &mut Vec<FileProblem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, FileProblem> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates("ca", path)? {
                roots
                    .add(certificate)
                    .map_err(|error| problem("ca", format!("has a bad certificate in {}: {error}", path.display())))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let message = "must be set: this machine has no store of trusted authorities";
                return Err(problem("ca", message.to_owned()));
            }
        }
    }
    Ok(roots)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    let bytes = read(key, path)?;
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match list {
        Ok(list) if list.is_empty() => {
            let message = format!("must be a PEM file with a certificate; {} has none", path.display());
            Err(problem(key, message))
        }
        Ok(list) => Ok(list),
        Err(error) => {
            let message = format!("must be a PEM file; {} is not: {error}", path.display());
            Err(problem(key, message))
        }
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileProblem> {
    let bytes = read("key", path)?;
    refuse_open_to_others(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let message = format!(
            "must be a PEM file with a private key; {} is not: {error}",
            path.display()
        );
        problem("key", message)
    })
}

#[cfg(unix)]
fn refuse_open_to_others(path: &Path) -> Result<(), FileProblem> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!(
        "must be readable by its owner only; {} has mode {mode:04o} (chmod 600 mends it)",
        path.display()
    );
    Err(problem("key", message))
}

#[cfg(not(unix))]
fn refuse_open_to_others(_path: &Path) -> Result<(), FileProblem> {
    Ok(())
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, FileProblem> {
    std::fs::read(path).map_err(|error| problem(key, format!("cannot be read: {}: {error}", path.display())))
}

fn problem(key: &'static str, message: String) -> FileProblem {
    FileProblem { key, message }
}
