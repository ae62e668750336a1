//! From a device's bytes to checked packets.
//!
//! The codec does the parsing; what it lets pass although MQTT 3.1.1 does not is refused here: flags of the fixed
//! header, packets that only servers send, payloads where there must be none, and other protocol versions, whose
//! CONNECT it would misread. Every number that a device sends has been checked when a packet comes out of here.

use crate::telemetry::listener::CloseReason;
use crate::topic::{TopicNameError, check_topic_name};
use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{self, PacketType};
use rumqttc::{Connect, Packet, Publish, QoS};

/// What a device may send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Connect(Connect),
    /// With QoS 0 or 1, and a valid topic name.
    Publish(Publish),
    /// To be refused: so many filters.
    Subscribe {
        packet_id: u16,
        filters: usize,
    },
    Unsubscribe {
        packet_id: u16,
    },
    PingReq,
    Disconnect,
}

/// Why a connection has to end. The device is at fault; the same bytes will not do better another time.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a packet of {bytes} bytes is over the limit of {bytes_max}")]
    Oversize { bytes: usize, bytes_max: usize },
    #[error("{0}")]
    Malformed(#[from] mqttbytes::Error),
    #[error("the flags of the packet type {packet_type} must be {expected:#06b}, got {flags:#06b}")]
    Flags { packet_type: u8, expected: u8, flags: u8 },
    #[error("devices do not send packets of type {packet_type}")]
    Unexpected { packet_type: u8 },
    #[error("a packet without content has {bytes} bytes of it")]
    Content { bytes: usize },
    #[error("MQTT 3.1.1 (level 4) is spoken here, got `{name}` level {level}")]
    ProtocolVersion { name: String, level: u8 },
    #[error("the flags of CONNECT are impossible: {flags:#010b}")]
    ConnectFlags { flags: u8 },
    #[error("QoS 2 is not taken here; publish with QoS 0 or 1")]
    Qos2,
    #[error("{0}")]
    TopicName(#[from] TopicNameError),
}

impl FrameError {
    pub(super) fn reason(&self) -> CloseReason {
        match self {
            FrameError::Oversize { .. } => CloseReason::Oversize,
            FrameError::ProtocolVersion { .. } => CloseReason::ProtocolVersion,
            FrameError::Qos2 => CloseReason::Qos2,
            FrameError::TopicName(_) => CloseReason::TopicName,
            FrameError::Malformed(_)
            | FrameError::Flags { .. }
            | FrameError::Unexpected { .. }
            | FrameError::Content { .. }
            | FrameError::ConnectFlags { .. } => CloseReason::Malformed,
        }
    }
}

/// Takes the first packet out of `buffer`; `None` while it is not complete. After an error the buffer is of no use.
pub(super) fn next(buffer: &mut BytesMut, packet_bytes_max: usize) -> Result<Option<Request>, FrameError> {
    let header = match mqttbytes::check(buffer.iter(), packet_bytes_max) {
        Ok(header) => header,
        Err(mqttbytes::Error::InsufficientBytes(_)) => return Ok(None),
        Err(mqttbytes::Error::PayloadSizeLimitExceeded(bytes)) => {
            return Err(FrameError::Oversize {
                bytes,
                bytes_max: packet_bytes_max,
            });
        }
        Err(error) => return Err(error.into()),
    };
    let packet_type = header.packet_type()?;
    let frame = &buffer[..header.frame_length()];
    check_header(packet_type, frame)?;
    if packet_type == PacketType::Connect {
        check_connect(frame)?;
    }
    checked(Packet::read(buffer, packet_bytes_max)?).map(Some)
}

/// What has come of a PUBLISH that is too large: its payload may be any beginning of what was sent. `None` when not even
/// its topic has come, or it is wrong in other ways too.
pub(super) fn beginning(buffer: &[u8]) -> Option<Publish> {
    let (&header, rest) = buffer.split_first()?;
    let qos = match (header >> 4, header >> 1 & 0b11) {
        (PUBLISH, 0) => QoS::AtMostOnce,
        (PUBLISH, 1) => QoS::AtLeastOnce,
        _ => return None,
    };
    // The remaining length ends with the first byte that has no continuation bit.
    let start = 1 + rest.iter().take_while(|byte| **byte & 0x80 != 0).count();
    let (length, rest) = rest.get(start..)?.split_first_chunk::<2>()?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let topic = std::str::from_utf8(topic).ok()?;
    check_topic_name(topic).ok()?;
    let packet_id_bytes = if qos == QoS::AtMostOnce { 0 } else { 2 };
    let payload = rest.get(packet_id_bytes..).unwrap_or_default();
    let mut publish = Publish::from_bytes(topic, qos, Bytes::copy_from_slice(payload));
    publish.retain = header & 1 == 1;
    Some(publish)
}

fn checked(packet: Packet) -> Result<Request, FrameError> {
    match packet {
        Packet::Connect(connect) => Ok(Request::Connect(connect)),
        Packet::Publish(publish) => {
            if publish.qos == QoS::ExactlyOnce {
                return Err(FrameError::Qos2);
            }
            if publish.dup && publish.qos == QoS::AtMostOnce {
                return Err(mqttbytes::Error::MalformedPacket.into());
            }
            check_topic_name(&publish.topic)?;
            Ok(Request::Publish(publish))
        }
        Packet::Subscribe(subscribe) => Ok(Request::Subscribe {
            packet_id: not_zero(subscribe.pkid)?,
            filters: subscribe.filters.len(),
        }),
        Packet::Unsubscribe(unsubscribe) if unsubscribe.topics.is_empty() => {
            Err(mqttbytes::Error::EmptySubscription.into())
        }
        Packet::Unsubscribe(unsubscribe) => Ok(Request::Unsubscribe {
            packet_id: not_zero(unsubscribe.pkid)?,
        }),
        Packet::PingReq => Ok(Request::PingReq),
        Packet::Disconnect => Ok(Request::Disconnect),
        Packet::ConnAck(_)
        | Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingResp => Err(mqttbytes::Error::MalformedPacket.into()),
    }
}

fn not_zero(packet_id: u16) -> Result<u16, FrameError> {
    if packet_id == 0 {
        Err(mqttbytes::Error::PacketIdZero.into())
    } else {
        Ok(packet_id)
    }
}

fn check_header(packet_type: PacketType, frame: &[u8]) -> Result<(), FrameError> {
    let (number, flags) = (frame[0] >> 4, frame[0] & 0x0f);
    let expected = match packet_type {
        // Its flags are the QoS and so on; the codec checks them.
        PacketType::Publish => return Ok(()),
        PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
        PacketType::Connect | PacketType::PingReq | PacketType::Disconnect => 0,
        PacketType::ConnAck
        | PacketType::PubAck
        | PacketType::PubRec
        | PacketType::PubRel
        | PacketType::PubComp
        | PacketType::SubAck
        | PacketType::UnsubAck
        | PacketType::PingResp => return Err(FrameError::Unexpected { packet_type: number }),
    };
    if flags != expected {
        return Err(FrameError::Flags {
            packet_type: number,
            expected,
            flags,
        });
    }
    if matches!(packet_type, PacketType::PingReq | PacketType::Disconnect) && frame.len() > 2 {
        return Err(FrameError::Content { bytes: frame.len() - 2 });
    }
    Ok(())
}

/// Looks at the protocol before the codec does: the rest of another version's CONNECT has another layout.
fn check_connect(frame: &[u8]) -> Result<(), FrameError> {
    // The remaining length ends with the first byte that has no continuation bit; the frame is complete.
    let malformed = || FrameError::Malformed(mqttbytes::Error::MalformedPacket);
    let start = 2 + frame.iter().skip(1).take_while(|byte| **byte & 0x80 != 0).count();
    let body = frame.get(start..).ok_or_else(malformed)?;
    let (length, rest) = body.split_first_chunk::<2>().ok_or_else(malformed)?;
    let (name, rest) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*length)))
        .ok_or_else(malformed)?;
    let &[level, flags, ..] = rest else {
        return Err(malformed());
    };
    if name != b"MQTT" && name != b"MQIsdp" {
        return Err(mqttbytes::Error::InvalidProtocol.into());
    }
    if name != b"MQTT" || level != 4 {
        return Err(FrameError::ProtocolVersion {
            name: String::from_utf8_lossy(name).into_owned(),
            level,
        });
    }
    let (reserved, username, password) = (flags & 1 != 0, flags & 0x80 != 0, flags & 0x40 != 0);
    if reserved || (password && !username) {
        return Err(FrameError::ConnectFlags { flags });
    }
    Ok(())
}

/// The number of the packet type.
const PUBLISH: u8 = 3;

#[cfg(test)]
mod tests;
