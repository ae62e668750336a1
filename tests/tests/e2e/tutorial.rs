//! The tutorial: ten messages in two windows give exactly its two results, here and in the cloud.

use crate::common::{FILTER, WINDOW_LIMIT, config, reading, source, topic, window_boundary};
use rulemill_tests::{Access, Authority, Mosquitto, Publisher, Rulemill, Sandbox, Subscriber, wait_for};
use rumqttc::QoS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_messages_in_two_windows_give_the_tutorials_results() {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write(
        "rules.d/device_temperature.toml",
        "window = \"3s\"\nsinks = [\"log\", \"aws\"]",
    );
    let authority = Authority::new(&sandbox);
    let server = authority.server(&sandbox);
    let devices = Mosquitto::start(&sandbox, Access::Open).await;
    let access = Access::MutualTls {
        ca: &authority.ca,
        server: &server,
    };
    let cloud = Mosquitto::start(&sandbox, access).await;
    let reader = authority.client(&sandbox, "reader");
    let results = Subscriber::connect_tls(&cloud, "devices/result", &authority.ca, &reader).await;
    authority.client(&sandbox, "demo_001");
    let sink = format!(
        r#"
        [sink.aws]
        type = "mqtt"
        server = "{}"
        topic = "devices/result"
        qos = 1
        client_id = "demo_001"
        ca = "ca.pem"
        cert = "demo_001.pem"
        key = "demo_001.key"
        "#,
        cloud.ssl_url()
    );
    let rulemill = Rulemill::start(&sandbox, &config(&[&source(&devices), &sink])).await;
    devices.wait_for_subscription(FILTER).await;
    let mut publisher = Publisher::connect(devices.port);

    let start = window_boundary(&mut publisher, &rulemill, "marker").await;
    for (window, messages) in WINDOWS.iter().enumerate() {
        for (device, temperature, humidity) in messages {
            let payload = reading(*temperature, *humidity);
            publisher.publish(&topic(device), payload, QoS::AtLeastOnce).await;
        }
        publisher.flush().await;
        wait_for("the window's emission", WINDOW_LIMIT, || {
            (rulemill.stdout().len() > start + window).then_some(())
        })
        .await;
    }

    assert_eq!(rulemill.stdout().lines_from(start), RESULTS);
    let received = results.wait_for_payloads(start + 2, WINDOW_LIMIT).await;
    assert_eq!(received[start..], RESULTS);
    assert_eq!(
        received[..start],
        rulemill.stdout().lines()[..start],
        "the cloud has what the log has"
    );
}

const WINDOWS: [[(&str, f64, i64); 5]; 2] = [
    [
        ("1", 20.0, 30),
        ("2", 31.0, 40),
        ("1", 35.0, 50),
        ("2", 20.0, 30),
        ("1", 80.0, 90),
    ],
    [
        ("2", 45.0, 20),
        ("1", 10.0, 90),
        ("2", 12.0, 30),
        ("1", 65.0, 35),
        ("2", 55.0, 32),
    ],
];

const RESULTS: [&str; 2] = [
    r#"[{"device_id":"1","t_av":45,"t_count":3,"t_max":80,"t_min":20},{"device_id":"2","t_av":25.5,"t_count":2,"t_max":31,"t_min":20}]"#,
    r#"[{"device_id":"2","t_av":37.333333333333336,"t_count":3,"t_max":55,"t_min":12},{"device_id":"1","t_av":37.5,"t_count":2,"t_max":65,"t_min":10}]"#,
];
