use super::*;
use rumqttc::{Packet, QoS, SubscribeReasonCode, UnsubAck};

#[tokio::test]
async fn overlapping_filters_are_one_subscription_in_the_share_group() {
    let broker = Broker::start().await;
    let source = Running::with(&broker, |config, _| config.share_group = Some("mills".into()));
    source
        .filters
        .send(["devices/+", "devices/1", "plant/#", "devices/+"].map(filter).to_vec())
        .unwrap();

    let mut link = broker.accept(false).await;
    let subscribe = link.subscribe().await;

    let paths: Vec<_> = subscribe.filters.iter().map(|filter| filter.path.as_str()).collect();
    assert_eq!(paths, ["$share/mills/devices/+", "$share/mills/plant/#"]);
    assert!(subscribe.filters.iter().all(|filter| filter.qos == QoS::AtLeastOnce));
}

#[tokio::test]
async fn a_new_session_is_subscribed_again() {
    let broker = Broker::start().await;
    let _source = Running::start(&broker);
    let link = broker.accept_and_grant(false).await;
    drop(link);
    let mut link = broker.accept(false).await;
    assert_eq!(link.grant().await, ["devices/+"]);
}

#[tokio::test]
async fn a_kept_session_is_subscribed_to_what_is_new_only() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;
    // The answer to the subscription has been read once a message behind it is acknowledged.
    link.write(&[publish(1, "a")]).await;
    link.expect_ack(1).await;
    assert_eq!(source.batch().await, ["a"]);
    drop(link);

    let (mut link, _) = broker.connect().await;
    source
        .filters
        .send(["devices/+", "plant/+"].map(filter).to_vec())
        .unwrap();
    link.connack(rumqttc::ConnectReturnCode::Success, true).await;

    assert_eq!(link.grant().await, ["plant/+"]);
}

#[tokio::test]
async fn the_first_connection_does_not_trust_a_session_of_an_earlier_process() {
    let broker = Broker::start().await;
    let _source = Running::start(&broker);
    let mut link = broker.accept(true).await;
    assert_eq!(link.grant().await, ["devices/+"]);
}

#[tokio::test]
async fn subscriptions_follow_the_filters() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;

    source.filters.send(vec![filter("devices/#")]).unwrap();

    assert_eq!(link.grant().await, ["devices/#"]);
    match link.read().await {
        Packet::Unsubscribe(unsubscribe) => {
            assert_eq!(unsubscribe.topics, ["devices/+"]);
            link.write(&[Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))]).await;
        }
        other => panic!("{other:?}"),
    }
    source.filters.send(vec![filter("devices/#"), filter("other")]).unwrap();
    assert_eq!(link.grant().await, ["other"]);
}

#[tokio::test]
async fn a_refused_subscription_is_tried_again() {
    let broker = Broker::start().await;
    let source = Running::with(&broker, |_, timing| timing.subscribe.retry = Duration::from_millis(20));
    let mut link = broker.accept(false).await;
    for _ in 0..2 {
        let subscribe = link.subscribe().await;
        link.answer(&subscribe, SubscribeReasonCode::Failure).await;
    }

    assert_eq!(link.grant().await, ["devices/+"]);

    assert_eq!(source.metrics.subscribe_failures.get(), 2);
    link.expect_only_pings().await;
}

#[tokio::test]
async fn an_unanswered_subscription_is_sent_again_and_then_costs_the_connection() {
    let broker = Broker::start().await;
    let source = Running::with(&broker, |_, timing| timing.subscribe.answer = Duration::from_millis(20));
    let mut link = broker.accept(false).await;
    for _ in 0..3 {
        link.subscribe().await;
    }
    assert_eq!(link.read_any().await, None);

    broker.accept_and_grant(false).await;

    assert_eq!(source.metrics.disconnects(DisconnectReason::SubscribeTimeout).get(), 1);
}

#[tokio::test]
async fn more_than_eight_filters_go_in_several_packets() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let filters: Vec<_> = (0..20).map(|index| filter(&format!("a/{index:02}"))).collect();
    source.filters.send(filters.clone()).unwrap();

    let mut link = broker.accept(false).await;
    let mut granted = Vec::new();
    for expect in [8, 8, 4] {
        let some = link.grant().await;
        assert_eq!(some.len(), expect);
        granted.extend(some);
    }

    assert_eq!(granted, filters.iter().map(ToString::to_string).collect::<Vec<_>>());
}
