//! TLS on both sides of a proxy. It ends there and begins anew, since nobody can lose a PUBACK that is encrypted.

use crate::mqtt::install_crypto;
use crate::{Authority, Identity};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How a proxy answers its clients and speaks to its broker, each showing a certificate to the other.
#[derive(Clone)]
pub(super) struct BothSides {
    pub(super) acceptor: TlsAcceptor,
    pub(super) connector: TlsConnector,
}

impl BothSides {
    /// To its clients the proxy is `server`, to the broker it is `client`; both sides must be this authority's.
    pub(super) fn new(authority: &Authority, server: &Identity, client: &Identity) -> Self {
        install_crypto();
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&authority.ca) {
            roots.add(certificate).expect("the authority's certificate is valid");
        }
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder(Arc::clone(&roots))
            .build()
            .expect("the authority is a root");
        let accepting = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates(&server.cert), key(&server.key))
            .expect("the server's key is that of its certificate");
        let connecting = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&client.cert), key(&client.key))
            .expect("the client's key is that of its certificate");
        BothSides {
            acceptor: TlsAcceptor::from(Arc::new(accepting)),
            connector: TlsConnector::from(Arc::new(connecting)),
        }
    }

    /// The name by which the broker is called.
    pub(super) fn broker_name() -> ServerName<'static> {
        ServerName::try_from("localhost").expect("it is a name")
    }
}

fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    let certificates = CertificateDer::pem_file_iter(path).expect("the sandbox can be read");
    certificates.map(|one| one.expect("it is PEM")).collect()
}

fn key(path: &Path) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path).expect("the sandbox has the key as PEM")
}
