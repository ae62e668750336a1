use super::*;
use proptest::prelude::*;
use rumqttc::{Subscribe, Unsubscribe};

const LIMIT: usize = 1000;

fn read(bytes: &[u8]) -> Result<Option<Request>, FrameError> {
    next(&mut BytesMut::from(bytes), LIMIT)
}

fn bytes(packet: &Packet) -> BytesMut {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, usize::MAX).unwrap();
    bytes
}

fn publish(topic: &str, qos: QoS) -> Publish {
    let mut publish = Publish::new(topic, qos, "payload");
    publish.pkid = 7;
    publish
}

/// A CONNECT with this protocol and flags, and the client id `a`.
fn connect(name: &str, level: u8, flags: u8) -> Vec<u8> {
    let mut body = vec![0, u8::try_from(name.len()).unwrap()];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(&[level, flags, 0, 60, 0, 1, b'a', 0, 1, b'x', 0, 1, b'y']);
    let mut bytes = vec![0x10, u8::try_from(body.len()).unwrap()];
    bytes.extend_from_slice(&body);
    bytes
}

#[test]
fn packets_come_out_whole_and_in_order() {
    let mut buffer = bytes(&Packet::Publish(publish("a", QoS::AtLeastOnce)));
    buffer.extend_from_slice(&bytes(&Packet::PingReq));
    buffer.extend_from_slice(&bytes(&Packet::Unsubscribe(Unsubscribe {
        pkid: 3,
        topics: vec!["a".into()],
    })));
    buffer.extend_from_slice(&bytes(&Packet::Disconnect));
    let whole = buffer.clone();
    let (mut requests, mut buffer) = (Vec::new(), BytesMut::new());

    for byte in whole {
        buffer.extend_from_slice(&[byte]);
        requests.extend(next(&mut buffer, LIMIT).unwrap());
    }

    let expect = [
        Request::Publish(publish("a", QoS::AtLeastOnce)),
        Request::PingReq,
        Request::Unsubscribe { packet_id: 3 },
        Request::Disconnect,
    ];
    assert_eq!(requests, expect);
    assert!(buffer.is_empty());
}

#[test]
fn what_a_device_must_not_send_is_refused_with_the_reason() {
    for (packet, expect) in [
        (
            bytes(&Packet::Publish(publish("a/+", QoS::AtMostOnce))),
            CloseReason::TopicName,
        ),
        (
            bytes(&Packet::Publish(publish("", QoS::AtMostOnce))),
            CloseReason::TopicName,
        ),
        (
            bytes(&Packet::Publish(publish("a\0", QoS::AtMostOnce))),
            CloseReason::TopicName,
        ),
        (
            bytes(&Packet::Publish(publish("a", QoS::ExactlyOnce))),
            CloseReason::Qos2,
        ),
        (bytes(&Packet::PubAck(rumqttc::PubAck::new(1))), CloseReason::Malformed),
        (bytes(&Packet::PingResp), CloseReason::Malformed),
        (
            bytes(&Packet::Subscribe(Subscribe::new("a", QoS::AtMostOnce))),
            CloseReason::Malformed,
        ),
        (BytesMut::from(&[0x00, 0x00][..]), CloseReason::Malformed),
        (BytesMut::from(&[0xf0, 0x00][..]), CloseReason::Malformed),
    ] {
        assert_eq!(read(&packet).unwrap_err().reason(), expect, "{packet:?}");
    }
}

