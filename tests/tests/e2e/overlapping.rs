//! Two rules whose topic filters overlap in part: each counts each of its messages once, whoever comes and goes.

use crate::common::{WINDOW_LIMIT, config, reading, source};
use rulemill_tests::{Access, LIMIT, Mosquitto, Publisher, Rulemill, Sandbox, wait_for, wait_for_async};
use rumqttc::QoS;
use serde_json::Value;
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_with_overlapping_filters_count_each_message_once() {
    let sandbox = sandbox();
    by_kind(&sandbox);
    by_device(&sandbox);
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    let mut rulemill = Rulemill::start(&sandbox, &configuration(&broker)).await;
    for filter in [BY_KIND, BY_DEVICE] {
        broker.wait_for_subscription(filter).await;
    }
    assert!(
        !broker.log().text().contains("+/+/messages"),
        "no filter is wider than asked for"
    );
    assert_eq!(lanes(&rulemill).await, 2.0);

    let mut publisher = Publisher::connect(broker.port);
    publish(&mut publisher, 100).await;
    publisher.flush().await;
    wait_for_counts(&sandbox, [("d1", 300), ("d2", 100)]).await;

    assert_eq!(rulemill.stop().await.code(), Some(0));
    assert_eq!(
        counts(&sandbox, "by_kind"),
        [("d1", 100), ("d2", 100)].map(owned).into()
    );
    assert_eq!(counts(&sandbox, "by_device"), [("d1", 200)].map(owned).into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_overlaps_another_comes_and_goes_without_the_other_noticing() {
    let sandbox = sandbox();
    by_kind(&sandbox);
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    let mut rulemill = Rulemill::start(&sandbox, &configuration(&broker)).await;
    broker.wait_for_subscription(BY_KIND).await;
    let mut publisher = Publisher::connect(broker.port);
    let mut rounds = 0;
    for expect in [2.0, 1.0, 2.0, 1.0] {
        if expect == 2.0 {
            by_device(&sandbox);
        } else {
            // In this order: without the file beside it the rule would listen and send elsewhere.
            sandbox.remove("rules.d/by_device.wasm");
            sandbox.remove("rules.d/by_device.toml");
        }
        wait_for_async("the connections that the rules need", LIMIT, async || {
            publish(&mut publisher, 1).await;
            rounds += 1;
            (lanes(&rulemill).await == expect).then_some(())
        })
        .await;
        publish(&mut publisher, 50).await;
        rounds += 50;
    }
    publisher.flush().await;
    wait_for("every message", WINDOW_LIMIT, || {
        (counts(&sandbox, "by_kind").get("d2") == Some(&rounds)).then_some(())
    })
    .await;

    assert_eq!(rulemill.stop().await.code(), Some(0));
    assert_eq!(
        counts(&sandbox, "by_kind"),
        [("d1", rounds), ("d2", rounds)].map(owned).into()
    );
    let by_device = counts(&sandbox, "by_device");
    assert!(by_device["d1"] >= 100 && by_device["d1"] <= 2 * rounds, "{by_device:?}");
}

/// While rulemill is away the broker keeps a copy in each session. The rules were added one after the other, so that a
/// process that knew nothing of the last one would give their filters to each other's sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_wait_for_a_restart_are_counted_once() {
    let sandbox = sandbox();
    by_kind(&sandbox);
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    let configuration = configuration(&broker);
    let mut rulemill = Rulemill::start(&sandbox, &configuration).await;
    by_device(&sandbox);
    for filter in [BY_KIND, BY_DEVICE] {
        broker.wait_for_subscription(filter).await;
    }
    assert_eq!(rulemill.stop().await.code(), Some(0));

    let mut publisher = Publisher::connect(broker.port);
    publish(&mut publisher, 100).await;
    publisher.flush().await;
    let mut rulemill = Rulemill::start(&sandbox, &configuration).await;
    wait_for_counts(&sandbox, [("d1", 300), ("d2", 100)]).await;

    assert_eq!(rulemill.stop().await.code(), Some(0));
    assert_eq!(
        counts(&sandbox, "by_kind"),
        [("d1", 100), ("d2", 100)].map(owned).into()
    );
    assert_eq!(counts(&sandbox, "by_device"), [("d1", 200)].map(owned).into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rules_that_were_removed_left_at_the_broker_is_given_up_at_the_next_start() {
    let sandbox = sandbox();
    by_kind(&sandbox);
    by_device(&sandbox);
    rule(&sandbox, "elsewhere", "elsewhere/#");
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    let configuration = format!("{}\n[sink.elsewhere]\ntype = \"log\"", configuration(&broker))
        .replace("[source.default]", "[source.default]\nclient_id = \"mill\"");
    let mut rulemill = Rulemill::start(&sandbox, &configuration).await;
    for filter in [BY_KIND, BY_DEVICE, "elsewhere/#"] {
        broker.wait_for_subscription(filter).await;
    }
    assert_eq!(rulemill.stop().await.code(), Some(0));
    for name in ["by_device", "elsewhere"] {
        sandbox.remove(&format!("rules.d/{name}.toml"));
        sandbox.remove(&format!("rules.d/{name}.wasm"));
    }

    let rulemill = Rulemill::start(&sandbox, &configuration).await;

    // The widest filter was given out first, and the first connection could take that of the rule that is left as well.
    wait_for("what is not needed to be given up", LIMIT, || {
        let log = broker.log().text();
        let unsubscribed = log
            .lines()
            .skip_while(|line| !line.contains("Received UNSUBSCRIBE from mill"));
        let unsubscribed = unsubscribed.take(3).any(|line| line.contains("elsewhere/#"));
        let clean = log.lines().any(|line| line.contains(" as mill-2 (p2, c1,"));
        (unsubscribed && clean).then_some(())
    })
    .await;
    let mut publisher = Publisher::connect(broker.port);
    publish(&mut publisher, 10).await;
    publisher
        .publish("elsewhere/d1/messages", reading(20.0, 30), QoS::AtLeastOnce)
        .await;
    publisher.flush().await;
    wait_for("the messages of the rule that is left", WINDOW_LIMIT, || {
        (counts(&sandbox, "by_kind") == [("d1", 10), ("d2", 10)].map(owned).into()).then_some(())
    })
    .await;
    assert_eq!(
        rulemill.metric("rulemill_source_messages_total", &[]).await,
        20.0,
        "nothing else comes"
    );
}

fn sandbox() -> Sandbox {
    Sandbox::with_guests(&["text.wasm"])
}

/// Messages of all devices of a kind.
const BY_KIND: &str = "devices/+/messages";

/// Messages of one device of any kind.
const BY_DEVICE: &str = "+/d1/messages";

fn by_kind(sandbox: &Sandbox) {
    rule(sandbox, "by_kind", BY_KIND);
}

fn by_device(sandbox: &Sandbox) {
    rule(sandbox, "by_device", BY_DEVICE);
}

/// The shipped rule, listening elsewhere, with a sink of its own.
fn rule(sandbox: &Sandbox, name: &str, filter: &str) {
    let sidecar = format!("topics = [\"{filter}\"]\nsinks = [\"{name}\"]\nwindow = \"200ms\"");
    sandbox.write(&format!("rules.d/{name}.toml"), sidecar);
    let wasm = std::fs::read(rulemill_tests::guest("device_temperature.wasm")).expect("a built guest can be read");
    sandbox.replace(&format!("rules.d/{name}.wasm"), &wasm);
}

fn configuration(broker: &Mosquitto) -> String {
    let sink = |name: &str| format!("[sink.{name}]\ntype = \"file\"\npath = \"{name}.jsonl\"");
    config(&[&source(broker), &sink("by_kind"), &sink("by_device")])
}

/// A message for both rules, and one for each of them alone, so many times.
async fn publish(publisher: &mut Publisher, rounds: usize) {
    for _ in 0..rounds {
        for topic in ["devices/d1/messages", "devices/d2/messages", "rooms/d1/messages"] {
            publisher.publish(topic, reading(20.0, 30), QoS::AtLeastOnce).await;
        }
    }
}

/// How often each device was counted by a rule.
fn counts(sandbox: &Sandbox, rule: &str) -> BTreeMap<String, u64> {
    let text = sandbox.read(&format!("{rule}.jsonl"));
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let emissions = whole
        .lines()
        .map(|line| serde_json::from_str::<Vec<Value>>(line).expect("a line is an array"));
    crate::common::counts(&emissions.collect::<Vec<_>>())
}

async fn wait_for_counts(sandbox: &Sandbox, expect: [(&str, u64); 2]) {
    wait_for("every message", WINDOW_LIMIT, || {
        let mut sum = counts(sandbox, "by_kind");
        for (device, count) in counts(sandbox, "by_device") {
            *sum.entry(device).or_default() += count;
        }
        expect
            .iter()
            .all(|(device, count)| sum.get(*device) >= Some(count))
            .then_some(())
    })
    .await;
}

fn owned((device, count): (&str, u64)) -> (String, u64) {
    (device.to_owned(), count)
}

/// How many connections are up, of those that are needed.
async fn lanes(rulemill: &Rulemill) -> f64 {
    rulemill.metric("rulemill_source_lanes_connected", &[]).await
}
