//! Filters that overlap in part, and the connections that keep them apart.

use super::*;
use crate::limits::SOURCE_LANES_MAX;
use crate::message::{Audience, Served};
use broker::Link;
use rumqttc::{Connect, ConnectReturnCode, Packet, SubscribeReasonCode, UnsubAck};
use std::collections::BTreeSet;

/// So many connections in the order of their client ids, accepted.
async fn accept_lanes(broker: &Broker, count: usize) -> Vec<(Connect, Link)> {
    let mut lanes = Vec::new();
    for _ in 0..count {
        let (mut link, connect) = broker.connect().await;
        link.connack(ConnectReturnCode::Success, false).await;
        lanes.push((connect, link));
    }
    lanes.sort_by(|(one, _), (other, _)| one.client_id.cmp(&other.client_id));
    lanes
}

/// The two lanes of `devices/+` and `+/1`, connected and subscribed.
async fn two_lanes(broker: &Broker, source: &Running) -> (Link, Link) {
    source.filters.send(["devices/+", "+/1"].map(filter).to_vec()).unwrap();
    let [(first_connect, mut first), (second_connect, mut second)] =
        <[_; 2]>::try_from(accept_lanes(broker, 2).await).unwrap_or_else(|_| panic!("two lanes were accepted"));
    assert_eq!(first_connect.client_id, "rulemill-test");
    assert_eq!(second_connect.client_id, "rulemill-test-2");
    assert_eq!(first.grant().await, ["+/1"]);
    assert_eq!(second.grant().await, ["devices/+"]);
    (first, second)
}

fn only(text: &str) -> Audience {
    Audience::Some(Arc::new(Served {
        here: BTreeSet::from([filter(text)]),
        nowhere: BTreeSet::new(),
    }))
}

#[tokio::test]
async fn each_copy_of_a_message_is_for_the_filter_that_it_came_by() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let (mut first, mut second) = two_lanes(&broker, &source).await;

    first.write(&[publish(1, "copy")]).await;
    first.expect_ack(1).await;
    let delivery = source.mill.recv().await.unwrap();
    assert_eq!((delivery.audience, delivery.messages.len()), (only("+/1"), 1));

    second.write(&[publish(1, "copy")]).await;
    second.expect_ack(1).await;
    let delivery = source.mill.recv().await.unwrap();
    assert_eq!((delivery.audience, delivery.messages.len()), (only("devices/+"), 1));
}

#[tokio::test]
async fn one_connection_serves_everybody_until_there_is_a_second_one() {
    let broker = Broker::start().await;
    let mut source = Running::start(&broker);
    let mut first = broker.accept_and_grant(false).await;
    first.write(&[publish(1, "a")]).await;
    first.expect_ack(1).await;
    assert_eq!(source.mill.recv().await.unwrap().audience, Audience::All);

    source.filters.send(["devices/+", "+/1"].map(filter).to_vec()).unwrap();
    let mut second = broker.accept(false).await;
    assert_eq!(second.grant().await, ["+/1"]);
    first.write(&[publish(2, "b")]).await;
    first.expect_ack(2).await;

    assert_eq!(source.mill.recv().await.unwrap().audience, only("devices/+"));
    first.expect_only_pings().await;
}

#[tokio::test]
async fn lanes_of_a_share_group_serve_the_filters_as_the_streams_know_them() {
    let broker = Broker::start().await;
    let mut source = Running::with(&broker, |config, _| config.share_group = Some("mills".into()));
    source.filters.send(["devices/+", "+/1"].map(filter).to_vec()).unwrap();
    let mut lanes = accept_lanes(&broker, 2).await;
    assert_eq!(lanes[0].1.grant().await, ["$share/mills/+/1"]);
    assert_eq!(lanes[1].1.grant().await, ["$share/mills/devices/+"]);

    lanes[1].1.write(&[publish(1, "a")]).await;
    lanes[1].1.expect_ack(1).await;

    assert_eq!(source.mill.recv().await.unwrap().audience, only("devices/+"));
}

#[tokio::test]
async fn a_source_is_connected_when_all_its_connections_are() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    source.filters.send(["devices/+", "+/1"].map(filter).to_vec()).unwrap();
    let (mut first, _) = broker.connect().await;
    let (mut second, _) = broker.connect().await;
    first.connack(ConnectReturnCode::Success, false).await;
    first.grant().await;
    let gauges = || {
        let metrics = &source.metrics;
        (
            metrics.lanes.get(),
            metrics.lanes_connected.get(),
            metrics.connected.get(),
        )
    };
    assert_eq!(gauges(), (2, 1, 0));

    second.connack(ConnectReturnCode::Success, false).await;
    second.grant().await;
    assert_eq!(gauges(), (2, 2, 1));
}

