//! How to get past a packet that is larger than the configuration allows.
//!
//! The client ends the connection at such a packet, and a broker sends a QoS 1 message again on the next one: a loop
//! without end. So the next connection takes packets of that size, and the message is acknowledged without being
//! processed. A packet that would cost too much memory even for that is left behind with the whole session.

/// How the next connection is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Approach {
    /// Take packets of at most `limit_bytes`; those over the configured limit are acknowledged and counted only.
    Normal { limit_bytes: usize },
    /// Connect with a clean session and disconnect, so that the broker forgets what it has queued.
    Purge,
}

impl Approach {
    /// The first connection, and any after one that did not end with an oversize packet.
    pub(super) fn configured(packet_bytes_max: usize) -> Self {
        Approach::Normal {
            limit_bytes: packet_bytes_max,
        }
    }

    /// After a packet of `bytes` on a connection that did not take it.
    pub(super) fn after_oversize(bytes: usize) -> Self {
        if bytes <= SKIP_BYTES_MAX {
            Approach::Normal { limit_bytes: bytes }
        } else {
            Approach::Purge
        }
    }
}

/// The largest packet that is read only to be acknowledged, in bytes.
const SKIP_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_memory_allows() {
        assert_eq!(
            Approach::after_oversize(300_000),
            Approach::Normal { limit_bytes: 300_000 }
        );
        assert_eq!(Approach::after_oversize(SKIP_BYTES_MAX + 1), Approach::Purge);
    }
}
