//! An authority, a server and clients for tests. The keys in `tests/keys` were made for these tests and open nothing.

use crate::config::TlsFiles;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SignatureAlgorithm,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use time::OffsetDateTime;

/// An authority that signs clients and the server `localhost`, with a folder for files.
pub(crate) struct Pki {
    pub(crate) folder: TempDir,
    pub(crate) authority: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A key in all the forms it may come in.
#[derive(Clone, Copy)]
pub(crate) struct TestKey {
    pkcs8: &'static str,
    traditional: &'static str,
    algorithm: &'static SignatureAlgorithm,
}

pub(crate) const RSA_2048: TestKey = TestKey {
    pkcs8: include_str!("tests/keys/rsa-2048.pkcs8.pem"),
    traditional: include_str!("tests/keys/rsa-2048.pkcs1.pem"),
    algorithm: &PKCS_RSA_SHA256,
};
pub(crate) const P256: TestKey = TestKey {
    pkcs8: include_str!("tests/keys/p256.pkcs8.pem"),
    traditional: include_str!("tests/keys/p256.sec1.pem"),
    algorithm: &PKCS_ECDSA_P256_SHA256,
};
pub(crate) const P384: TestKey = TestKey {
    pkcs8: include_str!("tests/keys/p384.pkcs8.pem"),
    traditional: include_str!("tests/keys/p384.sec1.pem"),
    algorithm: &PKCS_ECDSA_P384_SHA384,
};

impl TestKey {
    /// As PKCS#8, and as PKCS#1 or SEC1.
    pub(crate) fn forms(&self) -> [&'static str; 2] {
        [self.pkcs8, self.traditional]
    }

    fn pair(&self) -> KeyPair {
        KeyPair::from_pkcs8_pem_and_sign_algo(self.pkcs8, self.algorithm).unwrap()
    }
}

impl Pki {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        Pki {
            folder: tempfile::tempdir().unwrap(),
            authority,
            issuer: Issuer::new(params, key),
        }
    }

    /// The client certificate of `key`, valid between these days.
    pub(crate) fn client(&self, key: TestKey, days: std::ops::Range<OffsetDateTime>) -> String {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test client");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = days.start;
        params.not_after = days.end;
        params.signed_by(&key.pair(), &self.issuer).unwrap().pem()
    }

    /// Writes a file that anybody may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        self.write_mode(name, text, 0o644)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write_private(&self, name: &str, text: &str) -> PathBuf {
        self.write_mode(name, text, 0o600)
    }

    pub(crate) fn write_mode(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    /// Files of a client that the server of [`Pki::server`] takes.
    pub(crate) fn client_files(&self, key: TestKey, form: &str) -> TlsFiles {
        TlsFiles {
            ca: Some(self.write("ca.pem", &self.authority.pem())),
            cert: Some(self.write("cert.pem", &self.client(key, always()))),
            key: Some(self.write_private("key.pem", form)),
        }
    }

    /// A server called `localhost` that asks clients for a certificate.
    pub(crate) fn server(&self) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .build()
            .unwrap();
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap()
    }
}

/// A validity that does not end.
pub(crate) fn always() -> std::ops::Range<OffsetDateTime> {
    time::macros::datetime!(2000-01-01 0:00 UTC)..time::macros::datetime!(2999-01-01 0:00 UTC)
}
