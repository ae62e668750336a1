//! Guests are replaced while messages flow, and every message is counted once.

use crate::common::{FILTER, LISTENER, config, counts, reading, source, topic, window_boundary};
use rulemill_tests::{Access, Mosquitto, Publisher, Rulemill, Sandbox, guest};
use rumqttc::QoS;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{interval, timeout};

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
    let progress = Progress::default();
    let both = async { tokio::join!(flow(&mut publisher, &progress), replace(sandbox, rulemill, &progress)) };
    timeout(FLOW_LIMIT, both)
        .await
        .expect("messages flow and versions are taken");
    publisher.flush().await;
    window_boundary(&mut publisher, rulemill, "after").await;

    let mut counts = counts(&rulemill.emissions_from(0));
    counts.retain(|device, _| device != "before" && device != "after");
    assert_eq!(counts.values().sum::<u64>(), progress.sent.get(), "{counts:?}");
    assert_eq!(counts.len(), DEVICES);
}

/// How far both sides have come. Each goes on until the other has done enough.
#[derive(Default)]
struct Progress {
    sent: Cell<u64>,
    taken: Cell<f64>,
}

impl Progress {
    fn is_enough(&self) -> bool {
        self.sent.get() >= MESSAGES_MIN && self.taken.get() >= VERSIONS_MIN
    }
}

/// Publishes 5,000 messages a second.
async fn flow(publisher: &mut Publisher, progress: &Progress) {
    let mut ticks = interval(TICK);
    let topics: Vec<String> = (0..DEVICES).map(|device| topic(&device.to_string())).collect();
    while !progress.is_enough() {
        ticks.tick().await;
        for topic in topics.iter().cycle().take(MESSAGES_PER_TICK) {
            publisher.publish(topic, reading(20.5, 12), QoS::AtLeastOnce).await;
            progress.sent.update(|sent| sent + 1);
        }
    }
}

/// Replaces both guests in turn, by rename and in place, whether or not the last one has been taken already.
async fn replace(sandbox: &Sandbox, rulemill: &Rulemill, progress: &Progress) {
    let names = ["text.wasm", "device_temperature.wasm"];
    let guests = names.map(|name| std::fs::read(guest(name)).expect("a built guest can be read"));
    let mut ticks = interval(Duration::from_millis(300));
    for number in 0_u32.. {
        ticks.tick().await;
        let which = (number % 2) as usize;
        let bytes = with_note(&guests[which], number);
        let name = format!("rules.d/{}", names[which]);
        if number % 4 < 2 {
            sandbox.replace(&name, &bytes);
        } else {
            sandbox.write(&name, &bytes);
        }
        // Of the guest that was replaced less often.
        let mut taken = f64::MAX;
        for guest in ["device_temperature", "text"] {
            taken = taken.min(rulemill.metric("rulemill_rule_reloads_total", &[guest, "ok"]).await);
        }
        progress.taken.set(taken);
        if progress.is_enough() {
            return;
        }
    }
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

const MESSAGES_MIN: u64 = 30_000;
const VERSIONS_MIN: f64 = 6.0;
const FLOW_LIMIT: Duration = Duration::from_secs(60);
const DEVICES: usize = 50;
/// With [`MESSAGES_PER_TICK`]: 5,000 messages a second.
const TICK: Duration = Duration::from_millis(20);
const MESSAGES_PER_TICK: usize = 100;
