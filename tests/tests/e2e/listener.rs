//! Devices publish straight to rulemill.

use crate::common::{LISTENER, WINDOW_LIMIT, config, counts, reading, topic, window_boundary};
use rulemill_tests::{Device, LIMIT, Publisher, Rulemill, Sandbox, packet, wait_for_async};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_devices_are_counted_exactly() {
    let sandbox = sandbox();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let devices = connect(rulemill.listener).await;
    let mut tasks = JoinSet::new();
    let turns = Arc::new(Semaphore::new(AT_ONCE_MAX));
    for (number, mut device) in devices.into_iter().enumerate() {
        let turns = Arc::clone(&turns);
        tasks.spawn(async move {
            let topic = topic(&number.to_string());
            for _ in 0..2 {
                let _turn = turns.acquire().await.expect("the semaphore stays open");
                device
                    .publish_acknowledged(&topic, reading(20.5, 12).as_bytes())
                    .await?;
                device.publish(&topic, reading(21.5, 12).as_bytes()).await?;
                device.ping().await?;
            }
            // All devices stay connected until the last one is done.
            std::io::Result::Ok(device)
        });
    }
    let devices: Vec<Device> = collect(tasks).await;
    for device in devices {
        device.disconnect().await.expect("the connection is open");
    }
    let mut publisher = Publisher::connect(rulemill.listener);
    window_boundary(&mut publisher, &rulemill, "marker").await;

    let mut counts = counts(&rulemill.emissions_from(0));
    counts.remove("marker");
    assert_eq!(counts.len(), DEVICES);
    let wrong: Vec<_> = counts.iter().filter(|(_, count)| **count != 4).collect();
    assert!(wrong.is_empty(), "each device sent four messages: {wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_beyond_the_bound_is_refused_and_may_come_back() {
    let sandbox = sandbox();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, "clients_max = 2"])).await;
    let first = Device::connect(rulemill.listener, "first")
        .await
        .expect("there is room");
    let mut second = Device::connect(rulemill.listener, "second")
        .await
        .expect("there is room");
    let refused = Device::connect(rulemill.listener, "third")
        .await
        .expect_err("there is no room");
    assert!(
        refused.to_string().contains("[20, 02, 00, 03]"),
        "server unavailable, got: {refused}"
    );
    second.ping().await.expect("the others do not notice");
    first.disconnect().await.expect("the connection is open");
    wait_for_async("room for the third", LIMIT, async || {
        Device::connect(rulemill.listener, "third").await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_misbehaves_loses_its_own_connection_only() {
    let sandbox = sandbox();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER, "packet_bytes_max = \"10KiB\""])).await;
    let mut good = Device::connect(rulemill.listener, "good").await.expect("there is room");
    let too_large = packet::publish("devices/x/messages", &[b' '; 20_000], Some(1));
    let wildcard = packet::publish("devices/+/messages", b"{}", Some(1));
    let empty_topic = packet::publish("", b"{}", Some(1));
    let endless_length = vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let reserved = vec![0xf0, 0x00];
    let second_connect = packet::connect("again");
    for bytes in [
        too_large,
        wildcard,
        empty_topic,
        endless_length,
        reserved,
        second_connect,
    ] {
        let mut bad = Device::connect(rulemill.listener, "bad").await.expect("there is room");
        bad.send(&bytes).await.expect("the connection is open");
        let closed = bad.wait_for_close().await;
        assert!(
            closed.is_ok(),
            "{:02x?} must close the connection",
            &bytes[..bytes.len().min(16)]
        );
        good.publish_acknowledged(&topic("good"), reading(20.0, 30).as_bytes())
            .await
            .expect("others do not notice");
    }
    let all = rulemill
        .wait_for_emissions("all good messages", WINDOW_LIMIT, |all| {
            counts(all).get("good") == Some(&6)
        })
        .await;
    assert_eq!(counts(&all).len(), 1);
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"2s\"");
    sandbox
}

async fn connect(port: u16) -> Vec<Device> {
    let mut tasks = JoinSet::new();
    let turns = Arc::new(Semaphore::new(AT_ONCE_MAX));
    for number in 0..DEVICES {
        let turns = Arc::clone(&turns);
        tasks.spawn(async move {
            let _turn = turns.acquire().await.expect("the semaphore stays open");
            Device::connect(port, &format!("device-{number}")).await
        });
    }
    collect(tasks).await
}

async fn collect(mut tasks: JoinSet<std::io::Result<Device>>) -> Vec<Device> {
    let mut devices = Vec::new();
    let all = async {
        while let Some(done) = tasks.join_next().await {
            devices.push(done.expect("the task did not panic").expect("the listener keeps up"));
        }
    };
    timeout(WINDOW_LIMIT, all).await.expect("the devices are done in time");
    devices
}

const DEVICES: usize = 2_000;
/// How many devices talk at the same moment.
const AT_ONCE_MAX: usize = 100;
