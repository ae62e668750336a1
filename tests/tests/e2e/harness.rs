//! What the other stories take for granted about their brokers.

use rulemill_tests::{
    Access, Authority, Device, HttpReceiver, LIMIT, Mosquitto, Proxy, Publisher, Route, Sandbox, Subscriber, Wire,
    wait_for,
};
use rumqttc::QoS;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_keeps_its_sessions_over_a_restart() {
    let sandbox = Sandbox::new();
    let mut broker = Mosquitto::start(&sandbox, Access::Open).await;
    let subscriber = Subscriber::connect(&broker, "a/+").await;
    let mut publisher = Publisher::connect(broker.port);
    publisher.publish("a/1", "one", QoS::AtLeastOnce).await;
    publisher.publish("b/1", "elsewhere", QoS::AtMostOnce).await;
    publisher.flush().await;
    assert_eq!(subscriber.wait_for_payloads(1, LIMIT).await, ["one"]);

    broker.stop().await;
    broker.restart().await;
    let mut publisher = Publisher::connect(broker.port);
    publisher.publish("a/2", "two", QoS::AtLeastOnce).await;
    publisher.flush().await;
    assert_eq!(subscriber.wait_for_payloads(2, LIMIT).await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_asks_for_certificates_serves_only_those_who_have_one() {
    let sandbox = Sandbox::new();
    let authority = Authority::new(&sandbox);
    let server = authority.server(&sandbox);
    let access = Access::MutualTls {
        ca: &authority.ca,
        server: &server,
    };
    let broker = Mosquitto::start(&sandbox, access).await;
    let client = authority.client(&sandbox, "client");
    let known = Subscriber::connect_tls(&broker, "a", &authority.ca, &client).await;

    let elsewhere = Sandbox::new();
    let stranger = Authority::new(&elsewhere).client(&elsewhere, "stranger");
    let stranger = Subscriber::connect_tls(&broker, "a", &authority.ca, &stranger);
    assert!(
        timeout(Duration::from_secs(1), stranger).await.is_err(),
        "another authority's client is served"
    );
    wait_for("the refusal", LIMIT, || {
        broker.log().text().to_lowercase().contains("ssl").then_some(())
    })
    .await;
    assert!(known.payloads().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_before_such_a_broker_asks_for_certificates_too() {
    let sandbox = Sandbox::new();
    let authority = Authority::new(&sandbox);
    let server = authority.server(&sandbox);
    let access = Access::MutualTls {
        ca: &authority.ca,
        server: &server,
    };
    let broker = Mosquitto::start(&sandbox, access).await;
    let route = Route {
        broker: broker.port,
        wire: Wire::MutualTls {
            authority: &authority,
            server: &server,
            client: &authority.client(&sandbox, "proxy"),
        },
        seed: 1,
        acknowledged: Arc::new(|_| {}),
    };
    let proxy = Proxy::start(route).await;
    let client = authority.client(&sandbox, "client");
    let known = Subscriber::connect_tls_at(proxy.port, "a", &authority.ca, &client).await;
    assert!(known.payloads().is_empty());
    assert!(
        Device::connect(proxy.port, "stranger").await.is_err(),
        "a client without a certificate is served"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_server_refuses_so_many_requests_and_keeps_the_others() {
    let receiver = HttpReceiver::start(1).await;
    for (body, status) in [("first", "503"), ("second", "200"), ("", "200")] {
        let mut stream = TcpStream::connect(("127.0.0.1", receiver.port))
            .await
            .expect("it listens");
        let request = format!(
            "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        stream.shutdown().await.expect("the connection is open");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.expect("it answers");
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{body}: {reply}");
    }
    assert_eq!(receiver.bodies(), ["second", ""]);
    assert_eq!(receiver.refusals_left(), 0);
}
