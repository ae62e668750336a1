//! The process stops in good order and takes on another configuration.

use crate::common::{LISTENER, WINDOW_LIMIT, config, counts, reading, source, topic};
use rulemill_tests::{
    Access, HttpReceiver, LIMIT, Mosquitto, Publisher, Rulemill, Sandbox, run_to_end, wait_for, wait_for_async,
};
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, Outgoing, QoS};
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_sends_what_is_waiting_before_it_ends() {
    let receiver = HttpReceiver::start(2).await;
    let sandbox = sandbox();
    let sink = format!(
        "[sink.web]\ntype = \"http\"\nurl = \"http://127.0.0.1:{}/\"",
        receiver.port
    );
    let sinks = "default_sinks = [\"log\", \"web\"]";
    let text = format!("stop_timeout = \"15s\"\n{}", config(&[LISTENER, &sink]));
    let text = text.replace("[rules]", &format!("[rules]\n{sinks}"));
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    for _ in 0..100 {
        publisher
            .publish(&topic("a"), reading(20.5, 12), QoS::AtLeastOnce)
            .await;
    }
    publisher.flush().await;

    let status = rulemill.stop().await;
    assert_eq!(status.code(), Some(0));
    let counted = counts(&rulemill.emissions_from(0));
    assert_eq!(
        counted.get("a"),
        Some(&100),
        "what was acknowledged is in a window, also in one that is open"
    );
    assert_eq!(receiver.bodies(), rulemill.stdout().lines());
    assert_eq!(receiver.refusals_left(), 0);
}

/// A sink that blocks holds up the mill; a stop must let it through, or the last windows are lost for every sink.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_emits_the_last_windows_though_a_sink_blocks() {
    let sandbox = sandbox();
    let stuck = "[sink.stuck]\ntype = \"mqtt\"\nserver = \"tcp://127.0.0.1:9\"\ntopic = \"x\"\n\
                 on_full = \"block\"\nqueue_bytes_max = \"64KiB\"";
    let text = format!("stop_timeout = \"3s\"\n{}", config(&[LISTENER, stuck]));
    let text = text.replace("[rules]", "[rules]\ndefault_sinks = [\"stuck\", \"log\"]");
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    let mut sent = 0;
    loop {
        let seen = rulemill.stdout().len();
        for device in 0..300 {
            let topic = topic(&format!("device-{device:030}"));
            publisher.publish(&topic, reading(20.5, 12), QoS::AtLeastOnce).await;
        }
        publisher.flush().await;
        sent += 300;
        let emitted = wait_for("the emission", BLOCKED_AFTER, || {
            (rulemill.stdout().len() > seen).then_some(())
        });
        if timeout(BLOCKED_AFTER / 2, emitted).await.is_err() {
            break;
        }
        assert!(sent < 30_000, "the sink must block");
    }

    let status = rulemill.stop().await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(counts(&rulemill.emissions_from(0)).values().sum::<u64>(), sent);
}

