use super::device::publish;
use super::*;
use rumqttc::{Connect, ConnectReturnCode, Packet, Publish, QoS};

/// A CONNECT of another protocol version.
fn foreign_connect(name: &str, level: u8) -> Vec<u8> {
    let mut body = vec![0, u8::try_from(name.len()).unwrap()];
    body.extend_from_slice(name.as_bytes());
    // Flags, keep-alive, then what MQTT 5 has there: no properties; and the client id `a`.
    body.extend_from_slice(&[level, 2, 0, 60, 0, 0, 1, b'a']);
    let mut bytes = vec![0x10, u8::try_from(body.len()).unwrap()];
    bytes.extend_from_slice(&body);
    bytes
}

#[tokio::test]
async fn other_protocol_versions_are_told_so() {
    let listener = Running::start().await;
    for (name, level) in [("MQIsdp", 3), ("MQTT", 5)] {
        let mut device = Device::dial(listener.address).await;
        device.write_bytes(&foreign_connect(name, level)).await;
        assert_eq!(device.connack().await, ConnectReturnCode::RefusedProtocolVersion);
        assert_eq!(device.read().await, None);
    }
    assert_eq!(listener.closed(CloseReason::ProtocolVersion), 2);
}

#[tokio::test]
async fn an_empty_client_id_needs_a_clean_session() {
    let listener = Running::start().await;
    let mut connect = Connect::new("");
    let mut device = Device::dial(listener.address).await;
    assert_eq!(device.connect_with(connect.clone()).await, ConnectReturnCode::Success);
    device.expect_no_answer().await;

    connect.clean_session = false;
    let mut device = Device::dial(listener.address).await;
    assert_eq!(device.connect_with(connect).await, ConnectReturnCode::BadClientId);
    assert_eq!(device.read().await, None);
}

#[tokio::test]
async fn a_slow_connect_is_not_waited_for() {
    let listener = Running::with(|listener| listener.timing.connect = Duration::from_millis(50)).await;
    let mut silent = Device::dial(listener.address).await;
    let mut slow = Device::dial(listener.address).await;
    slow.write_bytes(&[0x10, 0x40, 0x00]).await;

    assert_eq!(silent.read().await, None);
    assert_eq!(slow.read().await, None);

    assert_eq!(listener.closed(CloseReason::ConnectTimeout), 2);
}

#[tokio::test]
async fn a_silent_device_is_closed_after_one_and_a_half_keep_alives() {
    let listener = Running::start().await;
    let mut connect = Connect::new("silent");
    connect.keep_alive = 1;
    let mut device = Device::dial(listener.address).await;
    device.connect_with(connect).await;
    let connected = clock::monotonic();

    assert_eq!(device.read().await, None);

    assert!(clock::monotonic() - connected >= Duration::from_millis(1400));
    assert_eq!(listener.closed(CloseReason::KeepAlive), 1);
}

#[tokio::test]
async fn a_device_that_comes_back_replaces_its_old_connection() {
    let listener = Running::start().await;
    let mut old = listener.device("same").await;
    let mut new = listener.device("same").await;

    assert_eq!(old.read().await, None);

    new.expect_no_answer().await;
    assert_eq!(listener.closed(CloseReason::Takeover), 1);
    let mut third = listener.device("same").await;
    assert_eq!(new.read().await, None);
    third.expect_no_answer().await;
}

#[tokio::test]
async fn clients_beyond_the_bound_are_told_so() {
    let mut listener = Running::with(|listener| listener.config.clients_max = 1).await;
    let mut first = listener.device("first").await;

    let mut second = Device::dial(listener.address).await;
    assert_eq!(
        second.connect_with(Connect::new("second")).await,
        ConnectReturnCode::ServiceUnavailable
    );
    assert_eq!(second.read().await, None);

    first.publish(1, "still there").await;
    first.expect_ack(1).await;
    assert_eq!(listener.batch().await, ["still there"]);
    assert_eq!(listener.closed(CloseReason::Full), 1);
}

