//! The client's options for one connection.

use super::oversize::{Approach, read_bytes_max};
use crate::config::SourceConfig;
use rumqttc::{AsyncClient, EventLoop, MqttOptions, TlsConfiguration, Transport};
use std::time::Duration;

/// A new client for one connection. It is never used for a second one: an event loop carries state over that would
/// then acknowledge messages of the old connection, or lose requests.
pub(super) fn client(config: &SourceConfig, approach: Approach) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(&config.client_id, config.server.client_host(), config.server.port);
    let clean_session = match approach {
        Approach::Normal => config.clean_session,
        Approach::Purge => true,
    };
    options
        .set_keep_alive(config.keep_alive)
        .set_clean_session(clean_session)
        .set_manual_acks(true)
        // Nothing is published here; the ring only serves the packet ids of subscriptions.
        .set_inflight(1000)
        .set_max_packet_size(read_bytes_max(config.packet_bytes_max), REQUEST_BYTES_MAX);
    if let Some(credentials) = &config.credentials {
        options.set_credentials(&credentials.username, &credentials.password);
    }
    if let Some(tls) = &config.tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.client.clone())));
    }
    let (client, mut event_loop) = AsyncClient::new(options, REQUESTS_MAX);
    event_loop
        .network_options
        .set_connection_timeout(WRITE_TIMEOUT.as_secs());
    (client, event_loop)
}

/// Subscriptions that may wait in the client.
const REQUESTS_MAX: usize = 64;

/// The largest packet sent: a SUBSCRIBE of eight filters of 65,535 bytes.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// How long connecting, TLS and CONNACK together may take, and how long one write; whole seconds.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
