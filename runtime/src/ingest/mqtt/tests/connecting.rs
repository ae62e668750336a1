use super::*;
use crate::config::Credentials;
use rumqttc::{ConnectReturnCode, Packet};

#[tokio::test]
async fn the_session_is_persistent_and_the_credentials_are_sent() {
    let broker = Broker::start().await;
    let _source = Running::with(&broker, |config, _| {
        config.credentials = Some(Credentials {
            username: "mill".into(),
            password: "secret".into(),
        });
    });

    let (_link, connect) = broker.connect().await;

    assert_eq!(
        (connect.client_id.as_str(), connect.clean_session),
        ("rulemill-test", false)
    );
    assert!(connect.login.unwrap().validate("mill", "secret"));
}

#[tokio::test]
async fn a_refused_connection_is_counted_and_tried_again() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let (mut link, _) = broker.connect().await;
    link.connack(ConnectReturnCode::NotAuthorized, false).await;
    assert_eq!(link.read_any().await, None);

    let mut link = broker.accept_and_grant(false).await;

    link.write(&[publish(1, "a")]).await;
    link.expect_ack(1).await;
    assert_eq!(source.metrics.disconnects(DisconnectReason::Refused).get(), 1);
    assert_eq!(source.metrics.connected.get(), 1);
}

#[tokio::test]
async fn an_oversize_message_costs_neither_the_connection_nor_its_neighbours() {
    let broker = Broker::start().await;
    let mut source = Running::with(&broker, |config, _| config.packet_bytes_max = 100);
    let mut link = broker.accept_and_grant(false).await;
    let large = || vec![b'x'; 200_000];

    link.write(&[publish(0, "before"), publish(5, large()), publish(0, "between")])
        .await;
    link.write(&[publish(0, large()), publish(0, "after"), publish(6, "last")])
        .await;

    // The mill has room for one batch, and the last message is acknowledged when it was taken.
    let mut taken = Vec::new();
    while taken.len() < 4 {
        taken.extend(source.batch().await);
    }
    link.expect_ack(5).await;
    link.expect_ack(6).await;
    assert_eq!(taken, ["before", "between", "after", "last"]);
    assert_eq!(source.metrics.oversize.get(), 2);
    let reason = |bytes| format!("a packet of {bytes} bytes is over packet_bytes_max, which is 100 bytes");
    let rejected = [200_013, 200_011].map(|bytes| ("devices/1".to_owned(), large(), reason(bytes)));
    assert_eq!(*source.rejected.lock().unwrap(), rejected);
    assert_eq!(source.metrics.disconnects(DisconnectReason::Oversize).get(), 0);
    link.expect_only_pings().await;
}

#[tokio::test]
async fn the_limit_is_about_the_packet_and_includes_its_last_byte() {
    let broker = Broker::start().await;
    let mut source = Running::with(&broker, |config, _| config.packet_bytes_max = 100);
    let mut link = broker.accept_and_grant(false).await;

    // 2 bytes of length, `devices/1`, 2 bytes of packet id.
    link.write(&[publish(5, vec![b'x'; 87])]).await;

    link.expect_ack(5).await;
    assert_eq!(source.batch().await[0].len(), 87);
    assert_eq!(source.metrics.oversize.get(), 0);
}

#[tokio::test]
async fn a_message_too_large_to_be_skipped_costs_the_session_and_no_endless_loop() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;
    // The fixed header of a PUBLISH with a remaining length of 268,435,455 bytes.
    link.write_bytes(&[0x32, 0xff, 0xff, 0xff, 0x7f]).await;
    assert_eq!(link.read_any().await, None);

    let (mut link, connect) = broker.connect().await;
    assert!(connect.clean_session);
    link.connack(ConnectReturnCode::Success, false).await;
    assert_eq!(link.read_any().await, Some(Packet::Disconnect));

    let (mut link, connect) = broker.connect().await;
    assert!(!connect.clean_session);
    link.connack(ConnectReturnCode::Success, false).await;
    assert_eq!(link.grant().await, ["devices/+"]);
    assert_eq!(source.metrics.oversize.get(), 1);
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_tried_again_until_the_stop() {
    let broker = Broker::start().await;
    let source = Running::with(&broker, |config, _| config.server.host = "host.invalid".into());
    let failed = source.metrics.disconnects(DisconnectReason::Network);
    let twice = async {
        while failed.get() < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, twice).await.expect("two attempts");

    source.stop.send(true).unwrap();

    source.stopped().await;
}

#[tokio::test]
async fn a_source_ends_with_its_mills() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let mut link = broker.accept_and_grant(false).await;
    let Running { mill, task, .. } = source;
    drop(mill);
    link.write(&[publish(1, "a")]).await;
    assert_eq!(link.read_any().await, None);
    timeout(DEADLINE, task).await.expect("the source ends").unwrap();
}
