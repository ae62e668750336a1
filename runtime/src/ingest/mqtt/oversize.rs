//! How to get past a packet that is larger than the configuration allows.
//!
//! Packets are read up to a fixed size, whatever the configuration says: ending the connection at each one over the
//! limit would lose the QoS 0 messages around it, and a broker would send a QoS 1 message again without end. A message
//! over the configured limit is refused once it is read: counted, kept as a rejected message, acknowledged, not
//! processed. A packet that would cost too much memory even for that is left behind with the whole session.

/// How the next connection is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Approach {
    /// Keep the session, if the configuration says so, and read from it.
    Normal,
    /// Connect with a clean session and disconnect, so that the broker forgets the old one and what it has queued.
    Purge,
}

/// The largest packet that is read, in bytes, with a limit of `packet_bytes_max` on what is processed.
pub(super) fn read_bytes_max(packet_bytes_max: usize) -> usize {
    packet_bytes_max.max(SKIP_BYTES_MAX)
}

/// The largest packet that is read only to be refused, in bytes.
const SKIP_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_processed_is_read() {
        assert_eq!(read_bytes_max(1000), SKIP_BYTES_MAX);
        assert_eq!(read_bytes_max(SKIP_BYTES_MAX + 1), SKIP_BYTES_MAX + 1);
    }
}