/// The first signal waits for the sink for a minute, which is longer than [`Rulemill::stop`] waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_stops_at_once_and_says_what_is_lost() {
    let sandbox = sandbox();
    let away = "[sink.away]\ntype = \"mqtt\"\nserver = \"tcp://127.0.0.1:9\"\ntopic = \"x\"\nqueue = \"memory\"";
    let text = format!("stop_timeout = \"60s\"\n{}", config(&[LISTENER, away]));
    let text = text.replace("[rules]", "[rules]\ndefault_sinks = [\"away\", \"log\"]");
    let mut rulemill = Rulemill::start(&sandbox, &text).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher
        .publish(&topic("a"), reading(20.5, 12), QoS::AtLeastOnce)
        .await;
    rulemill
        .wait_for_emissions("an emission", LIMIT, |all| !all.is_empty())
        .await;

    rulemill.interrupt().await;
    let status = rulemill.stop().await;
    assert_eq!(status.code(), Some(1));
    let log = rulemill.log().text();
    assert!(log.contains("not delivered before the stop sink=\"away\""), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_adds_a_sink_without_losing_a_window() {
    let sandbox = sandbox();
    let before = config(&[LISTENER]);
    let after = config(&[LISTENER, "[sink.file]\ntype = \"file\"\npath = \"results.jsonl\""])
        .replace("[rules]", "[rules]\ndefault_sinks = [\"log\", \"file\"]");
    let rulemill = Rulemill::start(&sandbox, &before).await;
    let mut publisher = Publisher::connect(rulemill.listener);
    rulemill.reconfigure(&after);
    let mut sent = 0;
    wait_for_async("an emission in the new file", WINDOW_LIMIT, async || {
        publisher
            .publish(&topic("a"), reading(20.5, 12), QoS::AtLeastOnce)
            .await;
        sent += 1;
        (!sandbox.read("results.jsonl").is_empty()).then_some(())
    })
    .await;
    let counted = |all: &[Vec<serde_json::Value>]| counts(all).get("a") == Some(&sent);
    rulemill
        .wait_for_emissions("every message", WINDOW_LIMIT, counted)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unmatched_messages_of_a_source_that_sighup_added_are_counted() {
    let sandbox = sandbox();
    let broker = Mosquitto::start(&sandbox, Access::Open).await;
    leave_session(&broker, "mill", "elsewhere/#").await;
    let mut publisher = Publisher::connect(broker.port);
    for _ in 0..3 {
        publisher.publish("elsewhere/1", "x", QoS::AtLeastOnce).await;
    }
    publisher.flush().await;
    let rulemill = Rulemill::start(&sandbox, &config(&[LISTENER])).await;

    let source = format!("{}\nclient_id = \"mill\"", source(&broker));
    rulemill.reconfigure(&config(&[LISTENER, &source]));

    wait_for_async("the messages that no rule listens to", LIMIT, async || {
        let labels = ["source=\"default\""];
        let unmatched = rulemill.metric("rulemill_mill_unmatched_messages_total", &labels).await;
        (unmatched == 3.0).then_some(())
    })
    .await;
}

/// Subscribes as `client_id`, and goes away with a session that the broker keeps.
async fn leave_session(broker: &Mosquitto, client_id: &str, filter: &str) {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", broker.port);
    options.set_clean_session(false);
    let (client, mut events) = AsyncClient::new(options, 10);
    client
        .subscribe(filter, QoS::AtLeastOnce)
        .await
        .expect("the queue is empty");
    let gone = async {
        loop {
            match events.poll().await.expect("the broker is there") {
                Event::Incoming(Incoming::SubAck(_)) => client.disconnect().await.expect("the queue is empty"),
                Event::Outgoing(Outgoing::Disconnect) => return,
                _ => {}
            }
        }
    };
    timeout(LIMIT, gone).await.expect("the broker answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_with_a_wrong_configuration_changes_nothing() {
    let sandbox = sandbox();
    let good = config(&[LISTENER]);
    let rulemill = Rulemill::start(&sandbox, &good).await;
    rulemill.reconfigure(&good.replace("[rules]", "[rules]\ndefault_sinks = [\"nowhere\"]"));
    let log = rulemill.log().clone();
    wait_for("the refusal in the log", LIMIT, || {
        log.text().contains("nowhere").then_some(())
    })
    .await;
    let mut publisher = Publisher::connect(rulemill.listener);
    publisher
        .publish(&topic("a"), reading(20.5, 12), QoS::AtLeastOnce)
        .await;
    rulemill
        .wait_for_emissions("an emission", LIMIT, |all| !all.is_empty())
        .await;
}

/// Longer than any window of these tests takes to be emitted.
const BLOCKED_AFTER: Duration = Duration::from_secs(6);

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_guests(&["text.wasm", "device_temperature.wasm"]);
    sandbox.write("rules.d/device_temperature.toml", "window = \"500ms\"");
    sandbox
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_does_not_work_in_the_same_data_directory() {
    let sandbox = sandbox();
    let text = config(&[LISTENER]);
    let mut first = Rulemill::start(&sandbox, &text).await;

    let second = run_to_end(&sandbox, "run", &text).await;

    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("is in use by process"), "{}", second.stderr);
    assert!(second.stderr.contains("set another directory"), "{}", second.stderr);
    assert_eq!(first.stop().await.code(), Some(0));
    let mut third = Rulemill::start(&sandbox, &text).await;
    assert_eq!(third.stop().await.code(), Some(0));
}
