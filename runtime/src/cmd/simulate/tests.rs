//! The command against the built-in listener and against a broker in the hands of the test.

use super::*;
use crate::config::{Durability, ListenerConfig};
use crate::handover::test::acceptor;
use crate::ingest::listener::Listener;
use crate::ingest::mqtt::tests::broker::Broker;
use crate::ingest::{Inlet, Rejects};
use crate::message::Delivery;
use crate::telemetry::listener::ListenerMetrics;
use clap::Parser;
use rumqttc::Packet;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn args(line: &[&str]) -> Result<SimulateArgs, clap::Error> {
    Line::try_parse_from(std::iter::once("simulate").chain(line.iter().copied())).map(|line| line.args)
}

/// A listener, what it takes, and its port.
async fn listener() -> (mpsc::Receiver<Delivery>, u16, watch::Sender<bool>) {
    let config = ListenerConfig {
        mqtt: "127.0.0.1:0".parse().unwrap(),
        clients_max: 10,
        packet_bytes_max: 1 << 20,
        inflight_max: 20,
        durability: Durability::None,
    };
    let listener = Listener::bind(config).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (offers, mill) = acceptor(10_000);
    let (stop, stopped) = watch::channel(false);
    let rejects = Rejects::new(|_, _, reason| panic!("{reason}"));
    tokio::spawn(listener.run(
        Inlet::new("listener", Durability::None, offers),
        rejects,
        ListenerMetrics::default(),
        stopped,
    ));
    (mill, port, stop)
}

/// The topics and payloads that are there.
fn taken(mill: &mut mpsc::Receiver<Delivery>) -> Vec<(String, String)> {
    let mut taken = Vec::new();
    while let Ok(delivery) = mill.try_recv() {
        for message in &*delivery.messages {
            taken.push((
                message.topic.to_string(),
                String::from_utf8(message.payload.to_vec()).unwrap(),
            ));
        }
    }
    taken
}

#[tokio::test]
async fn as_many_messages_as_asked_for_are_acknowledged() {
    let (mut mill, port, _stop) = listener().await;
    let server = format!("tcp://127.0.0.1:{port}");
    let line = [
        "--server",
        &server,
        "--count",
        "500",
        "--rate",
        "0",
        "--qos",
        "1",
        "--devices",
        "3",
    ];

    run(args(&line).unwrap()).await.unwrap();

    let taken = taken(&mut mill);
    assert_eq!(taken.len(), 500);
    let topics: BTreeSet<&str> = taken.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(
        topics,
        BTreeSet::from(["devices/1/messages", "devices/2/messages", "devices/3/messages"])
    );
    for (_, payload) in &taken {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        assert!((15.0..=35.0).contains(&payload["temperature"].as_f64().unwrap()));
        assert!((30..=90).contains(&payload["humidity"].as_i64().unwrap()));
    }
}