#[tokio::test]
async fn a_connection_without_filters_ends_with_its_session_and_its_number_is_used_again() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let (mut first, mut second) = two_lanes(&broker, &source).await;

    source.filters.send(vec![filter("+/1")]).unwrap();
    assert_eq!(second.read_any().await, Some(Packet::Disconnect));
    drop(second);
    let (mut second, connect) = broker.connect().await;
    assert_eq!(
        (connect.client_id.as_str(), connect.clean_session),
        ("rulemill-test-2", true)
    );
    second.connack(ConnectReturnCode::Success, false).await;
    assert_eq!(second.read_any().await, Some(Packet::Disconnect));
    drop(second);
    // Longer than it takes to notice that the connection was closed.
    first.expect_only_pings().await;

    source.filters.send(["devices/+", "+/1"].map(filter).to_vec()).unwrap();
    let (mut second, connect) = broker.connect().await;
    assert_eq!(
        (connect.client_id.as_str(), connect.clean_session),
        ("rulemill-test-2", false)
    );
    second.connack(ConnectReturnCode::Success, false).await;
    assert_eq!(second.grant().await, ["devices/+"]);
}

#[tokio::test]
async fn what_a_refused_filter_covers_is_subscribed_to_by_itself() {
    let broker = Broker::start().await;
    let source = Running::with(&broker, |_, timing| timing.subscribe.retry = Duration::from_millis(20));
    source
        .filters
        .send(["devices/#", "devices/+"].map(filter).to_vec())
        .unwrap();
    let mut link = broker.accept(false).await;
    let wide = link.subscribe().await;
    link.answer(&wide, SubscribeReasonCode::Failure).await;
    assert_eq!(link.grant().await, ["devices/+"]);
    assert_eq!(source.metrics.subscribe_failures.get(), 1);

    // It is tried again, and the other one is given up only when it is granted.
    assert_eq!(link.grant().await, ["devices/#"]);
    match link.read().await {
        Packet::Unsubscribe(unsubscribe) => {
            assert_eq!(unsubscribe.topics, ["devices/+"]);
            link.write(&[Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))]).await;
        }
        other => panic!("{other:?}"),
    }
    link.expect_only_pings().await;
}

#[tokio::test]
async fn messages_of_a_refused_filter_are_for_those_that_also_match_them() {
    let broker = Broker::start().await;
    let mut source = Running::with(&broker, |_, timing| timing.subscribe.retry = Duration::from_secs(1));
    source.filters.send(["devices/+", "+/1"].map(filter).to_vec()).unwrap();
    let mut lanes = accept_lanes(&broker, 2).await;
    let subscribe = lanes[0].1.subscribe().await;
    lanes[0].1.answer(&subscribe, SubscribeReasonCode::Failure).await;
    assert_eq!(lanes[1].1.grant().await, ["devices/+"]);
    let audience = async |source: &mut Running, lanes: &mut Vec<(Connect, Link)>| {
        lanes[1].1.write(&[publish(1, "a")]).await;
        lanes[1].1.expect_ack(1).await;
        source.mill.recv().await.unwrap().audience
    };

    let refused = Audience::Some(Arc::new(Served {
        here: BTreeSet::from([filter("devices/+")]),
        nowhere: BTreeSet::from([filter("+/1")]),
    }));
    while audience(&mut source, &mut lanes).await != refused {
        tokio::task::yield_now().await;
    }
    assert_eq!(lanes[0].1.grant().await, ["+/1"]);
    while audience(&mut source, &mut lanes).await != only("devices/+") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn filters_for_which_no_connection_is_left_are_counted_and_subscribed_to_all_the_same() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    // Each pair of these shares one topic.
    let levels = |wild: usize| {
        let levels = (0..=SOURCE_LANES_MAX).map(|level| if level == wild { "+" } else { "x" });
        filter(&levels.collect::<Vec<_>>().join("/"))
    };
    let filters: Vec<_> = (0..=SOURCE_LANES_MAX).map(levels).collect();
    source.filters.send(filters.clone()).unwrap();

    let mut granted = BTreeSet::new();
    for (_, link) in &mut accept_lanes(&broker, SOURCE_LANES_MAX).await {
        granted.extend(link.grant().await);
    }

    assert_eq!(granted, filters.iter().map(ToString::to_string).collect());
    assert_eq!(source.metrics.crowded_filters.get(), 2);
    assert_eq!(source.metrics.lanes.get(), i64::try_from(SOURCE_LANES_MAX).unwrap());
}

#[tokio::test]
async fn a_stop_ends_every_connection() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let (mut first, mut second) = two_lanes(&broker, &source).await;

    source.stop.send(true).unwrap();

    assert_eq!(first.read_any().await, Some(Packet::Disconnect));
    assert_eq!(second.read_any().await, Some(Packet::Disconnect));
    drop((first, second));
    source.stopped().await;
}
