//! The TLS files of a connection: read and checked when the configuration is, so that a bad one is refused at start.

use super::types::{TlsConfig, TlsFiles};
use crate::clock;
use crate::tls::{self, TlsProblem, TlsPurpose};

/// Reads the files and makes the client's side of TLS. `mqtt_port` is the broker's; `None` for HTTP.
pub(super) fn load_tls(files: &TlsFiles, mqtt_port: Option<u16>) -> Result<TlsConfig, Vec<TlsProblem>> {
    let purpose = mqtt_port.map_or(TlsPurpose::Http, |port| TlsPurpose::Mqtt { port });
    Ok(TlsConfig {
        client: tls::client_config(files, purpose, clock::wall())?,
        files: files.clone(),
    })
}
