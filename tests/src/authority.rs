//! Certificates: an authority, and the servers and clients it vouches for.

use crate::Sandbox;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::path::PathBuf;

/// A certificate authority made for one test. Its certificate is `ca.pem` in the sandbox.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The file of its certificate.
    pub ca: PathBuf,
}

/// A certificate and its key, as files in the sandbox.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub cert: PathBuf,
    /// The private key, PEM, readable by its owner only.
    pub key: PathBuf,
}

/// The key files that a user may bring. They are fixtures, since not every form can be made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// NIST P-256 as `BEGIN PRIVATE KEY`.
    P256Pkcs8,
    /// NIST P-256 as `BEGIN EC PRIVATE KEY`.
    P256Sec1,
    /// NIST P-384 as `BEGIN PRIVATE KEY`.
    P384Pkcs8,
    /// NIST P-384 as `BEGIN EC PRIVATE KEY`.
    P384Sec1,
    /// RSA-2048 as `BEGIN PRIVATE KEY`.
    Rsa2048Pkcs8,
    /// RSA-2048 as `BEGIN RSA PRIVATE KEY`.
    Rsa2048Pkcs1,
}

impl Authority {
    /// A new authority that signs for this sandbox.
    pub fn new(sandbox: &Sandbox) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "rulemill test authority");
        let key = KeyPair::generate().expect("a P-256 key can be generated");
        let certificate = params.self_signed(&key).expect("the parameters are complete");
        let ca = sandbox.write("ca.pem", certificate.pem());
        Authority {
            issuer: Issuer::new(params, key),
            ca,
        }
    }

    /// A server on the loopback interface.
    pub fn server(&self, sandbox: &Sandbox) -> Identity {
        self.identity(sandbox, "server", &key(KeyFile::P256Pkcs8), YEARS)
    }

    /// A client with a key of its own.
    pub fn client(&self, sandbox: &Sandbox, name: &str) -> Identity {
        self.identity(sandbox, name, &key(KeyFile::P256Pkcs8), YEARS)
    }

    /// A client whose key file is of this form.
    pub fn client_with_key(&self, sandbox: &Sandbox, form: KeyFile) -> Identity {
        let identity = self.identity(sandbox, form.name(), &key(form.as_pkcs8()), YEARS);
        sandbox.write_private(&format!("{}.key", form.name()), form.pem());
        identity
    }

    /// A client whose certificate ran out long ago.
    pub fn expired_client(&self, sandbox: &Sandbox, name: &str) -> Identity {
        self.identity(sandbox, name, &key(KeyFile::P256Pkcs8), (2001, 2002))
    }

    fn identity(&self, sandbox: &Sandbox, name: &str, key: &KeyPair, (from, until): (i32, i32)) -> Identity {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("both names are valid");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params
            .signed_by(key, &self.issuer)
            .expect("the parameters are complete");
        Identity {
            cert: sandbox.write(&format!("{name}.pem"), certificate.pem()),
            key: sandbox.write_private(&format!("{name}.key"), key.serialize_pem()),
        }
    }
}

impl KeyFile {
    /// Every form.
    pub const ALL: [KeyFile; 6] = [
        KeyFile::P256Pkcs8,
        KeyFile::P256Sec1,
        KeyFile::P384Pkcs8,
        KeyFile::P384Sec1,
        KeyFile::Rsa2048Pkcs8,
        KeyFile::Rsa2048Pkcs1,
    ];

    /// The name, fit for a file or a topic.
    pub fn name(self) -> &'static str {
        match self {
            KeyFile::P256Pkcs8 => "p256-pkcs8",
            KeyFile::P256Sec1 => "p256-sec1",
            KeyFile::P384Pkcs8 => "p384-pkcs8",
            KeyFile::P384Sec1 => "p384-sec1",
            KeyFile::Rsa2048Pkcs8 => "rsa2048-pkcs8",
            KeyFile::Rsa2048Pkcs1 => "rsa2048-pkcs1",
        }
    }

    /// The key as PEM.
    pub fn pem(self) -> &'static str {
        match self {
            KeyFile::P256Pkcs8 => include_str!("../fixtures/keys/p256-pkcs8.pem"),
            KeyFile::P256Sec1 => include_str!("../fixtures/keys/p256-sec1.pem"),
            KeyFile::P384Pkcs8 => include_str!("../fixtures/keys/p384-pkcs8.pem"),
            KeyFile::P384Sec1 => include_str!("../fixtures/keys/p384-sec1.pem"),
            KeyFile::Rsa2048Pkcs8 => include_str!("../fixtures/keys/rsa2048-pkcs8.pem"),
            KeyFile::Rsa2048Pkcs1 => include_str!("../fixtures/keys/rsa2048-pkcs1.pem"),
        }
    }

    fn as_pkcs8(self) -> KeyFile {
        match self {
            KeyFile::P256Pkcs8 | KeyFile::P256Sec1 => KeyFile::P256Pkcs8,
            KeyFile::P384Pkcs8 | KeyFile::P384Sec1 => KeyFile::P384Pkcs8,
            KeyFile::Rsa2048Pkcs8 | KeyFile::Rsa2048Pkcs1 => KeyFile::Rsa2048Pkcs8,
        }
    }
}

fn key(form: KeyFile) -> KeyPair {
    KeyPair::from_pem(form.pem()).expect("the fixture is a PKCS#8 key")
}

/// The years of certificates that are not to run out.
const YEARS: (i32, i32) = (2020, 2200);
