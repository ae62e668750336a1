use super::*;
use rumqttc::Packet;

#[tokio::test]
async fn a_message_is_delivered_and_then_acknowledged() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;

    link.write(&[publish(7, "a")]).await;

    link.expect_ack(7).await;
    let delivery = source.mill.recv().await.unwrap();
    let message = &delivery.messages[0];
    assert_eq!(
        (&*delivery.source, &*message.topic, message.qos),
        ("default", "devices/1", 1)
    );
    assert_eq!(message.payload, "a");
    assert_eq!((source.metrics.messages.get(), source.metrics.bytes.get()), (1, 1));
}

#[tokio::test]
async fn acknowledgements_are_withheld_and_the_connection_kept_while_the_inlet_is_full() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;
    link.write(&[publish(1, "a")]).await;
    link.expect_ack(1).await;

    link.write(&[publish(2, "b"), publish(3, "c")]).await;
    link.expect_only_pings().await;
    assert_eq!(source.batch().await, ["a"]);

    link.expect_ack(2).await;
    link.expect_ack(3).await;
    let mut rest = source.batch().await;
    if rest.len() == 1 {
        rest.extend(source.batch().await);
    }
    assert_eq!(rest, ["b", "c"]);
}

#[tokio::test]
async fn batches_hold_what_has_arrived_in_order_up_to_their_bound() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;

    let packets: Vec<Packet> = (1..=3000).map(|id| publish(id, id.to_string())).collect();
    link.write(&packets).await;

    let mut received = Vec::new();
    let mut batches = 0;
    while received.len() < 3000 {
        let batch = source.batch().await;
        assert!(batch.len() <= crate::limits::BATCH_ROWS_MAX);
        received.extend(batch);
        batches += 1;
    }
    let expect: Vec<String> = (1..=3000).map(|id| id.to_string()).collect();
    assert_eq!(received, expect);
    assert!(
        batches < 1500,
        "{batches} batches for 3000 messages that arrived together"
    );
    for id in 1..=3000 {
        link.expect_ack(id).await;
    }
    let stamps_sent = source.metrics.acknowledged.get();
    assert!(stamps_sent >= 2999, "{stamps_sent}");
}

#[tokio::test]
async fn a_batch_that_waited_when_the_connection_was_lost_is_not_delivered_twice() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;
    link.write(&[publish(1, "a")]).await;
    link.expect_ack(1).await;
    link.write(&[publish(2, "b"), publish(0, "zero")]).await;
    link.expect_only_pings().await;

    drop(link);
    let mut link = broker.accept(true).await;
    link.write(&[publish(2, "b")]).await;
    let mut received = source.batch().await;
    while received.len() < 3 {
        received.extend(source.batch().await);
    }

    link.expect_ack(2).await;
    received.sort();
    assert_eq!(received, ["a", "b", "zero"]);
    source.stop.send(true).unwrap();
    assert_eq!(link.read_any().await, Some(Packet::Disconnect));
    assert!(source.mill.recv().await.is_none(), "delivered twice");
}

#[tokio::test]
async fn a_batch_that_waited_is_delivered_when_the_broker_has_lost_the_session() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;
    link.write(&[publish(1, "a")]).await;
    link.expect_ack(1).await;
    link.write(&[publish(2, "b")]).await;
    link.expect_only_pings().await;

    drop(link);
    let mut link = broker.accept_and_grant(false).await;

    assert_eq!(source.batch().await, ["a"]);
    assert_eq!(source.batch().await, ["b"]);
    link.write(&[publish(2, "c")]).await;
    link.expect_ack(2).await;
    assert_eq!(source.batch().await, ["c"]);
}

#[tokio::test]
async fn a_qos_0_flood_is_counted_where_it_does_not_fit_and_the_connection_stays() {
    const SENT: usize = 30_000;
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;

    let packets: Vec<Packet> = (0..SENT).map(|_| publish(0, "x")).collect();
    link.write(&packets).await;
    // QoS 1 is not dropped even then.
    link.write(&[publish(9, "kept")]).await;
    link.expect_only_pings().await;
    link.expect_only_pings().await;

    let dropped = usize::try_from(source.metrics.qos0_dropped.get()).unwrap();
    assert!(dropped > 10_000, "{dropped}");
    let mut received = 0;
    while received < SENT + 1 - dropped {
        received += source.batch().await.len();
    }
    assert_eq!(received, SENT + 1 - dropped);
    link.expect_ack(9).await;
}

#[tokio::test]
async fn a_stop_delivers_and_acknowledges_what_was_taken() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;
    link.write(&[publish(1, "a")]).await;
    link.expect_ack(1).await;
    link.write(&[publish(2, "b")]).await;
    link.expect_only_pings().await;

    source.stop.send(true).unwrap();
    assert_eq!(source.batch().await, ["a"]);

    link.expect_ack(2).await;
    assert_eq!(link.read_any().await, Some(Packet::Disconnect));
    assert_eq!(source.batch().await, ["b"]);
    source.stopped().await;
}

#[tokio::test]
async fn a_stop_ends_in_time_when_the_mills_take_nothing() {
    let broker = Broker::start().await;
    let source = Running::with(&broker, |_, timing| timing.stop = Duration::from_millis(50));
    let mut link = broker.accept_and_grant(false).await;
    link.write(&[publish(1, "a")]).await;
    link.expect_ack(1).await;
    link.write(&[publish(2, "b")]).await;
    link.expect_only_pings().await;

    source.stop.send(true).unwrap();

    assert_eq!(
        link.read_any().await,
        None,
        "`b` was not accepted, so it must not be acknowledged"
    );
    source.stopped().await;
}

#[tokio::test]
async fn messages_that_come_together_with_the_end_of_the_connection_are_taken() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;

    link.write(&["a", "b", "c"].map(|payload| publish(0, payload))).await;
    link.close_after_reading().await;

    let mut received = source.batch().await;
    while received.len() < 3 {
        received.extend(source.batch().await);
    }
    assert_eq!(received, ["a", "b", "c"]);
}
