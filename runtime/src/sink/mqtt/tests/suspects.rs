//! Messages over which a broker closes the connection, and brokers that are merely away.

use super::*;

/// Whether the broker of these tests closes the connection over a publish.
fn is_poison(publish: &Publish) -> bool {
    publish.payload.windows(6).any(|part| part == b"poison")
}

#[tokio::test]
async fn a_message_over_which_the_broker_closes_the_connection_is_given_up_and_all_others_arrive() {
    let rig = Rig::start(
        |config| config.topic = "devices/{d}/result".to_owned(),
        SinkFormat::Array,
        PATIENCE,
    )
    .await;
    rig.push(rows(&[r#"{"d":1}"#]));
    rig.push(rows(&[
        r#"{"d":2}"#,
        r#"{"d":"poison","n":1}"#,
        r#"{"d":3}"#,
        r#"{"d":"poison","n":2}"#,
    ]));
    rig.push(rows(&[r#"{"d":4}"#]));
    let mut seen = Vec::new();
    let playing = async {
        loop {
            let mut peer = rig.connect().await;
            while let Some(packet) = peer.try_read().await {
                let Packet::Publish(publish) = packet else { continue };
                if is_poison(&publish) {
                    break;
                }
                peer.acknowledge(&publish).await;
                seen.push(publish.topic.clone());
            }
        }
    };
    tokio::select! {
        () = rig.emptied() => {}
        () = playing => {}
    }
    for topic in [
        "devices/1/result",
        "devices/2/result",
        "devices/3/result",
        "devices/4/result",
    ] {
        assert!(seen.iter().any(|other| other == topic), "{topic} in {seen:?}");
    }
    let reasons = dead_reasons(&rig.delivery, rig.folder.path());
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("closed the connection 2 times"), "{reasons:?}");
    assert!(reasons[0].contains("\"devices/poison/result\""), "{reasons:?}");
    let counters = &rig.delivery.counters;
    assert_eq!(
        (
            counters.dropped("refused").get(),
            counters.emissions.get(),
            counters.rows.get()
        ),
        (2, 3, 4)
    );
}

#[tokio::test]
async fn suspects_are_sent_alone_and_what_comes_after_them_is_not() {
    let rig = Rig::usual().await;
    for name in ["a", "b"] {
        rig.push(emission(name));
    }
    for _ in 0..3 {
        let mut peer = rig.connect().await;
        peer.publishes(2).await;
    }
    let mut peer = rig.connect().await;
    for name in ["c", "d"] {
        rig.push(emission(name));
    }
    for name in ["a", "b"] {
        let publishes = peer.publishes(1).await;
        assert_eq!(payloads(&publishes), named(&[name]));
        assert_eq!(rig.delivery.counters.in_flight.get(), 1);
        peer.acknowledge(&publishes[0]).await;
    }
    let publishes = peer.publishes(2).await;
    assert_eq!(payloads(&publishes), named(&["c", "d"]));
    for publish in &publishes {
        peer.acknowledge(publish).await;
    }
    rig.emptied().await;
    assert_eq!(rig.delivery.counters.emissions.get(), 4);
}

#[tokio::test]
async fn a_broker_that_is_away_costs_no_message() {
    let rig = Rig::usual().await;
    rig.push(emission("a"));
    // Gone while a message is in flight, which may be chance, and then for long: at once, after CONNECT, as a refusal.
    drop_after_publish(&rig, 3).await;
    for round in 0..12 {
        let mut peer = rig.accept().await;
        if round % 3 > 0 {
            peer.read().await;
        }
        if round % 3 > 1 {
            let refusal = ConnAck::new(ConnectReturnCode::ServiceUnavailable, false);
            peer.write(Packet::ConnAck(refusal)).await;
        }
    }
    drop_after_publish(&rig, 1).await;
    let mut peer = rig.connect().await;
    let publishes = peer.publishes(1).await;
    assert_eq!(payloads(&publishes), named(&["a"]));
    peer.acknowledge(&publishes[0]).await;
    rig.emptied().await;
    assert_eq!(rig.delivery.counters.emissions.get(), 1);
    assert_eq!(dead_reasons(&rig.delivery, rig.folder.path()), [""; 0]);
}

async fn drop_after_publish(rig: &Rig, times: u32) {
    for _ in 0..times {
        rig.connect().await.publishes(1).await;
    }
}

#[tokio::test]
async fn a_broker_that_never_acknowledges_costs_no_message() {
    let rig = Rig::start(|_| {}, SinkFormat::Array, Duration::from_millis(40)).await;
    rig.push(emission("a"));
    for _ in 0..8 {
        let mut peer = rig.connect().await;
        while peer.try_read().await.is_some() {}
    }
    assert_eq!(rig.waiting(), 1);
    assert_eq!(dead_reasons(&rig.delivery, rig.folder.path()), [""; 0]);
}