#[test]
fn malformed_bytes_are_refused() {
    for (name, packet) in [
        (
            "a remaining length of five bytes",
            &[0x30, 0xff, 0xff, 0xff, 0xff, 0x01][..],
        ),
        ("a topic longer than its packet", &[0x30, 0x03, 0xff, 0xff, b'a']),
        ("a topic that is not UTF-8", &[0x30, 0x03, 0x00, 0x01, 0xff]),
        ("QoS 3", &[0x36, 0x05, 0x00, 0x01, b'a', 0x00, 0x01]),
        ("QoS 1 without a packet id", &[0x32, 0x03, 0x00, 0x01, b'a']),
        (
            "QoS 1 with the packet id 0",
            &[0x32, 0x05, 0x00, 0x01, b'a', 0x00, 0x00],
        ),
        ("a repeated QoS 0 message", &[0x38, 0x03, 0x00, 0x01, b'a']),
        ("an empty PUBLISH", &[0x30, 0x00]),
        (
            "SUBSCRIBE with the flags 0",
            &[0x80, 0x06, 0x00, 0x01, 0x00, 0x01, b'a', 0x00],
        ),
        ("SUBSCRIBE without a filter", &[0x82, 0x02, 0x00, 0x01]),
        (
            "SUBSCRIBE with QoS 3",
            &[0x82, 0x06, 0x00, 0x01, 0x00, 0x01, b'a', 0x03],
        ),
        ("UNSUBSCRIBE without a filter", &[0xa2, 0x02, 0x00, 0x01]),
        ("UNSUBSCRIBE of one byte", &[0xa2, 0x01, 0x00]),
        ("PINGREQ with content", &[0xc0, 0x01, 0x00]),
        ("PINGREQ with flags", &[0xc1, 0x00]),
        ("an empty CONNECT", &[0x10, 0x00]),
        ("CONNECT with half a name", &[0x10, 0x04, 0x00, 0x04, b'M', b'Q']),
        (
            "CONNECT without flags",
            &[0x10, 0x07, 0x00, 0x04, b'M', b'Q', b'T', b'T', 0x04],
        ),
        ("CONNECT of something else", &connect("HTTP", 4, 2)),
        ("CONNECT with the reserved flag", &connect("MQTT", 4, 3)),
        ("CONNECT with a password alone", &connect("MQTT", 4, 0x42)),
        ("CONNECT with a will QoS but no will", &connect("MQTT", 4, 0x0a)),
    ] {
        match read(packet) {
            Err(error) => assert_eq!(error.reason(), CloseReason::Malformed, "{name}"),
            Ok(other) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn other_protocol_versions_are_named() {
    for (name, level) in [("MQIsdp", 3), ("MQTT", 5), ("MQTT", 3), ("MQTT", 0x84)] {
        let error = read(&connect(name, level, 2)).unwrap_err();
        assert_eq!(error.reason(), CloseReason::ProtocolVersion);
        assert_eq!(
            error.to_string(),
            format!("MQTT 3.1.1 (level 4) is spoken here, got `{name}` level {level}")
        );
    }
    assert!(matches!(read(&connect("MQTT", 4, 0xc2)), Ok(Some(Request::Connect(_)))));
}

#[test]
fn an_oversize_packet_is_refused_by_its_header_alone() {
    let error = read(&[0x30, 0xff, 0xff, 0xff, 0x7f]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a packet of 268435455 bytes is over the limit of 1000"
    );
    assert_eq!(error.reason(), CloseReason::Oversize);
}

#[test]
fn the_beginning_of_a_message_is_read_from_what_has_come_of_it() {
    let mut publish = Publish::new("a/b", QoS::AtLeastOnce, "payload".repeat(100));
    publish.pkid = 0x0102;
    publish.retain = true;
    let mut whole = BytesMut::new();
    publish.write(&mut whole).unwrap();
    // Type, two bytes of length, two bytes of the topic's length, the topic; then the packet id.
    for (come, payload) in [(8, ""), (9, ""), (10, ""), (11, "p"), (17, "payload"), (18, "payloadp")] {
        let found = beginning(&whole[..come]).unwrap_or_else(|| panic!("{come} bytes"));
        assert_eq!(
            (found.topic.as_str(), &found.payload[..]),
            ("a/b", payload.as_bytes()),
            "{come} bytes"
        );
        assert_eq!((found.qos, found.retain), (QoS::AtLeastOnce, true));
    }
    for come in 0..8 {
        assert_eq!(beginning(&whole[..come]), None, "{come} bytes");
    }
    let with_header = |header: u8| [&[header], &whole[1..]].concat();
    assert_eq!(beginning(&with_header(0x34)), None, "QoS 2");
    assert_eq!(beginning(&with_header(0x10)), None, "CONNECT");
    let found = beginning(&with_header(0x30)).expect("QoS 0 has no packet id");
    assert_eq!(&found.payload[..4], [1, 2, b'p', b'a']);
    assert_eq!(whole[7], b'b');
    whole[7] = b'+';
    assert_eq!(beginning(&whole), None, "a wildcard");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_stay_where_it_is(mut data in prop::collection::vec(any::<u8>(), 0..64), first in any::<u8>()) {
        let _any = beginning(&data);
        // Small lengths, so that packets are often complete.
        data.insert(0, first);
        if let Some(length) = data.get_mut(1) {
            *length &= 0x1f;
        }
        let mut buffer = BytesMut::from(&data[..]);
        loop {
            let before = buffer.len();
            match next(&mut buffer, LIMIT) {
                Ok(Some(_)) => prop_assert!(buffer.len() < before),
                Ok(None) | Err(_) => break,
            }
        }
    }
}
