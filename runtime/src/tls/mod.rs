//! TLS for client connections: files checked with all problems named, and a configuration ready for use.

use rustls::{ClientConfig, RootCertStore};

/// A configuration for connections that never use TLS: it trusts no server.
pub(crate) fn trusting_nobody() -> ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}