#[tokio::test]
async fn a_device_whose_old_connection_took_the_last_place_gets_it() {
    let listener = Running::with(|listener| listener.config.clients_max = 1).await;
    let mut old = listener.device("same").await;
    let mut new = Device::dial(listener.address).await;
    assert_eq!(
        new.connect_with(Connect::new("same")).await,
        ConnectReturnCode::ServiceUnavailable
    );
    assert_eq!(old.read().await, None);

    let again = async {
        loop {
            let mut device = Device::dial(listener.address).await;
            if device.connect_with(Connect::new("same")).await == ConnectReturnCode::Success {
                break;
            }
        }
    };
    timeout(DEADLINE, again).await.expect("the place is free");
}

#[tokio::test]
async fn what_has_come_of_a_message_that_is_too_large_is_kept() {
    let listener = Running::with(|listener| listener.config.packet_bytes_max = 1000).await;
    let mut device = listener.device("faulty").await;

    device.write(&[publish(1, &"x".repeat(2000))]).await;
    while device.read().await.is_some() {}

    let rejected = listener.rejected.lock().unwrap().clone();
    let [(topic, payload, reason)] = &rejected[..] else {
        panic!("{rejected:?}");
    };
    assert_eq!(topic, "devices/1");
    assert!(payload.len() <= 2000 && payload.iter().all(|byte| *byte == b'x'));
    let bytes = payload.len();
    assert_eq!(
        *reason,
        format!(
            "a packet of 2013 bytes is over the limit of 1000; {bytes} bytes of its payload were read, then the \
             connection was closed"
        )
    );
}

#[tokio::test]
async fn a_fault_closes_its_connection_and_what_came_before_it_counts() {
    let mut qos2 = Publish::new("devices/1", QoS::ExactlyOnce, "qos 2");
    qos2.pkid = 2;
    for (fault, reason) in [
        (Packet::Publish(qos2), CloseReason::Qos2),
        (
            Packet::Publish(Publish::new("a/#", QoS::AtMostOnce, "x")),
            CloseReason::TopicName,
        ),
        (publish(0, &"x".repeat(2000)), CloseReason::Oversize),
        (Packet::Connect(Connect::new("again")), CloseReason::Malformed),
        (Packet::PubAck(rumqttc::PubAck::new(1)), CloseReason::Malformed),
    ] {
        let mut listener = Running::with(|listener| listener.config.packet_bytes_max = 1000).await;
        let mut other = listener.device("other").await;
        let mut device = listener.device("faulty").await;

        device.write(&[publish(1, "good"), fault, publish(3, "after")]).await;

        assert_eq!(listener.batch().await, ["good"]);
        while device.read().await.is_some() {}
        assert_eq!(listener.closed(reason), 1, "{reason:?}");
        other.publish(1, "other").await;
        other.expect_ack(1).await;
        assert_eq!(listener.batch().await, ["other"]);
    }
}

#[tokio::test]
async fn something_other_than_connect_comes_first_only_once() {
    let listener = Running::start().await;
    let mut device = Device::dial(listener.address).await;
    device.publish(1, "early").await;
    assert_eq!(device.read().await, None);
    let mut browser = Device::dial(listener.address).await;
    browser.write_bytes(b"GET / HTTP/1.1\r\nHost: rulemill\r\n\r\n").await;
    assert_eq!(browser.read().await, None);
    assert!(listener.closed(CloseReason::Malformed) >= 1);
    assert_eq!(listener.metrics.connections.get(), 0);
}

#[tokio::test]
async fn the_listener_ends_with_the_mills() {
    let listener = Running::start().await;
    let mut device = listener.device("last").await;
    drop(listener.mill);
    device.publish(1, "a").await;
    assert_eq!(device.read().await, None);
    timeout(DEADLINE, listener.task)
        .await
        .expect("the listener ends")
        .unwrap();
}
