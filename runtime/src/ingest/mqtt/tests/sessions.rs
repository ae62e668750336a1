//! What an earlier process left at the broker.

use super::*;
use broker::Link;
use rumqttc::{ConnectReturnCode, Packet, UnsubAck};
use serde_json::{Value, json};

/// A process that comes after another one.
fn again(broker: &Broker, folder: &Arc<TempDir>, wanted: &[&str]) -> Running {
    Running::in_folder(broker, Arc::clone(folder), wanted, |_, _| {})
}

/// Stops a source whose connections these are; gives its data directory.
async fn stop(source: Running, links: impl IntoIterator<Item = Link>) -> Arc<TempDir> {
    source.stop.send(true).unwrap();
    for mut link in links {
        assert_eq!(link.read_any().await, Some(Packet::Disconnect));
    }
    source.stopped().await
}

/// A process that read these with one connection, and has stopped.
async fn earlier_process(broker: &Broker, wanted: &[&str]) -> Arc<TempDir> {
    let source = again(broker, &Arc::new(tempfile::tempdir().unwrap()), wanted);
    let link = broker.accept_and_grant(false).await;
    stop(source, [link]).await
}

async fn expect_unsubscribe(link: &mut Link, filter: &str) {
    match link.read().await {
        Packet::Unsubscribe(unsubscribe) => {
            assert_eq!(unsubscribe.topics, [filter]);
            link.write(&[Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))]).await;
        }
        other => panic!("{other:?}"),
    }
}

fn lanes_in_file(folder: &TempDir) -> Value {
    let text = std::fs::read(folder.path().join("sessions/default.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["lanes"].clone()
}

async fn wait_for_file(folder: &TempDir, lanes: Value) {
    let written = async {
        while lanes_in_file(folder) != lanes {
            tokio::task::yield_now().await;
        }
    };
    let written = timeout(DEADLINE, written).await;
    written.unwrap_or_else(|_| panic!("{} is not {lanes}", lanes_in_file(folder)));
}

#[tokio::test]
async fn the_file_names_a_filter_before_it_is_subscribed_to() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let mut link = broker.accept(false).await;

    link.subscribe().await;

    assert_eq!(
        lanes_in_file(&source.folder),
        json!({"1": {"serves": ["devices/+"], "also": []}})
    );
}

#[tokio::test]
async fn filters_of_an_earlier_process_are_unsubscribed() {
    let broker = Broker::start().await;
    let folder = earlier_process(&broker, &["devices/+", "old/+"]).await;

    let source = again(&broker, &folder, &["devices/+"]);
    let mut link = broker.accept(true).await;
    assert_eq!(link.grant().await, ["devices/+"]);
    expect_unsubscribe(&mut link, "old/+").await;

    wait_for_file(&folder, json!({"1": {"serves": ["devices/+"], "also": []}})).await;
    stop(source, [link]).await;
}

#[tokio::test]
async fn what_was_not_unsubscribed_yet_is_still_known_to_the_next_process() {
    let broker = Broker::start().await;
    let mut folder = earlier_process(&broker, &["devices/+", "old/+"]).await;
    for _ in 0..2 {
        let source = again(&broker, &folder, &["devices/+"]);
        let mut link = broker.accept(true).await;
        assert_eq!(link.grant().await, ["devices/+"]);
        assert!(matches!(link.read().await, Packet::Unsubscribe(_)));
        folder = stop(source, [link]).await;
    }
    assert_eq!(
        lanes_in_file(&folder),
        json!({"1": {"serves": ["devices/+"], "also": ["old/+"]}})
    );
}

#[tokio::test]
async fn a_lost_session_has_nothing_to_unsubscribe() {
    let broker = Broker::start().await;
    let folder = earlier_process(&broker, &["devices/+", "old/+"]).await;

    let _source = again(&broker, &folder, &["devices/+"]);
    let mut link = broker.accept_and_grant(false).await;

    link.expect_only_pings().await;
    wait_for_file(&folder, json!({"1": {"serves": ["devices/+"], "also": []}})).await;
}

#[tokio::test]
async fn a_filter_stays_in_its_session_over_a_restart() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let first = broker.accept_and_grant(false).await;
    source.filters.send(["devices/+", "+/1"].map(filter).to_vec()).unwrap();
    let second = broker.accept_and_grant(false).await;
    let folder = stop(source, [first, second]).await;

    // A process that knew nothing would do it the other way round.
    let _source = again(&broker, &folder, &["devices/+", "+/1"]);
    for _ in 0..2 {
        let (mut link, connect) = broker.connect().await;
        link.connack(ConnectReturnCode::Success, true).await;
        let expect = match connect.client_id.as_str() {
            "rulemill-test" => "devices/+",
            "rulemill-test-2" => "+/1",
            other => panic!("{other}"),
        };
        assert_eq!(link.grant().await, [expect]);
    }
}

#[tokio::test]
async fn the_session_of_a_connection_that_is_not_needed_any_more_is_given_up() {
    let broker = Broker::start().await;
    let source = Running::start(&broker);
    let first = broker.accept_and_grant(false).await;
    source.filters.send(["devices/+", "+/1"].map(filter).to_vec()).unwrap();
    let second = broker.accept_and_grant(false).await;
    let folder = stop(source, [first, second]).await;

    let _source = again(&broker, &folder, &["devices/+"]);
    for _ in 0..2 {
        let (mut link, connect) = broker.connect().await;
        link.connack(ConnectReturnCode::Success, !connect.clean_session).await;
        match (connect.client_id.as_str(), connect.clean_session) {
            ("rulemill-test", false) => assert_eq!(link.grant().await, ["devices/+"]),
            ("rulemill-test-2", true) => assert_eq!(link.read_any().await, Some(Packet::Disconnect)),
            other => panic!("{other:?}"),
        }
    }

    wait_for_file(&folder, json!({"1": {"serves": ["devices/+"], "also": []}})).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing() {
    let broker = Broker::start().await;
    let folder = earlier_process(&broker, &["devices/+", "old/+"]).await;
    let path = folder.path().join("sessions/default.json");
    let good = std::fs::read_to_string(&path).unwrap();
    for bad in [
        good.replace("rulemill-test", "somebody-else"),
        good.replace('}', ""),
        String::new(),
    ] {
        std::fs::write(&path, bad).unwrap();

        let source = again(&broker, &folder, &["devices/+"]);
        let mut link = broker.accept_and_grant(true).await;

        link.expect_only_pings().await;
        stop(source, [link]).await;
    }
}

#[tokio::test]
async fn a_source_reads_also_when_its_file_cannot_be_written() {
    let broker = Broker::start().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    // A file where the folder should be.
    std::fs::write(folder.path().join("sessions"), "").unwrap();
    let mut source = again(&broker, &folder, &["devices/+"]);
    let mut link = broker.accept_and_grant(false).await;

    link.write(&[publish(1, "a")]).await;

    link.expect_ack(1).await;
    assert_eq!(source.batch().await, ["a"]);
}
