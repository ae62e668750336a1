//! Guests are replaced while messages flow, and every message is counted once.

use crate::common::{FILTER, LISTENER, config, counts, reading, source, topic, window_boundary};
use rulemill_tests::{Access, Mosquitto, Publisher, Rulemill, Sandbox, guest};
use rumqttc::QoS;
use std::time::Duration;
use tokio::time::{Instant, interval};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_is_lost_or_counted_twice_through_the_listener() {
    let sandbox = sandbox();
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;
    let publisher = Publisher::connect(rulemill.listener);
    check(&sandbox, &rulemill, publisher).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_is_lost_or_counted_twice_through_a_broker() {
    let sandbox = sandbox();
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    let rulemill = Rulemill::start(&sandbox, &config(&[&source(&broker)])).await;
    broker.wait_for_subscription(FILTER).await;
    let publisher = Publisher::connect(broker.port);
    check(&sandbox, &rulemill, publisher).await;
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"2s\"");
    sandbox
}

async fn check(sandbox: &Sandbox, rulemill: &Rulemill, mut publisher: Publisher) {
    window_boundary(&mut publisher, rulemill, "before").await;
    let end = Instant::now() + FLOW;
    let (sent, replaced) = tokio::join!(flow(&mut publisher, end), replace(sandbox, end));
    publisher.flush().await;
    window_boundary(&mut publisher, rulemill, "after").await;

    let mut counts = counts(&rulemill.emissions_from(0));
    counts.retain(|device, _| device != "before" && device != "after");
    assert!(
        sent > 20_000,
        "{sent} messages in {FLOW:?} are not the load that was meant"
    );
    assert!(replaced > 10, "{replaced} replacements are not what was meant");
    assert_eq!(counts.values().sum::<u64>(), sent, "{counts:?}");
    assert_eq!(counts.len(), DEVICES);
    let reloads = rulemill
        .metric("rulemill_rule_reloads_total", &["device_temperature", "ok"])
        .await;
    assert!(reloads > 3.0, "{reloads} versions taken of {replaced} files written");
}

/// Publishes until `end`; gives how many.
async fn flow(publisher: &mut Publisher, end: Instant) -> u64 {
    let mut ticks = interval(TICK);
    let topics: Vec<String> = (0..DEVICES).map(|device| topic(&device.to_string())).collect();
    let mut sent = 0;
    while Instant::now() < end {
        ticks.tick().await;
        for topic in topics.iter().cycle().take(MESSAGES_PER_TICK) {
            publisher.publish(topic, reading(20.5, 12), QoS::AtLeastOnce).await;
            sent += 1;
        }
    }
    sent
}

/// Replaces both guests in turn until `end`, by rename and in place; gives how often.
async fn replace(sandbox: &Sandbox, end: Instant) -> u32 {
    let names = ["text.wasm", "device_temperature.wasm"];
    let guests = names.map(|name| std::fs::read(guest(name)).expect("a built guest can be read"));
    let mut ticks = interval(Duration::from_millis(300));
    let mut replaced: u32 = 0;
    while Instant::now() < end {
        ticks.tick().await;
        let which = (replaced % 2) as usize;
        let bytes = with_note(&guests[which], replaced);
        let name = format!("rules.d/{}", names[which]);
        if replaced % 4 < 2 {
            sandbox.replace(&name, &bytes);
        } else {
            sandbox.write(&name, &bytes);
        }
        replaced += 1;
    }
    replaced
}

/// The same guest as another file: with a custom section that holds a number.
fn with_note(wasm: &[u8], number: u32) -> Vec<u8> {
    let mut content = vec![4];
    content.extend(b"note");
    content.extend(number.to_le_bytes());
    let mut wasm = wasm.to_vec();
    wasm.push(0);
    wasm.push(u8::try_from(content.len()).expect("nine bytes"));
    wasm.extend(content);
    wasm
}

const FLOW: Duration = Duration::from_secs(6);
const DEVICES: usize = 50;
/// With [`MESSAGES_PER_TICK`]: 5,000 messages a second.
const TICK: Duration = Duration::from_millis(20);
const MESSAGES_PER_TICK: usize = 100;
