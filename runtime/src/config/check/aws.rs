//! What AWS IoT Core allows, checked before it could refuse or disconnect us.

use super::{Checker, Section};
use crate::config::problems::Spot;
use crate::config::types::ServerAddress;

impl Checker {
    /// The server's scheme and port, and that the client says who it is.
    pub(super) fn check_aws_server(&mut self, section: &Section<'_>, server: &ServerAddress, identified: bool) {
        let spot = self.spot_in(section, "server");
        if !server.tls {
            self.problems
                .add(&spot, "must begin with ssl://: AWS IoT Core speaks only TLS");
        } else if server.port != 443 && server.port != 8883 {
            let message = format!(
                "must have port 8883 or 443: AWS IoT Core listens there, not on {}",
                server.port
            );
            self.problems.add(&spot, message);
        }
        if !identified {
            let message =
                "is missing: AWS IoT Core wants a client certificate (cert and key), or username and password";
            self.problems.add(&section.spot.missing("cert"), message);
        }
    }

    /// The length and depth of a topic, without a Basic Ingest prefix, which is exempt.
    pub(super) fn check_aws_topic(&mut self, spot: &Spot, topic: &str) -> Option<()> {
        let counted = without_basic_ingest(topic);
        let slashes = counted.matches('/').count();
        if counted.len() > TOPIC_BYTES_MAX {
            let message = format!(
                "must have at most {TOPIC_BYTES_MAX} bytes at AWS IoT Core, got {}",
                counted.len()
            );
            self.problems.add(spot, message);
            return None;
        }
        if slashes > TOPIC_SLASHES_MAX {
            let message = format!("must have at most {TOPIC_SLASHES_MAX} slashes at AWS IoT Core, got {slashes}");
            self.problems.add(spot, message);
            return None;
        }
        Some(())
    }

    fn spot_in(&self, section: &Section<'_>, key: &str) -> Spot {
        match section.table.get(key) {
            Some(node) => Spot {
                origin: node.origin.clone(),
                ..section.spot.missing(key)
            },
            None => section.spot.missing(key),
        }
    }
}

/// The largest payload of one publish, in bytes.
pub(super) const PAYLOAD_BYTES_MAX: u64 = 131_072;

/// The most publishes in flight: 100 there, less some for its own.
pub(super) const INFLIGHT_MAX: u64 = 90;

/// The longest client id.
pub(super) const CLIENT_ID_BYTES_MAX: usize = 128;

const TOPIC_BYTES_MAX: usize = 256;
const TOPIC_SLASHES_MAX: usize = 7;

/// The part of `$aws/rules/NAME/TOPIC` that counts.
fn without_basic_ingest(topic: &str) -> &str {
    let named = topic.strip_prefix("$aws/rules/").and_then(|rest| rest.split_once('/'));
    named.map_or(topic, |(_, counted)| counted)
}
