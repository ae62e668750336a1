use super::device::publish;
use super::*;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

#[tokio::test]
async fn a_real_client_publishes_and_is_acknowledged() {
    let mut listener = Running::start().await;
    let options = MqttOptions::new("real", "127.0.0.1", listener.address.port());
    let (client, mut events) = AsyncClient::new(options, 10);
    client
        .publish("devices/1/messages", QoS::AtLeastOnce, false, "one")
        .await
        .unwrap();
    client
        .publish("devices/1/messages", QoS::AtMostOnce, true, "two")
        .await
        .unwrap();

    let acknowledged = async { while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {} };
    timeout(DEADLINE, acknowledged).await.unwrap();
    let mut messages = listener.mill.recv().await.unwrap().messages.to_vec();
    while messages.len() < 2 {
        tokio::select! {
            _ = events.poll() => {}
            delivery = listener.mill.recv() => messages.extend(delivery.unwrap().messages.iter().cloned()),
        }
    }

    assert_eq!(
        (&*messages[0].topic, messages[0].qos, messages[0].retain),
        ("devices/1/messages", 1, false)
    );
    assert_eq!(
        (&*messages[1].topic, messages[1].qos, messages[1].retain),
        ("devices/1/messages", 0, true)
    );
    assert!(messages[0].arrival <= messages[1].arrival);
    assert_eq!(listener.metrics.messages.get(), 2);
}

#[tokio::test]
async fn a_message_is_acknowledged_when_the_inlet_has_accepted_it() {
    let mut listener = Running::start().await;
    let mut device = listener.fill().await;

    device.publish(2, "b").await;
    device.expect_no_answer().await;
    assert_eq!(listener.batch().await, ["fill"]);

    device.expect_ack(2).await;
    assert_eq!(listener.batch().await, ["b"]);
    assert_eq!(listener.metrics.acknowledged.get(), 2);
}

#[tokio::test]
async fn a_client_is_not_read_beyond_its_unacknowledged_messages() {
    let mut listener = Running::with(|listener| listener.config.inflight_max = 2).await;
    let mut device = listener.fill().await;
    device
        .write(&[publish(2, "b"), publish(3, "c"), publish(4, "d"), Packet::PingReq])
        .await;
    let mut other = listener.device("other").await;
    other.expect_no_answer().await;

    assert_eq!(listener.batch().await, ["fill"]);
    device.expect_ack(2).await;
    device.expect_ack(3).await;
    assert_eq!(listener.batch().await, ["b", "c"]);
    let mut rest = [device.read().await.unwrap(), device.read().await.unwrap()];
    rest.sort_by_key(|packet| matches!(packet, Packet::PingResp));
    assert_eq!(rest, [Packet::PubAck(rumqttc::PubAck::new(4)), Packet::PingResp]);
    assert_eq!(listener.batch().await, ["d"]);
}

#[tokio::test]
async fn batches_are_formed_across_clients() {
    const CLIENTS: usize = 200;
    let mut listener = Running::start().await;
    let _filler = listener.fill().await;
    let mut devices = Vec::new();
    for index in 0..CLIENTS {
        let mut device = listener.device(&format!("device-{index}")).await;
        device.publish(1, &index.to_string()).await;
        device.expect_no_answer().await;
        devices.push(device);
    }
    assert_eq!(listener.metrics.clients.get(), i64::try_from(CLIENTS).unwrap() + 1);

    assert_eq!(listener.batch().await, ["fill"]);
    // The first one alone waited for the inlet meanwhile.
    assert_eq!(listener.batch().await, ["0"]);
    let rest = listener.batch().await;

    assert_eq!(rest, (1..CLIENTS).map(|index| index.to_string()).collect::<Vec<_>>());
    for device in &mut devices {
        device.expect_ack(1).await;
    }
}

#[tokio::test]
async fn a_qos_0_flood_waits_in_the_socket_and_nothing_is_dropped() {
    const SENT: usize = 100_000;
    let mut listener = Running::start().await;
    let _filler = listener.fill().await;
    let mut device = listener.device("flood").await;
    let flood = tokio::spawn(async move {
        let packets: Vec<Packet> = (0..1000).map(|_| publish(0, &"x".repeat(500))).collect();
        for _ in 0..SENT / 1000 {
            device.write(&packets).await;
        }
        device
    });

    let mut received = 0;
    while received < SENT + 1 {
        let batch = listener.batch().await;
        assert!(batch.len() <= crate::limits::BATCH_ROWS_MAX);
        received += batch.len();
    }

    assert_eq!(received, SENT + 1);
    flood.await.unwrap().expect_no_answer().await;
}