#[tokio::test]
async fn a_file_is_replayed_once() {
    let (mut mill, port, _stop) = listener().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    std::fs::write(&path, "topic,temperature\na,1\nb,2\n").unwrap();
    let server = format!("tcp://127.0.0.1:{port}");

    run(args(&["--server", &server, "--file", path.to_str().unwrap(), "--qos", "1"]).unwrap())
        .await
        .unwrap();

    let expect = [("a", r#"{"temperature":1}"#), ("b", r#"{"temperature":2}"#)];
    assert_eq!(
        taken(&mut mill),
        expect.map(|(topic, payload)| (topic.to_owned(), payload.to_owned()))
    );
}

#[tokio::test]
async fn messages_of_a_lost_connection_are_sent_again() {
    let broker = Broker::start().await;
    let line = [
        "--count",
        "3",
        "--rate",
        "0",
        "--qos",
        "1",
        "--payload",
        "{seq}",
        "--devices",
        "1",
    ];
    let mut plan = args(&line).unwrap().plan().unwrap();
    plan.options = MqttOptions::new("test", "127.0.0.1", broker.port());
    plan.retry = Duration::from_millis(1);
    let mut numbers = 1..;
    let mut next = move || {
        let payload = numbers.next().map(|number| number.to_string().into_bytes());
        payload.map(|payload| Sample {
            topic: "t".into(),
            payload,
        })
    };
    let publishing = async {
        publisher::publish(&plan, &mut next, std::future::pending(), |_| {})
            .await
            .unwrap()
    };
    let brokering = async {
        let mut link = broker.accept(false).await;
        let mut first = None;
        for _ in 0..3 {
            let Packet::Publish(publish) = link.read().await else {
                panic!("a message")
            };
            first.get_or_insert(publish);
        }
        let acknowledged = first.unwrap();
        link.write(&[
            Packet::PubAck(rumqttc::PubAck::new(acknowledged.pkid)),
            Packet::PingResp,
        ])
        .await;
        link.close_after_reading().await;
        let mut link = broker.accept(false).await;
        let mut received = BTreeSet::from([acknowledged.payload]);
        for _ in 0..2 {
            let Packet::Publish(publish) = link.read().await else {
                panic!("a message")
            };
            received.insert(publish.payload.clone());
            link.write(&[Packet::PubAck(rumqttc::PubAck::new(publish.pkid))]).await;
        }
        assert_eq!(link.read_any().await, Some(Packet::Disconnect));
        received
    };

    let (outcome, received) = tokio::join!(publishing, brokering);

    assert_eq!(
        outcome,
        Outcome {
            arrived: 3,
            unacknowledged: 0
        }
    );
    assert_eq!(received, BTreeSet::from(["1".into(), "2".into(), "3".into()]));
}

#[tokio::test]
async fn a_number_that_was_asked_for_is_waited_for_and_an_interrupt_is_not() {
    let broker = Broker::start().await;
    let line = ["--count", "1", "--qos", "1"];
    let mut plan = args(&line).unwrap().plan().unwrap();
    plan.options = MqttOptions::new("test", "127.0.0.1", broker.port());
    let mut next = || {
        Some(Sample {
            topic: "t".into(),
            payload: Vec::new(),
        })
    };
    let mut publishing = Box::pin(publisher::publish(&plan, &mut next, std::future::pending(), |_| {}));
    let silent = async {
        let mut link = broker.accept(false).await;
        assert!(matches!(link.read().await, Packet::Publish(_)));
        link
    };
    let mut link = tokio::select! {
        outcome = &mut publishing => panic!("ended without an acknowledgement: {outcome:?}"),
        link = silent => link,
    };
    let acknowledge = async {
        link.write(&[Packet::PubAck(rumqttc::PubAck::new(1))]).await;
        assert_eq!(link.read_any().await, Some(Packet::Disconnect));
        drop(link);
    };
    let (outcome, ()) = tokio::join!(publishing, acknowledge);
    let arrived = Outcome {
        arrived: 1,
        unacknowledged: 0,
    };
    assert_eq!(outcome.unwrap(), arrived);

    let mut next = || None;
    let nothing = publisher::publish(&plan, &mut next, std::future::ready(()), |_| {}).await;
    assert_eq!(nothing.unwrap().arrived, 0);
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_an_error() {
    let error = run(args(&["--server", "tcp://host.invalid:1"]).unwrap())
        .await
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(text.starts_with("cannot connect to host.invalid:1: "), "{text}");
}

#[tokio::test]
async fn what_was_read_before_a_bad_row_is_published() {
    let (mut mill, port, _stop) = listener().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.jsonl");
    std::fs::write(&path, "1\n2\n{\n4\n").unwrap();
    let server = format!("tcp://127.0.0.1:{port}");

    let line = [
        "--server",
        &server,
        "--file",
        path.to_str().unwrap(),
        "--rate",
        "0",
        "--qos",
        "1",
    ];
    let error = run(args(&line).unwrap()).await.unwrap_err();

    assert!(
        format!("{error:#}").starts_with("cannot replay the rest: row 3: not JSON"),
        "{error:#}"
    );
    let payloads: Vec<String> = taken(&mut mill).into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(payloads, ["1", "2"]);
}

#[tokio::test]
async fn the_time_ends_it() {
    let (mut mill, port, _stop) = listener().await;
    let server = format!("tcp://127.0.0.1:{port}");
    run(args(&["--server", &server, "--for", "200ms", "--rate", "100", "--qos", "1"]).unwrap())
        .await
        .unwrap();
    let count = taken(&mut mill).len();
    assert!((1..=21).contains(&count), "{count}");
}

#[test]
fn wrong_arguments_are_refused() {
    for line in [
        &["--server", "127.0.0.1"][..],
        &["--devices", "0"],
        &["--rate", "-1"],
        &["--rate", "nan"],
        &["--qos", "2"],
        &["--payload", "{tiem}"],
        &["--topic", "a/#"],
        &["--topic", "+/{id}"],
        &["--topic", ""],
        &["--cert", "a.pem"],
        &["--password", "x"],
        &["--file", "a.csv", "--payload", "x"],
    ] {
        assert!(args(line).is_err(), "{line:?}");
    }
    let error = args(&["--ca", "a.pem"]).unwrap().plan().unwrap_err().to_string();
    assert_eq!(
        error,
        "--ca, --cert and --key need a server that starts with ssl://, got tcp://127.0.0.1:1883"
    );
}

#[test]
fn the_summary_says_what_was_reached() {
    let outcome = Outcome {
        arrived: 50,
        unacknowledged: 0,
    };
    let text = summary(&outcome, QoS::AtLeastOnce, Duration::from_secs(5));
    assert_eq!(text, "50 messages acknowledged in 5.0 s, 10.0/s");
}
