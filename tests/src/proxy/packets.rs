//! MQTT packets in a stream of bytes: where each ends, and what the few that matter to a test say.
//!
//! It looks at fixed headers and packet ids; everything else passes as it is.

use std::io;

/// Cuts a stream of bytes, however it arrives, into packets.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    bytes: Vec<u8>,
    taken: usize,
}

impl Splitter {
    /// Takes further bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next packet that is complete. An error: these bytes are not MQTT, or a packet is larger than any test sends.
    pub(crate) fn next_packet(&mut self) -> io::Result<Option<&[u8]>> {
        let rest = &self.bytes[self.taken..];
        let Some((header, body)) = fixed_header(rest)? else {
            return Ok(None);
        };
        let len = header + body;
        if len > PACKET_BYTES_MAX {
            return Err(io::Error::other(format!("a packet of {len} bytes")));
        }
        if rest.len() < len {
            return Ok(None);
        }
        let start = self.taken;
        self.taken += len;
        Ok(Some(&self.bytes[start..start + len]))
    }
}

/// What a proxy or a client of the tests wants to know of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// PUBLISH of QoS 1.
    Publish {
        /// Its packet id.
        id: u16,
        /// What it carries.
        payload: &'a [u8],
    },
    /// PUBACK.
    Acknowledgement {
        /// The packet id of the PUBLISH.
        id: u16,
    },
    /// Anything else, and what is too short for what it says it is.
    Other,
}

impl<'a> Packet<'a> {
    /// Reads a whole packet.
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        Self::read_known(bytes).unwrap_or(Packet::Other)
    }

    fn read_known(bytes: &'a [u8]) -> Option<Self> {
        let (header, _) = fixed_header(bytes).ok()??;
        let body = bytes.get(header..)?;
        match bytes[0] {
            PUBACK => Some(Packet::Acknowledgement { id: number(body)? }),
            head if head & 0xf6 == PUBLISH_QOS_1 => {
                let after_topic = body.get(2 + usize::from(number(body)?)..)?;
                Some(Packet::Publish {
                    id: number(after_topic)?,
                    payload: after_topic.get(2..)?,
                })
            }
            _ => Some(Packet::Other),
        }
    }
}

/// The bytes of the fixed header and of what follows it; `None` while the header is not complete.
fn fixed_header(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let mut len = 0;
    for (position, byte) in bytes.iter().skip(1).enumerate() {
        if position == LENGTH_BYTES_MAX {
            return Err(io::Error::other("a packet's length has more than four bytes"));
        }
        len |= usize::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Ok(Some((position + 2, len)));
        }
    }
    Ok(None)
}

fn number(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.first_chunk()?))
}

const PUBACK: u8 = 0x40;
/// Without the bits for a repetition and for retained messages.
const PUBLISH_QOS_1: u8 = 0x32;
const LENGTH_BYTES_MAX: usize = 4;
const PACKET_BYTES_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet;

    fn split(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::default();
        let mut packets = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            while let Some(packet) = splitter.next_packet().unwrap() {
                packets.push(packet.to_vec());
            }
        }
        packets
    }

    #[test]
    fn packets_are_the_same_wherever_the_stream_is_cut() {
        let packets = [
            packet::connect("a"),
            packet::publish("t/1", &[7; 300], Some(9)),
            vec![0x40, 2, 0, 9],
            vec![0xd0, 0],
            packet::publish("t/1", b"", None),
        ];
        let stream = packets.concat();
        assert_eq!(split(&[&stream]), packets);
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            assert_eq!(split(&[first, second]), packets, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(split(&bytes), packets);
    }

    #[test]
    fn a_packet_that_is_not_complete_waits() {
        let mut splitter = Splitter::default();
        splitter.push(&[0x40, 2, 0]);
        assert_eq!(splitter.next_packet().unwrap(), None);
        splitter.push(&[5, 0x40]);
        assert_eq!(splitter.next_packet().unwrap(), Some([0x40, 2, 0, 5].as_slice()));
        assert_eq!(splitter.next_packet().unwrap(), None);
    }

    #[test]
    fn a_length_that_is_none_is_an_error() {
        for bytes in [&[0x30, 0xff, 0xff, 0xff, 0xff, 1][..], &[0x30, 0xff, 0xff, 0xff, 0x7f]] {
            let mut splitter = Splitter::default();
            splitter.push(bytes);
            assert!(splitter.next_packet().is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn publishes_and_acknowledgements_are_told_from_others() {
        let publish = packet::publish("t", b"body", Some(0x0102));
        let expected = Packet::Publish {
            id: 0x0102,
            payload: b"body",
        };
        assert_eq!(Packet::read(&publish), expected);
        let mut again = publish.clone();
        again[0] |= 0x09;
        assert_eq!(Packet::read(&again), expected, "a repetition, retained");
        assert_eq!(Packet::read(&[0x40, 2, 3, 4]), Packet::Acknowledgement { id: 0x0304 });
        let quality_0 = packet::publish("t", b"body", None);
        for other in [
            &quality_0[..],
            &[0x20, 2, 0, 0],
            &[0xd0, 0],
            &[0x40, 1, 3],
            &[0x32, 0],
            &[0x32, 3, 0, 9, b't'],
        ] {
            assert_eq!(Packet::read(other), Packet::Other, "{other:02x?}");
        }
    }
}
