//! A client's certificate and its key: whether they are a pair, and whether the certificate is valid now.

use super::pem::{certificates, private_key};
use super::{TlsFile, TlsProblem};
use rulemill_core::Micros;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Reads and checks both files; nothing after a problem. One without the other is a problem, and is checked all the same.
pub(super) fn load(
    cert: Option<&Path>,
    key: Option<&Path>,
    provider: &CryptoProvider,
    now: Micros,
    problems: &mut Vec<TlsProblem>,
) -> Option<CertifiedKey> {
    let before = problems.len();
    problems.extend(missing_half(cert, key));
    let chain = cert.and_then(|cert| {
        certificates(TlsFile::Cert, cert)
            .map_err(|problem| problems.push(problem))
            .ok()
    });
    let der = key.and_then(|key| private_key(key).map_err(|more| problems.extend(more)).ok());
    let (cert, key) = (cert?, key);
    if let Some(own) = chain.as_ref().and_then(|chain| chain.first())
        && let Err(problem) = check_validity(TlsFile::Cert, own, cert, now)
    {
        problems.push(problem);
    }
    let (key, chain, der) = (key?, chain?, der?);
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

fn missing_half(cert: Option<&Path>, key: Option<&Path>) -> Option<TlsProblem> {
    let (file, message) = match (cert, key) {
        (Some(cert), None) => (
            TlsFile::Cert,
            format!("needs key, the file with the private key of {}", cert.display()),
        ),
        (None, Some(key)) => (
            TlsFile::Key,
            format!("needs cert, the file with the certificate of {}", key.display()),
        ),
        (None, None) | (Some(_), Some(_)) => return None,
    };
    Some(TlsProblem::new(file, message))
}

fn pair(
    chain: Vec<CertificateDer<'static>>,
    der: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
    cert: &Path,
    key: &Path,
) -> Result<CertifiedKey, TlsProblem> {
    let is_p521 = holds(der.secret_der(), P521_CURVE);
    let signing = provider.key_provider.load_private_key(der).map_err(|error| {
        let what = if is_p521 {
            "a key on the curve P-521, which is not supported".to_owned()
        } else {
            format!("a key that cannot be used: {error}")
        };
        let message = format!(
            "{} has {what}; RSA of 2048 to 8192 bits, P-256, P-384 and Ed25519 can be used",
            key.display()
        );
        TlsProblem::new(TlsFile::Key, message)
    })?;
    let mut owners = chain.iter().map(|certificate| belongs(certificate, &*signing));
    if owners.next() == Some(true) {
        return Ok(CertifiedKey::new(chain, signing));
    }
    if owners.any(|belongs| belongs) {
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

/// Whether the certificate is of the key. rustls could compare them too, but not where the certificate is of version 1
/// of X.509, which servers may well take.
fn belongs(certificate: &CertificateDer<'_>, key: &dyn SigningKey) -> bool {
    let Some(public) = key.public_key() else {
        // A key that does not tell cannot be compared; the server will.
        return true;
    };
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.public_key().raw == public.as_ref())
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The object identifier 1.3.132.0.35 in DER, which names the curve in PKCS#8 and SEC1 alike.
const P521_CURVE: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];

fn date(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("second {seconds}"))
}