#[tokio::test]
async fn a_packet_that_comes_byte_by_byte_is_understood() {
    let mut listener = Running::start().await;
    let mut device = Device::dial(listener.address).await;
    let mut bytes = bytes::BytesMut::new();
    Packet::Connect(rumqttc::Connect::new("slow"))
        .write(&mut bytes, usize::MAX)
        .unwrap();
    publish(1, "slowly").write(&mut bytes, usize::MAX).unwrap();

    for byte in bytes {
        device.write_bytes(&[byte]).await;
        tokio::task::yield_now().await;
    }

    assert_eq!(device.connack().await, rumqttc::ConnectReturnCode::Success);
    device.expect_ack(1).await;
    assert_eq!(listener.batch().await, ["slowly"]);
}

#[tokio::test]
async fn a_large_message_and_a_small_one_arrive_whole() {
    let mut listener = Running::start().await;
    let mut device = listener.device("large").await;
    let large = "x".repeat(900_000);
    device.write(&[publish(1, &large), publish(2, "small")]).await;

    let mut received = listener.batch().await;
    while received.len() < 2 {
        received.extend(listener.batch().await);
    }

    assert_eq!(received, [large.as_str(), "small"]);
}

#[tokio::test]
async fn messages_before_disconnect_count_even_without_an_answer() {
    let mut listener = Running::start().await;
    let mut device = Device::dial(listener.address).await;
    let connect = Packet::Connect(rumqttc::Connect::new("short"));
    device
        .write(&[connect, publish(0, "a"), publish(1, "b"), Packet::Disconnect])
        .await;
    drop(device);
    assert_eq!(listener.batch().await, ["a", "b"]);
}

#[tokio::test]
async fn subscriptions_are_refused_and_the_client_stays() {
    let mut listener = Running::start().await;
    let mut device = listener.device("curious").await;
    let mut subscribe = rumqttc::Subscribe::new("a", QoS::AtLeastOnce);
    subscribe.add("b/#".into(), QoS::AtMostOnce);
    subscribe.pkid = 9;
    let unsubscribe = rumqttc::Unsubscribe {
        pkid: 10,
        topics: vec!["a".into()],
    };

    device
        .write(&[
            Packet::Subscribe(subscribe),
            Packet::Unsubscribe(unsubscribe),
            publish(1, "c"),
        ])
        .await;

    let refused = vec![rumqttc::SubscribeReasonCode::Failure; 2];
    assert_eq!(
        device.read().await,
        Some(Packet::SubAck(rumqttc::SubAck::new(9, refused)))
    );
    assert_eq!(device.read().await, Some(Packet::UnsubAck(rumqttc::UnsubAck::new(10))));
    device.expect_ack(1).await;
    assert_eq!(listener.batch().await, ["c"]);
}

#[tokio::test]
async fn a_stop_delivers_and_acknowledges_what_was_taken() {
    let mut listener = Running::start().await;
    let mut device = listener.fill().await;
    device.publish(2, "b").await;
    device.expect_no_answer().await;

    listener.stop.send(true).unwrap();
    assert_eq!(listener.batch().await, ["fill"]);

    device.expect_ack(2).await;
    assert_eq!(device.read().await, None);
    assert_eq!(listener.batch().await, ["b"]);
    timeout(DEADLINE, listener.task)
        .await
        .expect("the listener stops")
        .unwrap();
}

#[tokio::test]
async fn a_stop_ends_in_time_when_the_mills_take_nothing() {
    let listener = Running::with(|listener| listener.timing.stop = Duration::from_millis(50)).await;
    let mut device = listener.fill().await;
    device.publish(2, "b").await;
    device.expect_no_answer().await;

    listener.stop.send(true).unwrap();

    assert_eq!(
        device.read().await,
        None,
        "`b` was not accepted, so it must not be acknowledged"
    );
    timeout(DEADLINE, listener.task)
        .await
        .expect("the listener stops")
        .unwrap();
}
