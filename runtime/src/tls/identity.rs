//! A client's certificate and its key: whether they are a pair, and whether the certificate is valid now.

use super::pem::{certificates, private_key};
use super::{TlsFile, TlsProblem};
use rulemill_core::Micros;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Reads and checks both files; nothing after a problem.
pub(super) fn load(
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
    now: Micros,
    problems: &mut Vec<TlsProblem>,
) -> Option<CertifiedKey> {
    let before = problems.len();
    let chain = certificates(TlsFile::Cert, cert)
        .map_err(|problem| problems.push(problem))
        .ok();
    let der = private_key(key).map_err(|more| problems.extend(more)).ok();
    if let Some(own) = chain.as_ref().and_then(|chain| chain.first())
        && let Err(problem) = check_validity(TlsFile::Cert, own, cert, now)
    {
        problems.push(problem);
    }
    let (chain, der) = (chain?, der?);
    if X509Certificate::from_der(chain.first()?).is_err() {
        return None;
    }
    let identity = pair(chain, der, provider, cert, key)
        .map_err(|problem| problems.push(problem))
        .ok()?;
    (problems.len() == before).then_some(identity)
}

/// Whether `certificate`, from the file `path`, is valid at `now`.
pub(super) fn check_validity(
    file: TlsFile,
    certificate: &CertificateDer<'_>,
    path: &Path,
    now: Micros,
) -> Result<(), TlsProblem> {
    let path = path.display();
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| {
        let message = format!("has a certificate in {path} that cannot be read: {error}");
        TlsProblem::new(file, message)
    })?;
    let seconds = now.0.div_euclid(1_000_000);
    let (from, to) = (
        parsed.validity().not_before.timestamp(),
        parsed.validity().not_after.timestamp(),
    );
    let message = if seconds < from {
        format!(
            "is not valid before {}, and this machine's clock says {}: {path}",
            date(from),
            date(seconds)
        )
    } else if seconds > to {
        format!(
            "has expired on {}, and this machine's clock says {}: {path}",
            date(to),
            date(seconds)
        )
    } else {
        return Ok(());
    };
    Err(TlsProblem::new(file, message))
}

fn pair(
    chain: Vec<CertificateDer<'static>>,
    der: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
    cert: &Path,
    key: &Path,
) -> Result<CertifiedKey, TlsProblem> {
    let signing = provider.key_provider.load_private_key(der).map_err(|error| {
        let message = format!(
            "{} has a key that cannot be used: {error}; RSA of 2048 to 8192 bits, P-256 and P-384 can",
            key.display()
        );
        TlsProblem::new(TlsFile::Key, message)
    })?;
    let own = CertifiedKey::new(chain.clone(), signing.clone());
    if own.keys_match().is_ok() {
        return Ok(own);
    }
    let later = chain.into_iter().skip(1).any(|certificate| {
        CertifiedKey::new(vec![certificate], signing.clone())
            .keys_match()
            .is_ok()
    });
    if later {
        let message = format!(
            "must start with the client's own certificate, {} starts with another one",
            cert.display()
        );
        return Err(TlsProblem::new(TlsFile::Cert, message));
    }
    let message = format!(
        "{} does not belong to the certificate {}",
        key.display(),
        cert.display()
    );
    Err(TlsProblem::new(TlsFile::Key, message))
}

fn date(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("second {seconds}"))
}
